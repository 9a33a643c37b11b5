"""What captured Modbus bytes say, RTU or TCP, as plain JSON for a person: `decode_modbus`.

RTU frames carry neither a beginning nor a length: a frame is where a length that its function allows ends in the right
CRC. Whether bytes are a request or a reply follows from their length, and from what was asked before. Sources: MODBUS
Application Protocol V1.1b3 (clauses 6 and 7), Serial Line V1.02 (2.5.1), Messaging on TCP/IP V1.0b (3.1.3).
"""

from __future__ import annotations

import math
import struct
from array import array
from functools import cache
from typing import Any, Final

from protocols.capture import MAX_FRAMES, Measure, Piece, Report, by_line, pieces, taken
from protocols.modbus import diagnosis
from protocols.modbus.frame import crc16
from protocols.pcap import connections, is_capture

_FUNCTIONS: Final = {
    1: "read-coils",
    2: "read-discrete-inputs",
    3: "read-holding-registers",
    4: "read-input-registers",
    5: "write-coil",
    6: "write-register",
    15: "write-coils",
    16: "write-registers",
    22: "mask-write-register",
    23: "read-write-registers",
    **diagnosis.NAMES,
}
_OWN: Final = "user-defined"
_OWN_FUNCTIONS: Final = frozenset({*range(65, 73), *range(100, 111), 90})
"""Functions of the makers (V1.1b3, clause 5), and Schneider's 90; over TCP alone: RTU does not say how long."""
_EXCEPTIONS: Final = {
    1: "illegal-function",
    2: "illegal-address",
    3: "illegal-value",
    4: "device-failure",
    5: "acknowledge",
    6: "busy",
    8: "memory-parity",
    10: "gateway-path",
    11: "gateway-target",
}
_PORT: Final = 502
_ERROR_BIT: Final = 0x80
_MOST_PDU: Final = 253
_MBAP: Final = 7


def decode_modbus(data: bytes) -> dict[str, Any]:
    """The RTU or TCP frames in `data`, whichever explains more of it. See `protocols.capture`.

    Of a pcap or pcapng file each connection is explained by itself (`line`, from 1): those of Modbus's port, or all.

    Registers are raw words, with the floating-point numbers that pairs of them would be, the high word first
    (``float32``) and the low one (``float32_cdab``); names, scales and units are in the profile of a device, not in the
    bytes.
    """
    if is_capture(data):
        all_there = connections(data)
        chosen = [one for one in all_there if _PORT in one.ports] or all_there
        return by_line("modbus", enumerate((_explained(bytes(one.data)) for one in chosen), start=1))
    return _explained(data)


def _explained(data: bytes) -> dict[str, Any]:
    rtu = _Rtu(data)
    (serial, of_serial), (tcp, of_tcp) = _cut(data, rtu.measure), _cut(data, _measure_tcp)
    if of_tcp > of_serial:
        return _document(data, "tcp", tcp)
    return _document(data, "rtu", serial if of_serial else [_damaged(piece) for piece in serial])


def _cut(data: bytes, measure: Measure) -> tuple[list[Piece], int]:
    """The pieces (as many as a report takes: frames and noise take turns at most), and how many bytes are in frames."""
    kept: list[Piece] = []
    covered = 0
    for piece in pieces(data, measure):
        covered += len(piece.data) if piece.whole else 0
        if len(kept) <= 2 * MAX_FRAMES:
            kept.append(piece)
    return kept, covered


def _damaged(piece: Piece) -> Piece:
    """Noise whose length is that of a frame which begins like it: a frame with a wrong CRC."""
    size = len(piece.data)
    return Piece(at=piece.at, data=piece.data, wanted=size if size in _lengths(piece.data, 0) else 0)


class _Rtu:
    """Finds frames by their CRC in constant time a byte, whatever the bytes are."""

    def __init__(self, data: bytes) -> None:
        states = array("H", [0])
        crc = 0
        for byte in data:
            crc = crc >> 8 ^ _STEP[(crc ^ byte) & 0xFF]
            states.append(crc)
        self._states = states

    def measure(self, data: bytes, at: int) -> int:
        """The length of the frame with a right CRC at `at`; 0 when none begins there."""
        for size in _lengths(data, at):
            end = at + size - 2
            if end + 2 <= len(data) and self._crc(at, end) == int.from_bytes(data[end : end + 2], "little"):
                return size
        return 0

    def _crc(self, start: int, end: int) -> int:
        """The CRC is linear: the state at `end` without what the state at `start` became, and with FFFF instead."""
        high, low = _zeros(end - start)
        before = self._states[start] ^ 0xFFFF
        return self._states[end] ^ high[before >> 8] ^ low[before & 0xFF]


def _step_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_STEP: Final = _step_table()


@cache
def _zeros(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a CRC state becomes over `count` zero bytes: tables for its high and its low byte."""
    images = []
    for bit in range(16):
        crc = 1 << bit
        for _ in range(count):
            crc = crc >> 8 ^ _STEP[crc & 0xFF]
        images.append(crc)
    tables = []
    for half in (images[8:], images[:8]):
        table = [0] * 256
        for value in range(1, 256):
            lowest = value & -value
            table[value] = table[value ^ lowest] ^ half[lowest.bit_length() - 1]
        tables.append(tuple(table))
    return tables[0], tables[1]


def _lengths(data: bytes, at: int) -> tuple[int, ...]:
    """How long an RTU frame that begins at `at` may be, requests first."""
    if len(data) < at + 4:
        return ()
    function = data[at + 1]
    if function & _ERROR_BIT:
        return (5,) if function & ~_ERROR_BIT in _FUNCTIONS else ()
    if function in (1, 2, 3, 4):
        return (8, 5 + data[at + 2])
    if function in (5, 6):
        return (8,)
    if function in (15, 16):
        return (8, 9 + data[at + 6]) if len(data) > at + 6 else (8,)
    if function == 22:
        return (10,)
    if function == 23:
        return (13 + data[at + 10], 5 + data[at + 2]) if len(data) > at + 10 else (5 + data[at + 2],)
    return diagnosis.lengths(data, at) if function in diagnosis.NAMES else ()


def _measure_tcp(data: bytes, at: int) -> int:
    if len(data) < at + _MBAP + 1 or data[at + 2] or data[at + 3]:
        return 0
    size = int.from_bytes(data[at + 4 : at + 6], "big") - 1
    function = data[at + 7] & ~_ERROR_BIT
    known = function in _FUNCTIONS or function in _OWN_FUNCTIONS
    return _MBAP + size if 1 <= size <= _MOST_PDU and known else 0


def _document(data: bytes, medium: str, found: list[Piece]) -> dict[str, Any]:
    report = Report("modbus")
    asked: dict[tuple[int, int, int], dict[str, Any]] = {}
    for piece in taken(report, data, found):
        errors = report.errors
        if medium == "rtu":
            raw, number = piece.data, -1
            report.check_sum(piece.at + len(raw) - 2, int.from_bytes(raw[-2:], "little"), crc16(raw[:-2]), 4)
            unit, pdu = raw[0], raw[1:-2]
        else:
            number = int.from_bytes(piece.data[:2], "big")
            unit, pdu = piece.data[6], piece.data[7:]
        told = _pdu(unit, pdu, asked, number)
        head = {"at": piece.at, "raw": piece.data.hex().upper(), "ok": report.errors == errors, "medium": medium}
        report.frames.append(head | ({"transaction": number} if medium == "tcp" else {}) | told)
    return report.document(len(data))


def _pdu(unit: int, pdu: bytes, asked: dict[tuple[int, int, int], dict[str, Any]], number: int) -> dict[str, Any]:
    function = pdu[0] & ~_ERROR_BIT
    told: dict[str, Any] = {"unit": unit, "function": function, "name": _FUNCTIONS.get(function, _OWN)}
    key = (unit, function, number)
    if pdu[0] & _ERROR_BIT:
        asked.pop(key, None)
        code = pdu[1] if len(pdu) > 1 else 0
        return told | {"direction": "reply", "exception": code, "exception_name": _EXCEPTIONS.get(code)}
    before = asked.get(key)
    if function in diagnosis.NAMES or function in _OWN_FUNCTIONS:
        request = diagnosis.is_request(function, pdu, asked=before is not None)
        asked.pop(key, None)
        if request:
            asked[key] = {}
        direction = {"direction": "request" if request else "reply"}
        return told | direction | diagnosis.told(function, pdu, request=request)
    if _is_request(function, pdu, before):
        asked[key] = wanted = _request(function, pdu)
        return told | {"direction": "request"} | wanted
    asked.pop(key, None)
    return told | {"direction": "reply"} | _reply(function, pdu, before or {})


def _is_request(function: int, pdu: bytes, before: dict[str, Any] | None) -> bool:
    if function in (1, 2, 3, 4):
        counted = len(pdu) == 2 + pdu[1] if len(pdu) > 1 else False
        return len(pdu) == 5 and not (counted and before is not None)
    if function in (15, 16):
        return len(pdu) > 5
    if function == 23:
        return len(pdu) > 9 and len(pdu) == 10 + pdu[9]
    return before is None


def _request(function: int, pdu: bytes) -> dict[str, Any]:
    if len(pdu) < 5:
        return {"data": pdu[1:].hex().upper()}
    address, second = struct.unpack_from(">HH", pdu, 1)
    if function in (5, 6):
        return {"address": address, "value": second == 0xFF00 if function == 5 else second}
    if function == 22:
        return {"address": address, "and_mask": second, "or_mask": int.from_bytes(pdu[5:7], "big")}
    told: dict[str, Any] = {"address": address, "count": second}
    if function == 23 and len(pdu) > 9:
        write_address, write_count = struct.unpack_from(">HH", pdu, 5)
        return told | {"write_address": write_address, "write_count": write_count} | _words(pdu[10:])
    if function == 16:
        return told | _words(pdu[6:])
    if function == 15:
        return told | {"bits": _bits(pdu[6:], second)}
    return told


def _reply(function: int, pdu: bytes, before: dict[str, Any]) -> dict[str, Any]:
    place = {"address": before["address"]} if "address" in before else {}
    if function in (1, 2):
        count = before.get("count", 8 * len(pdu[2:]))
        return place | {"bits": _bits(pdu[2:], count)}
    if function in (3, 4, 23):
        return place | _words(pdu[2:])
    if function in (15, 16) and len(pdu) == 5:
        address, count = struct.unpack_from(">HH", pdu, 1)
        return {"address": address, "count": count}
    return _request(function, pdu)


def _bits(data: bytes, count: int) -> list[int]:
    return [data[place >> 3] >> (place & 7) & 1 for place in range(min(count, 8 * len(data)))]


def _words(data: bytes) -> dict[str, Any]:
    count = len(data) // 2
    told: dict[str, Any] = {"registers": list(struct.unpack_from(f">{count}H", data))}
    if count and count % 2 == 0:
        swapped = b"".join(data[at + 2 : at + 4] + data[at : at + 2] for at in range(0, 2 * count, 4))
        told["float32"], told["float32_cdab"] = (_numbers(pairs, count // 2) for pairs in (data, swapped))
    return told


def _numbers(data: bytes, count: int) -> list[float | None]:
    numbers = struct.unpack_from(f">{count}f", data)
    return [float(f"{n:.7g}") if math.isfinite(n) else None for n in numbers]
