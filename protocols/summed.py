"""What the frames of DL/T 645 and CJ/T 188 share: ``FE… 68 … CS 16``, and an address that comes low byte first."""

from __future__ import annotations

from typing import Final

from protocols.errors import ProtocolError

START: Final = 0x68
END: Final = 0x16
PREAMBLE: Final = 0xFE
_MOST_DATA: Final = 255
_DIGITS: Final = frozenset("0123456789ABCDEFabcdef")


def sealed(body: bytes, preamble: int) -> bytes:
    """`body` (from the first 68) after `preamble` bytes FE, with its check sum and its end."""
    return bytes([PREAMBLE] * preamble) + body + bytes([check_sum(body), END])


def check_sum(body: bytes) -> int:
    """The sum of all its bytes, modulo 256."""
    return sum(body) & 0xFF


def address_bytes(address: str, size: int, kind: str) -> bytes:
    """The `size` bytes of an address, low byte first; `kind` names the protocol in errors. Raises ProtocolError."""
    if len(address) != 2 * size or not set(address) <= _DIGITS:
        raise ProtocolError(f"protocols.{kind}.address", address=address)
    return bytes.fromhex(address)[::-1]


def bounded(data: bytes, kind: str) -> bytes:
    """`data`, if a length of one byte can say how much it is. Raises ProtocolError."""
    if len(data) > _MOST_DATA:
        raise ProtocolError(f"protocols.{kind}.too-long", size=len(data), limit=_MOST_DATA)
    return data
