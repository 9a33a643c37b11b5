"""The bytes of a panel's reports, laid out a second time from the standard: nothing of the decoder's tables is used.

Source: GB/T 26875.3-2011, 8.2 and 8.3.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

FIRE: Final = 1 << 1
FAULT: Final = 1 << 2
DISABLED: Final = 1 << 3
NORMAL: Final = 1 << 0
MAINS_FAULT: Final = 1 << 8
RESET: Final = 1 << 13
_SYSTEM: Final = bytes([1, 1])  # a fire alarm system, the first
_SMOKE: Final = 42  # point smoke detector, optical
_TEXT: Final = 31


def clock(moment: datetime, *, decimal: bool = False) -> bytes:
    """Second, minute, hour, day, month, year: in binary, or in BCD as some makers send them."""
    numbers = (moment.second, moment.minute, moment.hour, moment.day, moment.month, moment.year % 100)
    return bytes(int(f"{number:02d}", 16) if decimal else number for number in numbers)


def address(loop: int, number: int) -> int:
    """The four bytes of a component as this maker forms them: number, loop, two zeros."""
    return loop << 8 | number


def component(loop: int, number: int, flags: int, text: str, moment: bytes) -> bytes:
    """Type 2: what a component says of itself."""
    place = text.encode("gb18030")[:_TEXT].ljust(_TEXT, b"\0")
    body = _SYSTEM + bytes([_SMOKE]) + address(loop, number).to_bytes(4, "little") + flags.to_bytes(2, "little")
    return bytes([2, 1]) + body + place + moment


def value(loop: int, number: int, kind: int, amount: int, moment: bytes) -> bytes:
    """Type 3: an analogue value; `amount` in the standard's steps (tenths of a degree for kind 3)."""
    body = _SYSTEM + bytes([_SMOKE]) + address(loop, number).to_bytes(4, "little")
    return bytes([3, 1]) + body + bytes([kind]) + amount.to_bytes(2, "little", signed=True) + moment


def system(flags: int, moment: bytes) -> bytes:
    """Type 1: the state of the whole system."""
    return bytes([1, 1]) + _SYSTEM + flags.to_bytes(2, "little") + moment


def operation(flags: int, operator: int, moment: bytes) -> bytes:
    """Type 4: what somebody did at the panel (bit 0: reset)."""
    return bytes([4, 1]) + _SYSTEM + bytes([flags, operator]) + moment


def device(flags: int, moment: bytes) -> bytes:
    """Type 21: the state of the transmission device itself."""
    return bytes([21, 1, flags]) + moment


def frame(
    sequence: int, source: int, data: bytes, moment: bytes, *, big_length: bool = False, command: int = 2
) -> bytes:
    """The bytes of a send, or of another command."""
    length = len(data).to_bytes(2, "big" if big_length else "little")
    head = (sequence & 0xFFFF).to_bytes(2, "little") + bytes([1, 1]) + moment
    body = head + source.to_bytes(6, "little") + bytes(6) + length + bytes([command]) + data
    return b"@@" + body + bytes([sum(body) & 0xFF]) + b"##"
