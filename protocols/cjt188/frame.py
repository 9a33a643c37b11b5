"""Frames of CJ/T 188: ``FE… 68 T A0…A6 C L DATA CS 16`` (CJ/T 188-2004 and -2018, clause 7).

One 68 only, and no offset of 33H. The address is BCD, low byte first: five bytes of number, two of the maker's code.
DATA begins with the identifier DI (two bytes) and the serial number SER. The standard sends DI low byte first
(901F as ``1F 90``); meters in the field also send it high byte first (``90 1F``): both are read, and the order is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from protocols.capture import take_frame
from protocols.errors import ProtocolError
from protocols.summed import END, START, address_bytes, bounded, check_sum, sealed

BROADCAST: Final = "AA" * 7

_HEAD: Final = 11
_ADDRESS: Final = 7

ByteOrder = Literal["little", "big"]

# The identifiers of the standard (annex A); what else begins with these bytes is told apart by the high byte.
_HIGH_BYTES: Final = frozenset({0x81, 0x90, 0xA0, 0xA1, 0xD1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame. `address` are its fourteen digits, maker's code first; `said` is the check sum as it came."""

    meter: int
    address: str
    control: int
    data: bytes = b""
    said: int | None = None

    @property
    def function(self) -> int:
        """What is asked or answered (bits 0–5 of the control code)."""
        return self.control & 0x3F

    @property
    def reply(self) -> bool:
        """True when a meter sent it (bit 7)."""
        return bool(self.control & 0x80)

    @property
    def refused(self) -> bool:
        """True for an abnormal reply (bit 6)."""
        return bool(self.control & 0x40)

    @property
    def order(self) -> ByteOrder:
        """In which order the two bytes of the identifier came."""
        known = len(self.data) >= 2 and self.data[0] in _HIGH_BYTES and self.data[1] not in _HIGH_BYTES
        return "big" if known else "little"

    @property
    def identifier(self) -> int | None:
        """The data identifier, 0x901F for the current reading; None when the frame is too short for one."""
        return int.from_bytes(self.data[:2], self.order) if len(self.data) >= 2 and not self.refused else None

    @property
    def computed(self) -> int:
        """The check sum that the frame should have: the sum of all bytes from 68."""
        return check_sum(_body(self))

    @property
    def fits(self) -> bool:
        """True when the check sum that came is right."""
        return self.said is None or self.said == self.computed


def encode(frame: Frame, *, preamble: int = 3) -> bytes:
    """The bytes of `frame` after `preamble` bytes FE.

    Raises ProtocolError for an address that is not fourteen hexadecimal digits, or more than 255 bytes of data.
    """
    return sealed(_body(frame), preamble)


def _body(frame: Frame) -> bytes:
    address, data = address_bytes(frame.address, _ADDRESS, "cjt188"), bounded(frame.data, "cjt188")
    return bytes([START, frame.meter & 0xFF, *address, frame.control & 0xFF, len(data), *data])


def measure(data: bytes, at: int) -> int:
    """How long the frame that begins at `at` is (it may end behind the data); 0 when none begins there."""
    if data[at] != START:
        return 0
    if len(data) < at + _HEAD:
        return _HEAD + 2
    size = _HEAD + data[at + 10] + 2
    if at + size <= len(data) and data[at + size - 1] != END:
        return 0
    return size


def parse(raw: bytes) -> Frame:
    """The frame that `raw` is, from 68 to 16; a wrong check sum is kept (`Frame.fits`).

    Raises ProtocolError when `raw` is not exactly one frame.
    """
    if not raw or measure(raw, 0) != len(raw):
        raise ProtocolError("protocols.cjt188.not-a-frame", size=len(raw), at=0)
    address = raw[2:9][::-1].hex().upper()
    return Frame(meter=raw[1], address=address, control=raw[9], data=raw[_HEAD:-2], said=raw[-2])


def take(buffer: bytes) -> tuple[int, Frame | None]:
    """As `protocols.capture.take_frame`: a wrong check sum is kept, ask `Frame.fits`."""
    return take_frame(buffer, measure, parse)


def read_request(
    meter: int, address: str, identifier: int = 0x901F, *, ser: int = 0, order: ByteOrder = "little"
) -> Frame:
    """Asks a meter of type `meter` for `identifier`. `order` is how this meter wants the identifier's bytes."""
    return Frame(meter=meter, address=address, control=0x01, data=identifier.to_bytes(2, order) + bytes([ser]))


def valve_request(meter: int, address: str, order_code: int, *, ser: int = 0, order: ByteOrder = "little") -> Frame:
    """Orders a meter's valve (A017): `order_code` is `VALVE_OPEN` or `VALVE_CLOSE`."""
    data = (0xA017).to_bytes(2, order) + bytes([ser, order_code])
    return Frame(meter=meter, address=address, control=0x04, data=data)


def read_reply(request: Frame, payload: bytes) -> Frame:
    """The answer to `request` with `payload`, the identifier and SER as they were asked."""
    return Frame(
        meter=request.meter, address=request.address, control=request.control | 0x80, data=request.data[:3] + payload
    )


def refusal(request: Frame, status: int) -> Frame:
    """The abnormal reply to `request`: SER and the two bytes of `status`."""
    data = request.data[2:3] + status.to_bytes(2, "little")
    return Frame(meter=request.meter, address=request.address, control=request.control | 0xC0, data=data)
