"""RTU frames, without a line: bytes in, frames out (MODBUS over Serial Line V1.02, section 2.5.1).

`take_request` and `take_reply` look at the start of a buffer and say how many bytes they used: 0 means that more
is needed. A wrong check sum is a ProtocolError; on a real bus whoever reads it throws the frame away and stays silent.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.errors import ProtocolError

READ_HOLDING: Final = 3
READ_INPUT: Final = 4
WRITE_ONE: Final = 6
WRITE_MANY: Final = 16
ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2

_ERROR_BIT: Final = 0x80
_CRC_BYTES: Final = 2
_SIX_BYTE_REQUESTS: Final = frozenset({1, 2, 3, 4, 5, 6})
_COUNTED_REPLIES: Final = frozenset({1, 2, 3, 4})
_ECHOED_REPLIES: Final = frozenset({5, 6, 15, 16})


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC_TABLE: Final = _crc_table()


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS: reflected polynomial A001, start FFFF. It is sent low byte first (V1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def seal(body: bytes) -> bytes:
    """`body` (unit, function, data) with its check sum."""
    return body + crc16(body).to_bytes(_CRC_BYTES, "little")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a master asks of `unit`: `count` registers from `address` for reads; `data` is what follows the function."""

    unit: int
    function: int
    data: bytes

    @property
    def address(self) -> int:
        """The first register (0-based, as on the wire)."""
        return int.from_bytes(self.data[:2], "big")

    @property
    def count(self) -> int:
        """How many registers a read asks for."""
        return int.from_bytes(self.data[2:4], "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What `unit` answered: `words` of a register read, or the `exception` code of a refusal (V1.1b3, section 7)."""

    unit: int
    function: int
    words: tuple[int, ...] = ()
    exception: int | None = None


def build_read_request(unit: int, function: int, address: int, count: int) -> bytes:
    """The frame that asks `unit` for `count` registers from `address` (functions 3 and 4)."""
    return seal(struct.pack(">BBHH", unit, function, address, count))


def build_read_reply(unit: int, function: int, words: Sequence[int]) -> bytes:
    """The frame that answers a register read with `words` (16 bits each)."""
    return seal(struct.pack(f">BBB{len(words)}H", unit, function, 2 * len(words), *words))


def build_exception(unit: int, function: int, code: int) -> bytes:
    """The frame of a refusal."""
    return seal(bytes((unit, function | _ERROR_BIT, code)))


def take_request(buffer: bytes) -> tuple[int, Request | None]:
    """The request at the start of `buffer` and its length; ``(0, None)`` while it is not complete.

    Raises ProtocolError for a wrong check sum or a function whose length is not known.
    """
    if len(buffer) < 2:
        return 0, None
    function = buffer[1]
    if function in _SIX_BYTE_REQUESTS:
        length = 6
    elif function in (15, WRITE_MANY):
        if len(buffer) < 7:
            return 0, None
        length = 7 + buffer[6]
    else:
        raise ProtocolError("protocols.modbus.function", function=function, at=1)
    used = length + _CRC_BYTES
    if len(buffer) < used:
        return 0, None
    _check(buffer[:used])
    return used, Request(unit=buffer[0], function=function, data=buffer[2:length])


def take_reply(buffer: bytes) -> tuple[int, Reply | None]:
    """The reply at the start of `buffer` and its length; ``(0, None)`` while it is not complete.

    Raises ProtocolError for a wrong check sum or a function whose length is not known.
    """
    if len(buffer) < 3:
        return 0, None
    unit, function = buffer[0], buffer[1]
    used = _reply_length(buffer) + _CRC_BYTES
    if len(buffer) < used:
        return 0, None
    _check(buffer[:used])
    if function & _ERROR_BIT:
        return used, Reply(unit=unit, function=function & ~_ERROR_BIT, exception=buffer[2])
    if function in (READ_HOLDING, READ_INPUT):
        data = buffer[3 : 3 + buffer[2] // 2 * 2]
        return used, Reply(unit=unit, function=function, words=struct.unpack(f">{len(data) // 2}H", data))
    return used, Reply(unit=unit, function=function)


def _reply_length(buffer: bytes) -> int:
    function = buffer[1]
    if function & _ERROR_BIT:
        return 3
    if function in _COUNTED_REPLIES:
        return 3 + buffer[2]
    if function in _ECHOED_REPLIES:
        return 6
    raise ProtocolError("protocols.modbus.function", function=function, at=1)


def _check(frame: bytes) -> None:
    said = int.from_bytes(frame[-_CRC_BYTES:], "little")
    computed = crc16(frame[:-_CRC_BYTES])
    if said != computed:
        raise ProtocolError("protocols.modbus.crc", said=f"{said:04X}", computed=f"{computed:04X}", at=len(frame) - 2)
