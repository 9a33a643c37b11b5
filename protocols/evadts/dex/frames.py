"""Frames of the DEX/UCS link: how they are made, and a decoder that takes bytes as they come.

Control characters stand alone or after DLE. A block is DLE SOH or DLE STX, the body, DLE ETB (more follows) or DLE ETX
(the last), and the CRC low byte first, over the body and the ETB or ETX without any DLE and SYN (EVA-DTS 6.1, DEX/UCS).
The body is plain text, so DLE and SYN never stand in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from protocols.errors import ProtocolError
from protocols.evadts.crc import crc16

_DLE, _SYN = 0x10, 0x16
_SOH, _STX, _ETX, _ETB = 0x01, 0x02, 0x03, 0x17

ENQ: Final = b"\x05"
EOT: Final = b"\x04"
NAK: Final = b"\x15"
WACK: Final = b"\x10\x3b"
ACKS: Final = (b"\x10\x30", b"\x10\x31")

MAX_BODY: Final = 243  # a block is 245 bytes at most, from behind DLE STX to its DLE ETB or DLE ETX (EVA-DTS 6.2, 4.4)
_MAX_TOLERATED: Final = 1024  # some machines send longer blocks than they may

Head = Literal["SOH", "STX"]
_HEADS: Final[dict[int, Head]] = {_SOH: "SOH", _STX: "STX"}


class Control(Enum):
    """A control character, or a pair that begins with DLE."""

    ENQ = "ENQ"
    EOT = "EOT"
    NAK = "NAK"
    WACK = "WACK"
    ACK0 = "ACK0"
    ACK1 = "ACK1"


ACK_TOKENS: Final = (Control.ACK0, Control.ACK1)
_ALONE: Final = {0x05: Control.ENQ, 0x04: Control.EOT, 0x15: Control.NAK}
_AFTER_DLE: Final = {0x30: Control.ACK0, 0x31: Control.ACK1, 0x3B: Control.WACK}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block as it came; `fits` says whether its CRC is right, `last` whether it ended in ETX."""

    head: Head
    body: bytes
    last: bool
    fits: bool


Token = Control | Block


def block(head: Head, body: bytes, *, last: bool = True) -> bytes:
    """The frame of `body` (1–243 bytes without DLE and SYN). Raises ProtocolError for any other."""
    if not 1 <= len(body) <= MAX_BODY or _DLE in body or _SYN in body:
        raise ProtocolError("protocols.evadts.dex-block", size=len(body))
    begin = _SOH if head == "SOH" else _STX
    end = _ETX if last else _ETB
    crc = crc16(bytes([*body, end]))
    return bytes([_DLE, begin, *body, _DLE, end]) + crc.to_bytes(2, "little")


def data_blocks(data: bytes) -> list[bytes]:
    """The frames that carry `data`, cut into blocks of at most 243 bytes, the last one marked."""
    parts = [data[at : at + MAX_BODY] for at in range(0, len(data), MAX_BODY)]
    return [block("STX", part, last=place == len(parts)) for place, part in enumerate(parts, start=1)]


class Decoder:
    """Bytes in, tokens out. What belongs to no frame is counted in `noise` and dropped."""

    def __init__(self) -> None:
        self.noise = 0
        self._state = self._idle
        self._head: Head = "SOH"
        self._body = bytearray()
        self._last = False
        self._crc_low = 0

    @property
    def inside(self) -> bool:
        """True in the middle of a frame, where timer B runs."""
        return self._state != self._idle

    def feed(self, data: bytes) -> list[Token]:
        """The tokens that `data` completes."""
        tokens = (self._state(byte) for byte in data)
        return [token for token in tokens if token is not None]

    def drop(self) -> None:
        """Forget the frame that was begun (timer B ran out)."""
        self.noise += len(self._body)
        self._state = self._idle

    def _idle(self, byte: int) -> Token | None:
        if byte == _DLE:
            self._state = self._after_dle
        elif byte in _ALONE:
            return _ALONE[byte]
        elif byte != _SYN:
            self.noise += 1
        return None

    def _after_dle(self, byte: int) -> Token | None:
        if byte in _HEADS:
            self._head = _HEADS[byte]
            self._body.clear()
            self._state = self._in_body
            return None
        self._state = self._idle
        if byte in _AFTER_DLE:
            return _AFTER_DLE[byte]
        if byte == _SYN:  # the other side thinks
            return None
        self.noise += 1
        return self._idle(byte)

    def _in_body(self, byte: int) -> Token | None:
        if byte == _DLE:
            self._state = self._in_body_after_dle
        elif byte != _SYN:
            self._body.append(byte)
        if len(self._body) > _MAX_TOLERATED:
            self._state = self._idle
            return self._block(fits=False)
        return None

    def _in_body_after_dle(self, byte: int) -> Token | None:
        if byte in (_ETX, _ETB):
            self._last = byte == _ETX
            self._state = self._crc_first
        elif byte in _HEADS:  # the end of the block before was lost
            return self._after_dle(byte)
        else:
            self._state = self._in_body
            return None if byte == _SYN else self._in_body(byte)
        return None

    def _crc_first(self, byte: int) -> Token | None:
        self._crc_low = byte
        self._state = self._crc_second
        return None

    def _crc_second(self, byte: int) -> Token | None:
        self._state = self._idle
        end = _ETX if self._last else _ETB
        return self._block(fits=crc16(bytes([*self._body, end])) == (self._crc_low | byte << 8))

    def _block(self, *, fits: bool) -> Block:
        return Block(head=self._head, body=bytes(self._body), last=self._last, fits=fits)
