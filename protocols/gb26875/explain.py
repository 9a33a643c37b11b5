"""What captured GB/T 26875.3 bytes say, as plain JSON for a person: `decode_gb26875`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from protocols.capture import Piece, Report, explained, scaled
from protocols.gb26875.frame import MAX_DATA, SEND, Frame, measure, parse
from protocols.gb26875.objects import ANALOG, OBJECTS, Part, flags, object_size, read_text, read_time
from protocols.messages import Language, catalogue

_HEAD: Final = 27
_TIME_BYTES: Final = 6
_USER_COMMANDS: Final = 128
# A panel that is not testing leaves bit 0 off often enough that an alarm with it must not be taken for a test.
_SERIOUS: Final = frozenset({"fire", "fault", "supervisory"})


def label(group: str, number: int, language: Language = "en") -> str | None:
    """What a command, type, system or component `number` is called; None when the standard does not define it."""
    return catalogue("protocols", language).get(f"protocols.gb26875.{group}.{number}")


def decode_gb26875(data: bytes) -> dict[str, Any]:
    """The frames in `data` with their objects: states by name, texts, analogue values in units, times (local)."""
    return explained("gb26875", data, measure, _piece)


def _piece(report: Report, piece: Piece) -> dict[str, Any]:
    frame = parse(piece.data)
    report.check_sum(piece.at + len(piece.data) - 3, frame.said or 0, frame.computed)
    return _frame(report, piece.at, frame)


def _frame(report: Report, at: int, frame: Frame) -> dict[str, Any]:
    if frame.version[0] != 1:
        report.add("warning", at + 4, "version", version=frame.version[0])
    if frame.big_length:
        report.add("warning", at + 24, "length-order")
    if len(frame.data) > MAX_DATA:
        report.add("warning", at + 24, "long", size=len(frame.data), limit=MAX_DATA)
    name = label("command", frame.command)
    if name is None:
        code = "user-command" if frame.command >= _USER_COMMANDS else "reserved-command"
        report.add("warning", at + 26, code, command=frame.command)
    told: dict[str, Any] = {
        "sequence": frame.sequence,
        "version": f"{frame.version[0]}.{frame.version[1]}",
        "time": _shown(_time(report, at + 6, frame.time)),
        "source": f"{frame.source:012X}",
        "destination": f"{frame.destination:012X}",
        "command": frame.command,
        "command_name": name,
        "data": frame.data.hex().upper(),
    }
    return told | _unit(report, at + _HEAD, frame)


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time(report: Report, at: int, raw: bytes) -> datetime | None:
    moment, decimal = read_time(raw)
    if decimal:
        report.add("warning", at, "time-decimal", raw=raw.hex().upper())
    elif moment is None and any(raw):
        report.add("warning", at, "bad-time", raw=raw.hex().upper())
    return moment


def _unit(report: Report, at: int, frame: Frame) -> dict[str, Any]:
    data = frame.data
    if len(data) < 2:
        if frame.command == SEND:
            report.add("info", at, "heartbeat", size=len(data))
        return {}
    kind, count = data[0], data[1]
    parts = OBJECTS.get(kind)
    told: dict[str, Any] = {"type": kind, "type_name": label("type", kind), "count": count}
    if parts is None:
        report.add("warning", at, "unknown-type", type=kind)
        return told
    return told | {"objects": _objects(report, at + 2, parts, count, data[2:])}


def _objects(report: Report, at: int, parts: tuple[Part, ...], count: int, body: bytes) -> list[dict[str, Any]]:
    size = object_size(parts)
    if size is not None and len(body) != count * size:
        parts = _tolerated(report, at, parts, count, body)
    objects: list[dict[str, Any]] = []
    place = 0
    while place < len(body) and len(objects) < max(count, 1):
        told: dict[str, Any] = {}
        for part in parts:
            length = part.size or (1 + body[place] if place < len(body) else 1)
            raw = body[place : place + length]
            if len(raw) < length:
                report.add("error", at + place, "object-short", field=part.name, wanted=length, there=len(raw))
                return [*objects, told] if told else objects
            told |= _part(report, at + place, part, raw)
            place += length
        objects.append(told)
    if place < len(body):
        report.add("warning", at + place, "after-objects", size=len(body) - place)
    return objects


def _tolerated(report: Report, at: int, parts: tuple[Part, ...], count: int, body: bytes) -> tuple[Part, ...]:
    """Makers leave the time of an object out, or add one where the standard has none: the length tells."""
    size = object_size(parts) or 0
    if parts[-1].shape == "time" and len(body) == count * (size - _TIME_BYTES):
        report.add("warning", at, "no-time", size=len(body), wanted=count * size)
        return parts[:-1]
    if parts[-1].shape != "time" and len(body) == count * (size + _TIME_BYTES):
        report.add("warning", at, "added-time", size=len(body), wanted=count * size)
        return (*parts, Part(name="time", size=_TIME_BYTES, shape="time"))
    report.add("warning", at, "object-size", size=len(body), wanted=count * size, count=count)
    return parts


def _part(report: Report, at: int, part: Part, raw: bytes) -> dict[str, Any]:
    number = int.from_bytes(raw, "little")
    if part.shape in ("system", "component"):
        name = label(part.shape, number)
        if name is None:
            report.add("info", at, f"{part.shape}-type", type=number)
        return {part.name: number, f"{part.name}_name": name}
    if part.shape == "address":
        return {part.name: number, f"{part.name}_raw": raw.hex().upper()}
    if part.shape == "flags":
        named = flags(part.bits, number)
        if part.bits[0] == "normal" and "normal" not in named and _SERIOUS.intersection(named):
            report.add("info", at, "test-bit")
        return {part.name: named, f"{part.name}_raw": raw.hex().upper()}
    if part.shape == "analog":
        return _analog(report, at, raw)
    if part.shape in ("text", "short-text"):
        return _text(report, at, part, raw)
    if part.shape == "time":
        return {part.name: _shown(_time(report, at, raw)), f"{part.name}_raw": raw.hex().upper()}
    if part.shape == "version":
        return {part.name: f"{raw[0]}.{raw[1]}"}
    return {part.name: number}


def _text(report: Report, at: int, part: Part, raw: bytes) -> dict[str, Any]:
    body = raw if part.size else raw[1:]
    text, readable = read_text(body)
    if not readable:
        report.add("warning", at, "text", raw=body.hex().upper()[:80])
    return {part.name: text, f"{part.name}_raw": body.hex().upper()}


def _analog(report: Report, at: int, raw: bytes) -> dict[str, Any]:
    number = int.from_bytes(raw[1:], "little", signed=True)
    known = ANALOG.get(raw[0])
    if known is None:
        report.add("info", at, "analog-type", type=raw[0])
        return {"values": [{"name": None, "type": raw[0], "raw": number, "value": None, "unit": None}]}
    name, unit, decimals = known
    return {"values": [{"name": name, "type": raw[0], "raw": number, "value": scaled(number, decimals), "unit": unit}]}
