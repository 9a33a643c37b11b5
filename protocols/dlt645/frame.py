"""Frames of DL/T 645: ``FE… 68 A0…A5 68 C L DATA CS 16`` (DL/T 645-1997 and -2007, clause 5).

The address is BCD, low byte first. Each byte of DATA is sent plus 33H. CS is the sum of all bytes from the first 68.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from protocols.capture import take_frame
from protocols.errors import ProtocolError
from protocols.summed import END, START, address_bytes, bounded, check_sum, sealed

OFFSET: Final = 0x33
BROADCAST_READ: Final = "AAAAAAAAAAAA"  # any meter answers (only one may be on the line)
BROADCAST_TIME: Final = "999999999999"  # all meters listen, none answers

_HEAD: Final = 10
_ADDRESS: Final = 6

Edition = Literal["1997", "2007"]

# Function codes of the two editions (1997: clause 7; 2007: clause 7). 03 and 08 are in both.
_ONLY_1997: Final = frozenset({0x01, 0x02, 0x04, 0x0A, 0x0C, 0x0F, 0x10})
_ONLY_2007: Final = frozenset(range(0x11, 0x1E))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame. `address` are its twelve digits as printed on the meter; `data` is without the offset of 33H.

    `said` is the check sum as it came (None in a frame that was not read from a line).
    """

    address: str
    control: int
    data: bytes = b""
    said: int | None = None

    @property
    def function(self) -> int:
        """What is asked or answered (bits 0–4 of the control code)."""
        return self.control & 0x1F

    @property
    def reply(self) -> bool:
        """True when a meter sent it (bit 7)."""
        return bool(self.control & 0x80)

    @property
    def refused(self) -> bool:
        """True for an error reply (bit 6)."""
        return bool(self.control & 0x40)

    @property
    def more(self) -> bool:
        """True when follow-up data wait in the meter (bit 5)."""
        return bool(self.control & 0x20)

    @property
    def edition(self) -> Edition | None:
        """The edition that knows this function; None when both do, or neither."""
        if self.function in _ONLY_1997:
            return "1997"
        return "2007" if self.function in _ONLY_2007 else None

    @property
    def computed(self) -> int:
        """The check sum that the frame should have."""
        return check_sum(_body(self))

    @property
    def fits(self) -> bool:
        """True when the check sum that came is right."""
        return self.said is None or self.said == self.computed


def encode(frame: Frame, *, preamble: int = 4) -> bytes:
    """The bytes of `frame` after `preamble` bytes FE.

    Raises ProtocolError for an address that is not twelve hexadecimal digits, or more than 255 bytes of data.
    """
    return sealed(_body(frame), preamble)


def _body(frame: Frame) -> bytes:
    address, data = address_bytes(frame.address, _ADDRESS, "dlt645"), bounded(frame.data, "dlt645")
    shifted = bytes((byte + OFFSET) & 0xFF for byte in data)
    return bytes([START, *address, START, frame.control & 0xFF, len(shifted), *shifted])


def measure(data: bytes, at: int) -> int:
    """How long the frame that begins at `at` is (it may end behind the data); 0 when none begins there."""
    if data[at] != START:
        return 0
    if len(data) < at + _HEAD:
        return _HEAD + 2 if len(data) <= at + 7 or data[at + 7] == START else 0
    if data[at + 7] != START:
        return 0
    size = _HEAD + data[at + 9] + 2
    if at + size <= len(data) and data[at + size - 1] != END:
        return 0
    return size


def parse(raw: bytes) -> Frame:
    """The frame that `raw` is, from 68 to 16; a wrong check sum is kept (`Frame.fits`).

    Raises ProtocolError when `raw` is not exactly one frame.
    """
    if not raw or measure(raw, 0) != len(raw):
        raise ProtocolError("protocols.dlt645.not-a-frame", size=len(raw), at=0)
    data = bytes((byte - OFFSET) & 0xFF for byte in raw[_HEAD:-2])
    return Frame(address=raw[1:7][::-1].hex().upper(), control=raw[8], data=data, said=raw[-2])


def take(buffer: bytes) -> tuple[int, Frame | None]:
    """As `protocols.capture.take_frame`: a wrong check sum is kept, ask `Frame.fits`."""
    return take_frame(buffer, measure, parse)
