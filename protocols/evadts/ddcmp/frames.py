"""Frames of the DDCMP link: control messages of eight bytes, and data messages with a header of eight.

    control  05 type sub received parameter 01  crc
    data     81 length(14 bits, low first)|flags received sent 01  crc  body crc

`received` is the number of the last message that arrived, `sent` the message's own; both count modulo 256. CRC-16/ARC
from 0, low byte first. After EVA-DTS (DDCMP); held against a recorded session (tests/cases/evadts/SOURCES.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.errors import ProtocolError
from protocols.evadts.crc import crc16

START: Final = 0x06
STACK: Final = 0x07
ACK: Final = 0x01
NACK: Final = 0x02
LAST: Final = 0x80
QUICK: Final = 0x40
MAX_BODY: Final = 0x3FFF
_CONTROL, _DATA, _STATION = 0x05, 0x81, 0x01
_HEADER: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """START, STACK, ACK or NACK. `parameter` is the speed of a START or STACK (0 = unchanged)."""

    type: int
    received: int = 0
    parameter: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A data message whose header fitted; `fits` says whether its body did. `last`: no more follows."""

    received: int
    sent: int
    body: bytes
    last: bool
    fits: bool


Frame = Control | Data


def control(kind: int, *, received: int = 0, parameter: int = 0) -> bytes:
    """The frame of a control message."""
    return _sealed(bytes((_CONTROL, kind, QUICK, received, parameter, _STATION)))


def message(body: bytes, *, received: int, sent: int, last: bool = False) -> bytes:
    """The frame of a data message. Raises ProtocolError for a body that is empty or longer than 16,383 bytes."""
    if not 1 <= len(body) <= MAX_BODY:
        raise ProtocolError("protocols.evadts.dex-block", size=len(body))
    flags = LAST | QUICK if last else 0
    header = bytes((_DATA, len(body) & 0xFF, len(body) >> 8 | flags, received, sent, _STATION))
    return _sealed(header) + _sealed(body)


def _sealed(data: bytes) -> bytes:
    return data + crc16(data).to_bytes(2, "little")


def _fits(data: bytes | bytearray) -> bool:
    return crc16(bytes(data[:-2])) == int.from_bytes(data[-2:], "little")


class Decoder:
    """Bytes in, frames out. A byte that begins no header is dropped; what is kept is never longer than one frame."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    @property
    def inside(self) -> bool:
        """True in the middle of a frame."""
        return bool(self._bytes)

    def drop(self) -> None:
        """Forget the frame that was begun."""
        self._bytes.clear()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        self._bytes += data
        frames: list[Frame] = []
        while (size := self._whole()) is not None:
            frames.append(self._frame(bytes(self._bytes[:size])))
            del self._bytes[:size]
        return frames

    def _whole(self) -> int | None:
        """The size of the frame at the beginning, when all of it is here."""
        while self._bytes:
            if self._bytes[0] in (_CONTROL, _DATA):
                if len(self._bytes) < _HEADER:
                    return None
                if _fits(self._bytes[:_HEADER]):
                    size = _HEADER if self._bytes[0] == _CONTROL else _HEADER + self._length() + 2
                    return size if len(self._bytes) >= size else None
            del self._bytes[0]
        return None

    def _length(self) -> int:
        return self._bytes[1] | (self._bytes[2] & 0x3F) << 8

    def _frame(self, data: bytes) -> Frame:
        if data[0] == _CONTROL:
            return Control(type=data[1], received=data[3], parameter=data[4])
        body = data[_HEADER:]
        return Data(received=data[3], sent=data[4], body=body[:-2], last=bool(data[2] & LAST), fits=_fits(body))
