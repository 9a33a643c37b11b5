"""What a captured DDCMP line says, as plain JSON for a person: `decode_ddcmp`.

A capture may hold both directions or one. An audit is put together from the data blocks in the order of their numbers,
a repeated one counting once, and read like an EVA-DTS file.
"""

from __future__ import annotations

from typing import Any, Final

from protocols.capture import Piece, Report, explained
from protocols.evadts.crc import crc16
from protocols.evadts.ddcmp.carrier import BLOCK, FINISH, OK, READ, READ_ANSWER, WHO, WHO_ANSWER
from protocols.evadts.ddcmp.frames import ACK, LAST, NACK, QUICK, STACK, START
from protocols.evadts.dex.explain import with_audits

_CONTROL, _DATA, _STATION = 0x05, 0x81, 0x01
_HEADER: Final = 8
_CRC: Final = 2
_MOST_AUDIT: Final = 1 << 20
_TYPES: Final = {ACK: "ack", NACK: "nack", START: "start", STACK: "stack"}
_SPEEDS: Final = {0: None, 1: 1200, 2: 2400, 3: 4800, 4: 9600, 5: 19_200, 6: 38_400, 7: 57_600, 8: 115_200}
_COMMANDS: Final = {
    WHO: "who-are-you",
    WHO_ANSWER: "who-are-you-answer",
    READ: "read-data",
    READ_ANSWER: "read-data-answer",
    FINISH: "finish",
    bytes.fromhex("77e1"): "program-slave-device",
    bytes.fromhex("88e1"): "program-slave-device-answer",
    bytes.fromhex("77e3"): "write-data",
    bytes.fromhex("88e3"): "write-data-answer",
    bytes.fromhex("77e4"): "delete-data",
    bytes.fromhex("88e4"): "delete-data-answer",
    bytes.fromhex("77e5"): "program-module",
    bytes.fromhex("88e5"): "program-module-answer",
    bytes.fromhex("77e6"): "read-memory",
    bytes.fromhex("88e6"): "read-memory-answer",
}
_ANSWERS: Final = frozenset(command for command in _COMMANDS if command[0] == WHO_ANSWER[0])
_LISTS: Final = {1: "audit", 2: "security", 50: "dump", 64: "configuration"}
_REASONS: Final = {
    1: "header-check-sum",
    2: "data-check-sum",
    3: "reply",
    8: "no-buffer",
    9: "overrun",
    16: "too-long",
    17: "format",
}


def decode_ddcmp(data: bytes) -> dict[str, Any]:
    """The frames in `data`, and under ``audits`` what each whole audit says (see `decode_evadts`).

    `at` counts bytes; findings inside an audit carry ``audit`` (from 0) and the line as `at`.
    """
    audits = _Audits()

    def tell(report: Report, piece: Piece) -> dict[str, Any]:
        return _control(report, piece) if piece.data[0] == _CONTROL else _data(report, piece, audits)

    document = explained("ddcmp", data, _measure, tell)
    audits.end()
    return with_audits(document, audits.whole)


def _measure(data: bytes, at: int) -> int:
    """How long the frame that begins at `at` is. A data message whose header is damaged has no length to trust."""
    if data[at] not in (_CONTROL, _DATA):
        return 0
    header = data[at : at + _HEADER]
    if len(header) < _HEADER:
        return _HEADER if len(header) > 1 and (len(header) < 6 or header[5] == _STATION) else 0
    if header[5] != _STATION:
        return 0
    if data[at] == _CONTROL:
        return _HEADER if header[1] in _TYPES else 0
    return _HEADER + _length(header) + _CRC if _said(header) == crc16(header[:-_CRC]) else 0


def _length(header: bytes) -> int:
    return header[1] | (header[2] & 0x3F) << 8


def _said(data: bytes) -> int:
    return int.from_bytes(data[-_CRC:], "little")


def _control(report: Report, piece: Piece) -> dict[str, Any]:
    frame = piece.data
    report.check_sum(piece.at + 6, _said(frame), crc16(frame[:-_CRC]), 4)
    told: dict[str, Any] = {"frame": _TYPES[frame[1]], "received": frame[3]}
    if frame[1] in (START, STACK):
        told |= {"speed": _SPEEDS.get(frame[4]), "speed_code": frame[4]}
    if frame[1] == NACK:
        told["reason"] = _REASONS.get(frame[2] & ~QUICK & 0x7F)
    return told


def _data(report: Report, piece: Piece, audits: _Audits) -> dict[str, Any]:
    frame = piece.data
    body = frame[_HEADER:-_CRC]
    fits = _said(frame) == crc16(frame[_HEADER:-_CRC])
    report.check_sum(piece.at + len(frame) - _CRC, _said(frame), crc16(body), 4)
    told: dict[str, Any] = {
        "frame": "data",
        "received": frame[3],
        "sent": frame[4],
        "last": bool(frame[2] & LAST),
        "body": body.hex().upper(),
    }
    if body[:1] == bytes([BLOCK]) and len(body) > 1:
        told |= {"command": "block", "block": body[1], "text": body[2:].decode("ascii", "replace")}
        if fits and not audits.take(frame[4], body[2:], last=bool(frame[2] & LAST)):
            report.add("warning", piece.at, "too-long", limit=_MOST_AUDIT)
        return told
    told["command"] = _COMMANDS.get(body[:2])
    if body[:2] in (READ, READ_ANSWER) and len(body) > 3:
        told["list"] = _LISTS.get(body[3])
    if body[:2] in (READ, FINISH):
        audits.end()  # where the length was said no block is marked as the last
    if body[:2] in _ANSWERS and len(body) > 2:
        told["granted"] = body[2] == OK
    return told


class _Audits:
    """Puts data blocks together; `whole` are the audits that ended."""

    def __init__(self) -> None:
        self.whole: list[bytes] = []
        self._body = bytearray()
        self._sent: int | None = None
        self._too_long = False

    def take(self, sent: int, part: bytes, *, last: bool) -> bool:
        """The next block, unless it is the one before once more. False when it would become too long."""
        if sent == self._sent:
            return True
        self._sent = sent
        if self._too_long or len(self._body) + len(part) > _MOST_AUDIT:
            self._too_long = True
            return False
        self._body += part
        if last:
            self.end()
        return True

    def end(self) -> None:
        """No further block follows."""
        if self._body and not self._too_long:
            self.whole.append(bytes(self._body))
        self._body.clear()
        self._too_long = False
