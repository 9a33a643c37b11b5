"""What captured DL/T 645 bytes say, as plain JSON for a person: `decode_dlt645`."""

from __future__ import annotations

from typing import Any, Final

from protocols.capture import Piece, Report, explained
from protocols.dlt645.counters import MINUTE, part
from protocols.dlt645.forms import Form, Item, read_form
from protocols.dlt645.frame import Edition, Frame, measure, parse
from protocols.dlt645.frozen import LOAD, load_records
from protocols.dlt645.items import item
from protocols.summed import PREAMBLE

_FUNCTIONS: Final = {
    0x01: "read-data",
    0x02: "read-more",
    0x03: "read-again-or-authenticate",
    0x04: "write-data",
    0x08: "broadcast-time",
    0x0A: "write-address",
    0x0C: "change-speed",
    0x0F: "change-password",
    0x10: "clear-demand",
    0x11: "read-data",
    0x12: "read-more",
    0x13: "read-address",
    0x14: "write-data",
    0x15: "write-address",
    0x16: "freeze",
    0x17: "change-speed",
    0x18: "change-password",
    0x19: "clear-demand",
    0x1A: "clear-meter",
    0x1B: "clear-events",
    0x1C: "relay-control",
    0x1D: "multi-function-output",
}
_WITH_IDENTIFIER: Final = frozenset({0x01, 0x02, 0x04, 0x11, 0x12, 0x14})
_READS: Final = frozenset({0x01, 0x02, 0x11, 0x12})
_CLASSES: Final = 6
"""Classes of values in a load record (annex B)."""
_REASONS_2007: Final = (
    "other",
    "no-such-data",
    "password-or-authorisation",
    "speed-not-changed",
    "too-many-year-zones",
    "too-many-day-slots",
    "too-many-tariffs",
)
_REASONS_1997: Final = (
    "illegal-data",
    "no-such-data",
    "password",
    "reserved",
    "too-many-year-zones",
    "too-many-day-slots",
    "too-many-tariffs",
)


def decode_dlt645(data: bytes) -> dict[str, Any]:
    """The frames in `data` with values in kWh, V, A, kW, … beside the raw ones. See `protocols.capture`."""
    return explained("dlt645", data, measure, _piece, bytes([PREAMBLE]))


def _piece(report: Report, piece: Piece) -> dict[str, Any]:
    frame = parse(piece.data)
    report.check_sum(piece.at + len(piece.data) - 2, frame.said or 0, frame.computed)
    return _frame(report, piece.at, frame)


def _frame(report: Report, at: int, frame: Frame) -> dict[str, Any]:
    name = _FUNCTIONS.get(frame.function)
    if name is None:
        report.add("warning", at + 8, "function", function=f"{frame.function:02X}")
    told: dict[str, Any] = {
        "edition": frame.edition,
        "address": frame.address,
        "broadcast": set(frame.address) in ({"A"}, {"9"}),
        "direction": "reply" if frame.reply else "request",
        "control": f"{frame.control:02X}",
        "function": name,
        "more": frame.more,
        "data": frame.data.hex().upper(),
    }
    if frame.refused:
        return told | {"refused": _reasons(frame)}
    if frame.function == 0x13 and frame.reply and len(frame.data) == 6:
        digits = frame.data[::-1].hex().upper()
        return told | {"values": [{"name": "address", "raw": frame.data.hex().upper(), "value": digits, "unit": None}]}
    if frame.function == 0x08 and len(frame.data) == 6:
        return told | {"values": [_clock(frame.data)]}
    if frame.function in _WITH_IDENTIFIER and frame.edition and frame.data:
        return told | _identified(report, at, frame, frame.edition)
    return told


def _reasons(frame: Frame) -> list[str]:
    rows = _REASONS_1997 if frame.edition == "1997" else _REASONS_2007
    bits = frame.data[0] if frame.data else 0
    return [reason for place, reason in enumerate(rows) if bits >> place & 1]


def _clock(data: bytes) -> dict[str, Any]:
    year, month, day, hour, minute, second = data[::-1].hex(" ").split()
    value = f"20{year}-{month}-{day}T{hour}:{minute}:{second}"
    return {"name": "clock", "raw": data.hex().upper(), "value": value, "unit": None}


def _identified(report: Report, at: int, frame: Frame, edition: Edition) -> dict[str, Any]:
    size = 2 if edition == "1997" else 4
    if len(frame.data) < size:
        report.add("error", at + 9, "no-identifier", size=len(frame.data), wanted=size)
        return {}
    identifier = int.from_bytes(frame.data[:size], "little")
    known = item(identifier, edition)
    load = edition == "2007" and identifier >> 24 == LOAD
    name = "load-record" if load else known.name if known else None
    told: dict[str, Any] = {"identifier": f"{identifier:0{2 * size}X}", "item": name}
    payload = frame.data[size:]
    if not (frame.reply and frame.function in _READS):
        return told
    if frame.function in (0x02, 0x12) and payload:
        told["sequence"] = payload[-1]
        payload = payload[:-1]
    if load:
        return told | {"records": _load(report, at + 10 + size, payload, identifier >> 16 & 0xFF)}
    if known is None:
        report.add("info", at + 10, "not-described", identifier=told["identifier"])
        return told
    return told | {"values": _values(report, at + 10 + size, known, payload)}


def _values(report: Report, at: int, known: Item, payload: bytes) -> list[dict[str, Any]]:
    group = sum(form.size for form in known.forms)
    count = len(payload) // group if known.parts else 1
    if len(payload) != max(count, 1) * group:
        report.add("warning", at, "length", item=known.name, size=len(payload), wanted=group)
    facts = {key: value for key, value in known.facts.items() if key != "first"}
    values = []
    for number in range(count):
        about = {known.parts: part(known.parts, known.facts["first"] + number)} if known.parts else {}
        place = number * group
        for form in known.forms:
            raw = payload[place : place + form.size]
            if len(raw) == form.size:
                values.append(_value(report, at + place, known.name, form, raw) | facts | about)
            place += form.size
    return values


def _value(report: Report, at: int, name: str, form: Form, raw: bytes) -> dict[str, Any]:
    value, readable = read_form(form, raw)
    name = form.name or name
    if not readable:
        code = "not-decimal" if form.shape == "number" or not raw.hex().isdecimal() else "no-moment"
        report.add("warning", at, code, item=name, raw=raw.hex().upper())
    if form.shape == "minute" and not form.name:
        name = f"{name}-at"
    told = {"name": name, "raw": raw.hex().upper(), "value": value, "unit": form.unit}
    return told | ({"phase": form.phase} if form.phase else {})


def _load(report: Report, at: int, payload: bytes, kind: int) -> list[dict[str, Any]]:
    """The load records of a reply; classes of a meter's own (above 6) are shown as bytes."""
    told: list[dict[str, Any]] = []
    for record in load_records(payload, kind) if kind <= _CLASSES else ():
        if not record.whole:
            report.add("warning", at + record.at, "load-record", size=len(payload) - record.at)
        elif record.said != record.computed:
            expected, computed = f"{record.said:02X}", f"{record.computed:02X}"
            report.add("warning", at + record.at, "load-sum", expected=expected, computed=computed)
        if record.damaged:
            report.add("warning", at + record.at, "load-damaged")
        when = _value(report, at + record.at, "stored", MINUTE, record.moment)
        values = [_value(report, at + place, "", form, raw) for form, place, raw in record.values]
        told.append({"stored": when["value"], "damaged": record.damaged, "values": values})
    if payload and not told:
        report.add("warning", at, "load-record", size=len(payload))
    return told
