"""The functions by which a unit tells of itself, and of files and queues: how long their frames are, and what they say.

Source: MODBUS Application Protocol V1.1b3, clauses 6.7 to 6.10, 6.13 to 6.15, 6.18 and 6.21. Our own devices are never
asked so; captures of others are full of it.
"""

from __future__ import annotations

from typing import Any, Final

NAMES: Final = {
    7: "read-exception-status",
    8: "diagnostics",
    11: "communication-event-counter",
    12: "communication-event-log",
    17: "report-server-id",
    20: "read-file-record",
    21: "write-file-record",
    24: "read-fifo-queue",
    43: "encapsulated-interface",
}
_IDENTIFICATION: Final = 0x0E
_OBJECTS: Final = {
    0: "vendor",
    1: "product",
    2: "revision",
    3: "url",
    4: "product-name",
    5: "model",
    6: "application",
}
_MOST_OBJECTS: Final = 64
_ALONE: Final = frozenset({7, 11, 12, 17})
"""Functions that are asked for with nothing behind them."""


def lengths(data: bytes, at: int) -> tuple[int, ...]:
    """How long an RTU frame of one of these functions that begins at `at` may be, requests first."""
    function, there = data[at + 1], len(data) - at
    counted = (5 + data[at + 2],) if there > 2 else ()
    if function in _ALONE:
        return (4, {7: 5, 11: 8}[function]) if function in (7, 11) else (4, *counted)
    if function == 8:
        return (8,)
    if function == 24:
        return (6, 6 + int.from_bytes(data[at + 2 : at + 4], "big"))
    if function == 43:
        objects = _objects_end(data[at + 1 : at + 260])
        return (7, *((objects + 3,) if objects else ()))
    return counted


def is_request(function: int, pdu: bytes, *, asked: bool) -> bool:
    """Whether `pdu` asks; `asked`: something was asked by the same function and has no answer yet."""
    if function in _ALONE:
        return len(pdu) == 1
    if function in (24, 43):
        return len(pdu) == (3 if function == 24 else 4)
    return not asked


def told(function: int, pdu: bytes, *, request: bool) -> dict[str, Any]:
    """What stands in `pdu`, from its function on."""
    if function == 8 and len(pdu) >= 5:
        return {"subfunction": int.from_bytes(pdu[1:3], "big"), "data": pdu[3:].hex().upper()}
    if function == 43 and len(pdu) > 3 and pdu[1] == _IDENTIFICATION:
        level: dict[str, Any] = {"level": pdu[2]}
        return level | ({"first": pdu[3]} if request else _identification(pdu))
    if function == 7 and not request:
        return {"status": pdu[1]}
    if function == 11 and not request and len(pdu) >= 5:
        return {"busy": pdu[1] == 0xFF, "events": int.from_bytes(pdu[3:5], "big")}
    if function == 24:
        at = 1 if request else 5
        return {"address" if request else "data": _number_or_hex(pdu[at:], number=request)}
    counted = function in (12, 17, 20, 21) and len(pdu) > 1
    return {"data": pdu[2 if counted else 1 :].hex().upper()} if len(pdu) > 1 else {}


def _number_or_hex(data: bytes, *, number: bool) -> int | str:
    return int.from_bytes(data, "big") if number else data.hex().upper()


def _identification(pdu: bytes) -> dict[str, Any]:
    found: dict[str, str] = {}
    at = 7
    while at + 2 <= len(pdu) and len(found) < _MOST_OBJECTS:
        number, size = pdu[at], pdu[at + 1]
        text = pdu[at + 2 : at + 2 + size].decode("ascii", "replace")
        found[_OBJECTS.get(number, f"object-{number}")] = text
        at += 2 + size
    return {"objects": found, "more": len(pdu) > 4 and pdu[4] == 0xFF}


def _objects_end(pdu: bytes) -> int:
    """How long the answer with a unit's identification is; 0 when it is none, or not all of it is there."""
    if len(pdu) < 7 or pdu[1] != _IDENTIFICATION or pdu[6] > _MOST_OBJECTS:
        return 0
    at = 7
    for _ in range(pdu[6]):
        if at + 2 > len(pdu):
            return 0
        at += 2 + pdu[at + 1]
    return at if at <= len(pdu) else 0
