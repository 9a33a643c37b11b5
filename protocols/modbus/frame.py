"""RTU and TCP frames, without a line: bytes in, frames out.

MODBUS over Serial Line V1.02, section 2.5.1; MODBUS Messaging on TCP/IP V1.0b, section 3.1.3. `take_request` and
`take_reply` look at the start of a buffer and say how many bytes they used: 0 means that more is needed. A wrong check
sum is a ProtocolError; on a real bus whoever reads it throws the frame away and stays silent.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.errors import ProtocolError

READ_COILS: Final = 1
READ_DISCRETE: Final = 2
READ_HOLDING: Final = 3
READ_INPUT: Final = 4
WRITE_COIL: Final = 5
WRITE_ONE: Final = 6
WRITE_COILS: Final = 15
WRITE_MANY: Final = 16
ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
NO_PATH: Final = 10
NO_ANSWER: Final = 11

_ERROR_BIT: Final = 0x80
_CRC_BYTES: Final = 2
_SIX_BYTE_REQUESTS: Final = frozenset({1, 2, 3, 4, 5, 6})
_COUNTED_REPLIES: Final = frozenset({1, 2, 3, 4})
_ECHOED_REPLIES: Final = frozenset({5, 6, 15, 16})
_BIT_READS: Final = frozenset({READ_COILS, READ_DISCRETE})
_COIL_ON: Final = b"\xff\x00"
_LEAST_REPLY: Final = 3
_HEADER: Final = 6
_MOST_BODY: Final = 254


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
        """How many registers (or bits) a read asks for, or a write of several brings."""
        return int.from_bytes(self.data[2:4], "big")

    @property
    def written(self) -> tuple[int, ...]:
        """What a write brings: registers, or 0 and 1 for coils; empty for a read."""
        if self.function == WRITE_COIL:
            return (int(self.data[2:4] == _COIL_ON),)
        if self.function == WRITE_ONE:
            return (self.count,)
        if self.function == WRITE_COILS:
            return _bits(self.data[5:])[: self.count]
        return _words(self.data[5:]) if self.function == WRITE_MANY else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What `unit` answered: `words` of a register read, or the `exception` code of a refusal (V1.1b3, section 7).

    A read of bits gives 0 and 1, filled up to whole bytes.
    """

    unit: int
    function: int
    words: tuple[int, ...] = ()
    exception: int | None = None


def build_read_request(unit: int, function: int, address: int, count: int) -> bytes:
    """The frame that asks `unit` for `count` registers or bits from `address` (functions 1 to 4)."""
    return seal(struct.pack(">BBHH", unit, function, address, count))


def build_read_reply(unit: int, function: int, words: Sequence[int]) -> bytes:
    """The frame that answers a read with `words` (16 bits each; 0 and 1 for functions 1 and 2)."""
    if function in _BIT_READS:
        data = bytes(
            sum(bit << place for place, bit in enumerate(words[at : at + 8])) for at in range(0, len(words), 8)
        )
    else:
        data = struct.pack(f">{len(words)}H", *words)
    return seal(bytes((unit, function, len(data))) + data)


def build_write_reply(request: Request) -> bytes:
    """The frame by which a unit acknowledges a write: its beginning once more."""
    return seal(bytes((request.unit, request.function)) + request.data[:4])


def build_exception(unit: int, function: int, code: int) -> bytes:
    """The frame of a refusal."""
    return seal(bytes((unit, function | _ERROR_BIT, code)))


def to_tcp(frame: bytes, transaction: int) -> bytes:
    """The RTU `frame` as it goes over TCP: without its check sum, behind a header with the number of the question."""
    body = frame[:-_CRC_BYTES]
    return struct.pack(">HHH", transaction, 0, len(body)) + body


def take_tcp_request(buffer: bytes) -> tuple[int, int, Request | None]:
    """As `take_request` for a TCP stream, with the number of the question between the two. Raises ProtocolError."""
    used, transaction, body = _take_tcp(buffer)
    if body and _request_length(body) != len(body):
        raise ProtocolError("protocols.modbus.length", said=len(body), at=4)
    return used, transaction, Request(unit=body[0], function=body[1], data=body[2:]) if body else None


def take_tcp_reply(buffer: bytes) -> tuple[int, int, Reply | None]:
    """As `take_reply` for a TCP stream, with the number of the question between the two. Raises ProtocolError."""
    used, transaction, body = _take_tcp(buffer)
    if body and (len(body) < _LEAST_REPLY or _reply_length(body) != len(body)):
        raise ProtocolError("protocols.modbus.length", said=len(body), at=4)
    return used, transaction, _reply(body) if body else None


def _take_tcp(buffer: bytes) -> tuple[int, int, bytes]:
    """How long the frame is, its number, and its unit, function and data; nothing while it is not complete."""
    if len(buffer) < _HEADER:
        return 0, 0, b""
    transaction, protocol, size = struct.unpack_from(">HHH", buffer)
    if protocol or not 2 <= size <= _MOST_BODY:
        raise ProtocolError("protocols.modbus.header", protocol=protocol, size=size, at=2)
    used = _HEADER + size
    return (used, transaction, buffer[_HEADER:used]) if len(buffer) >= used else (0, transaction, b"")


def take_request(buffer: bytes) -> tuple[int, Request | None]:
    """The request at the start of `buffer` and its length; ``(0, None)`` while it is not complete.

    Raises ProtocolError for a wrong check sum or a function whose length is not known.
    """
    length = _request_length(buffer)
    used = length + _CRC_BYTES
    if not length or len(buffer) < used:
        return 0, None
    _check(buffer[:used])
    return used, Request(unit=buffer[0], function=buffer[1], data=buffer[2:length])


def _request_length(buffer: bytes) -> int:
    """How long the request is without its check sum; 0 while that cannot be known."""
    if len(buffer) < 2:
        return 0
    function = buffer[1]
    if function in _SIX_BYTE_REQUESTS:
        return 6
    if function in (WRITE_COILS, WRITE_MANY):
        return 7 + buffer[6] if len(buffer) > 6 else 0
    raise ProtocolError("protocols.modbus.function", function=function, at=1)


def take_reply(buffer: bytes) -> tuple[int, Reply | None]:
    """The reply at the start of `buffer` and its length; ``(0, None)`` while it is not complete.

    Raises ProtocolError for a wrong check sum or a function whose length is not known.
    """
    if len(buffer) < _LEAST_REPLY:
        return 0, None
    used = _reply_length(buffer) + _CRC_BYTES
    if len(buffer) < used:
        return 0, None
    _check(buffer[:used])
    return used, _reply(buffer)


def _reply(buffer: bytes) -> Reply:
    unit, function = buffer[0], buffer[1]
    if function & _ERROR_BIT:
        return Reply(unit=unit, function=function & ~_ERROR_BIT, exception=buffer[2])
    data = buffer[3 : 3 + buffer[2]]
    if function in _BIT_READS:
        return Reply(unit=unit, function=function, words=_bits(data))
    return Reply(unit=unit, function=function, words=_words(data) if function in _COUNTED_REPLIES else ())


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2])


def _bits(data: bytes) -> tuple[int, ...]:
    return tuple(byte >> place & 1 for byte in data for place in range(8))


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
