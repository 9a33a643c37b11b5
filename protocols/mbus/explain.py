"""What captured M-Bus bytes say, as plain JSON for a person: `decode_mbus`."""

from __future__ import annotations

from typing import Any, Final

from protocols.capture import Piece, Report, bcd, explained, scaled
from protocols.mbus.frame import Frame, measure, parse
from protocols.mbus.records import Cut, Record, records
from protocols.mbus.units import FIXED, MANUFACTURERS, MEDIA, Meaning

_CONTROLS: Final = {0x40: "initialise", 0x5B: "request-data", 0x7B: "request-data", 0x5A: "request-alarm"} | {
    0x7A: "request-alarm",
    0x53: "send-data",
    0x73: "send-data",
    0x08: "data",
    0x18: "data",
    0x28: "data",
    0x38: "data",
}
_LONG_HEADER: Final = 0x72
_FIXED: Final = 0x73
_NO_HEADER: Final = 0x78
_SHORT_HEADER: Final = 0x7A
_ERROR: Final = 0x70
_CONTENTS: Final = {0x50: "application-reset", 0x51: "data-send", 0x52: "select", 0x54: "application-select"} | {
    _ERROR: "application-error",
    0x71: "alarm",
    _LONG_HEADER: "variable-data",
    _FIXED: "fixed-data",
    _NO_HEADER: "variable-data",
    _SHORT_HEADER: "variable-data",
}
_ERRORS: Final = (
    "unspecified",
    "unimplemented",
    "buffer-too-long",
    "too-many-records",
    "premature-end",
    "too-many-extensions",
    "too-many-value-extensions",
    "too-long",
    "application-busy",
    "too-many-readouts",
)
_STATUS: Final = ((2, "power-low"), (3, "permanent-error"), (4, "temporary-error"))
_HEAD: Final = 7
"""Bytes of a long frame before its data."""
_ENCRYPTED: Final = frozenset({0x02, 0x03, 0x04, 0x05, 0x07, 0x08, 0x09, 0x0A, 0x0D})
"""Security modes (EN 13757-7, table 19). Old meters put a check sum of their own in the place of the mode."""


def decode_mbus(data: bytes) -> dict[str, Any]:
    """The frames in `data` with the meter's identity and values in units. See `protocols.capture`.

    Source: EN 13757-2:2018 and EN 13757-3:2018; fixed data structures as in EN 1434-3:1997.
    """
    return explained("mbus", data, measure, _piece)


def _piece(report: Report, piece: Piece) -> dict[str, Any]:
    frame = parse(piece.data)
    if frame.form != "acknowledge":
        report.check_sum(piece.at + len(piece.data) - 2, frame.said, frame.computed)
    return _frame(report, piece.at, frame)


def _frame(report: Report, at: int, frame: Frame) -> dict[str, Any]:
    told: dict[str, Any] = {"form": frame.form}
    if frame.control is None:
        return told
    told |= {
        "control": f"{frame.control:02X}",
        "function": _CONTROLS.get(frame.control),
        "address": frame.address,
    }
    if frame.ci is None:
        return told
    told |= {"ci": f"{frame.ci:02X}", "content": _CONTENTS.get(frame.ci)}
    place = at + _HEAD
    if frame.ci == _ERROR:
        code = frame.data[0] if frame.data else 0
        return told | {"error": _ERRORS[code] if code < len(_ERRORS) else f"{code:02X}"}
    if frame.ci == _FIXED:
        return told | _fixed(report, place, frame.data)
    if frame.ci in (_LONG_HEADER, _SHORT_HEADER, _NO_HEADER):
        return told | _variable(report, place, frame)
    if frame.ci == 0x52 and len(frame.data) >= 8:
        return told | {"meter": _meter(report, place, frame.data)}
    if told["content"] is None:
        report.add("info", place - 1, "content", ci=told["ci"])
    return told | {"data": frame.data.hex().upper()}


def _variable(report: Report, at: int, frame: Frame) -> dict[str, Any]:
    size = {_LONG_HEADER: 12, _SHORT_HEADER: 4}.get(frame.ci or 0, 0)
    if len(frame.data) < size:
        report.add("error", at, "header", size=len(frame.data), wanted=size)
        return {"data": frame.data.hex().upper()}
    told: dict[str, Any] = {}
    if size == 12:
        told["meter"] = _meter(report, at, frame.data)
    mode = 0
    if size:
        access, status, low, high = frame.data[size - 4 : size]
        told |= {"access": access, "status": f"{status:02X}", "conditions": _conditions(status)}
        mode = high & 0x1F if high & 0x1F in _ENCRYPTED else 0
        told["signature"] = f"{high:02X}{low:02X}"
    if mode:
        report.add("warning", at + size - 2, "encrypted", mode=mode)
        return told | {"data": frame.data[size:].hex().upper()}
    return told | _records(report, at + size, frame.data[size:])


def _meter(report: Report, at: int, head: bytes) -> dict[str, Any]:
    """Identification number, maker, version and medium: what a meter is addressed by."""
    number = head[3::-1].hex().upper()
    if bcd(head[3::-1]) is None and "F" not in number:
        report.add("info", at, "not-decimal", raw=number)
    maker = int.from_bytes(head[4:6], "little")
    letters = "".join(chr(64 + (maker >> shift & 0x1F)) for shift in (10, 5, 0))
    medium = MEDIA.get(head[7], f"{head[7]:02X}")
    return {"identification": number, "manufacturer": letters, "version": head[6], "medium": medium}


def _conditions(status: int) -> list[str]:
    words = [("", "busy", "error", "abnormal")[status & 3]] if status & 3 else []
    return words + [word for bit, word in _STATUS if status >> bit & 1]


def _records(report: Report, at: int, data: bytes) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    try:
        for found in records(data):
            if isinstance(found, Record):
                told.append(_record(report, at + found.at, found))
            else:
                more = {"manufacturer_data": found.data.hex().upper(), "more_follows": found.more}
    except Cut as cut:
        report.add("error", at + len(data), cut.code)
    return {"records": told} | more


def _record(report: Report, at: int, record: Record) -> dict[str, Any]:
    if not record.name:
        report.add("info", at, "not-described", vif=record.vif.hex(" ").upper())
    if not record.readable:
        report.add("warning", at, "value", raw=record.raw.hex().upper(), name=record.name or "-")
    told: dict[str, Any] = {
        "name": record.name or None,
        "value": record.value,
        "unit": record.unit or None,
        "function": record.function,
        "storage": record.storage,
        "raw": record.raw.hex().upper(),
    }
    if record.tariff or record.subunit:
        told |= {"tariff": record.tariff, "subunit": record.subunit}
    if record.name in ("", MANUFACTURERS):
        told["vif"] = record.vif.hex(" ").upper()
    if record.modifiers:
        told["modifiers"] = [f"{modifier:02X}" for modifier in record.modifiers]
    return told


def _fixed(report: Report, at: int, data: bytes) -> dict[str, Any]:
    """Two counters in a structure of sixteen bytes."""
    if len(data) < 16:
        report.add("error", at, "header", size=len(data), wanted=16)
        return {"data": data.hex().upper()}
    status = data[5]
    first, second = data[6], data[7]
    medium = (first >> 6) | (second >> 6) << 2
    told: list[dict[str, Any]] = []
    for code, raw in ((first & 0x3F, data[8:12]), (second & 0x3F, data[12:16])):
        meaning = FIXED.get(code)
        if code == 0x3E:
            meaning = FIXED.get(first & 0x3F)
        number = int.from_bytes(raw, "little") if status & 1 else bcd(raw[::-1])
        if number is None:
            report.add("warning", at + 8, "value", raw=raw.hex().upper(), name=meaning.name if meaning else "-")
        told.append(
            {
                "name": meaning.name if meaning else None,
                "value": None if number is None else _in_unit(number, meaning),
                "unit": meaning.unit or None if meaning else None,
                "function": "instantaneous",
                "storage": int(code == 0x3E or bool(status & 2)),
                "raw": raw.hex().upper(),
            }
        )
    meter = {"identification": data[3::-1].hex().upper(), "medium": MEDIA.get(medium, f"{medium:02X}")}
    return {"meter": meter, "access": data[4], "status": f"{status:02X}", "records": told}


def _in_unit(number: int, meaning: Meaning | None) -> int | float:
    if meaning is None:
        return number
    return number * 10**meaning.exponent if meaning.exponent >= 0 else scaled(number, -meaning.exponent)
