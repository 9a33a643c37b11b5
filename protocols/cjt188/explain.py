"""What captured CJ/T 188 bytes say, as plain JSON for a person: `decode_cjt188`."""

from __future__ import annotations

from typing import Any, Final

from protocols.capture import Piece, Report, explained
from protocols.cjt188.frame import BROADCAST, Frame, measure, parse
from protocols.cjt188.readings import (
    IDENTIFIERS,
    VALVE_CLOSE,
    VALVE_OPEN,
    bought,
    meter_name,
    prices,
    reading,
    settled,
    status,
)
from protocols.summed import PREAMBLE

_FUNCTIONS: Final = {
    0x01: "read-data",
    0x03: "read-address",
    0x04: "write-data",
    0x09: "read-key-version",
    0x15: "write-address",
    0x16: "write-meter-synchronisation",
}
_HEAD: Final = 11
_VALVE_ORDERS: Final = {VALVE_OPEN: "open", VALVE_CLOSE: "close"}


def decode_cjt188(data: bytes) -> dict[str, Any]:
    """The frames in `data` with volumes, energies, flows and temperatures in units. See `protocols.capture`."""
    return explained("cjt188", data, measure, _piece, bytes([PREAMBLE]))


def _piece(report: Report, piece: Piece) -> dict[str, Any]:
    frame = parse(piece.data)
    report.check_sum(piece.at + len(piece.data) - 2, frame.said or 0, frame.computed)
    return _frame(report, piece.at, frame)


def _frame(report: Report, at: int, frame: Frame) -> dict[str, Any]:
    name = _FUNCTIONS.get(frame.function)
    if name is None:
        report.add("warning", at + 9, "function", function=f"{frame.function:02X}")
    told: dict[str, Any] = {
        "meter_type": f"{frame.meter:02X}",
        "meter": meter_name(frame.meter),
        "address": frame.address,
        "broadcast": frame.address == BROADCAST,
        "direction": "reply" if frame.reply else "request",
        "control": f"{frame.control:02X}",
        "function": name,
        "data": frame.data.hex().upper(),
    }
    if frame.refused:
        return told | {"refused": True, "sequence": frame.data[0] if frame.data else None} | status(frame.data[1:3])
    if frame.identifier is None:
        report.add("error", at + 10, "no-identifier", size=len(frame.data))
        return told
    told |= {
        "identifier": f"{frame.identifier:04X}",
        "identifier_bytes": frame.data[:2].hex(" ").upper(),
        "item": IDENTIFIERS.get(frame.identifier),
        "sequence": frame.data[2] if len(frame.data) > 2 else None,
    }
    if frame.identifier not in IDENTIFIERS:
        report.add("info", at + _HEAD, "not-described", identifier=told["identifier"])
    elif frame.order == "big":
        report.add("info", at + _HEAD, "byte-order", identifier=told["identifier"])
    return told | _payload(report, at + _HEAD + 3, frame, frame.data[3:])


def _payload(report: Report, at: int, frame: Frame, payload: bytes) -> dict[str, Any]:
    item = IDENTIFIERS.get(frame.identifier or 0)
    if item == "valve":
        return status(payload) if frame.reply else _valve_order(payload)
    if item == "address" and frame.reply:
        return {"values": [_plain("address", payload, frame.address)]}
    if not payload or not frame.reply:
        return {}
    if item == "reading":
        return reading(report, at, frame.meter, payload)
    if item == "settled-reading" and len(payload) >= 5:
        return settled(report, at, payload[:5])
    if item == "price-table":
        return prices(report, at, payload)
    if item == "bought-amount":
        return bought(report, at, payload)
    if item in ("settlement-day", "reading-day", "key-version"):
        return {"values": [_plain(item, payload, payload[:1].hex())]}
    return {}


def _valve_order(payload: bytes) -> dict[str, Any]:
    return {"order": _VALVE_ORDERS.get(payload[0]), "order_raw": f"{payload[0]:02X}"} if payload else {}


def _plain(name: str, raw: bytes, shown: str) -> dict[str, Any]:
    return {"name": name, "raw": raw.hex().upper(), "value": shown, "unit": None}
