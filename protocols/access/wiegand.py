"""Cards as readers send them: a string of bits, usually in one of the Wiegand formats.

A card's identity is its bits. A format only says how people read them: facility and number. What fits no format, or
fails its parity, is kept as bits, so that a card nobody has described can still be let in.

Bits are counted from 0 at the first that the reader sends; bytes are left-aligned (that bit is bit 7 of byte 0), as in
an OSDP RAW reply (IEC 60839-11-5, osdp_RAW).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.errors import ProtocolError

MAX_BITS: Final = 512  # 64 bytes: what one OSDP reply of the usual 128 bytes can carry


@dataclass(frozen=True, slots=True, kw_only=True)
class WiegandFormat:
    """One row, spans as (first, end). `even` and `odd`: what the first and the last bit cover, themselves included."""

    code: str
    bits: int
    facility: tuple[int, int]
    number: tuple[int, int]
    even: tuple[int, int]
    odd: tuple[int, int]


# H10301 (26 bits) is published; the covers of 34 and 37 bits are the common ones, other sites use others.
FORMATS: Final[tuple[WiegandFormat, ...]] = (
    WiegandFormat(code="H10301", bits=26, facility=(1, 9), number=(9, 25), even=(0, 13), odd=(13, 26)),
    WiegandFormat(code="H10306", bits=34, facility=(1, 17), number=(17, 33), even=(0, 17), odd=(17, 34)),
    WiegandFormat(code="H10304", bits=37, facility=(1, 17), number=(17, 36), even=(0, 19), odd=(18, 37)),
)
RAW: Final = "RAW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card: `length` bits, left-aligned in `data`. `format` is RAW when no format fits; then the numbers are None.

    Two cards are the same when `identity` is.
    """

    length: int
    data: bytes
    format: str = RAW
    facility: int | None = None
    number: int | None = None

    @property
    def identity(self) -> tuple[int, bytes]:
        """What decides: the bits."""
        return (self.length, self.data)

    @property
    def text(self) -> str:
        """``H10301:42:12345``, or ``RAW:40:DEADBEEF00`` (bits, left-aligned bytes). `parse_card` reads it back."""
        if self.facility is None or self.number is None:
            return f"{RAW}:{self.length}:{self.data.hex().upper()}"
        return f"{self.format}:{self.facility}:{self.number}"


def decode(length: int, data: bytes) -> Card:
    """The card that a reader showed as `length` bits, left-aligned in `data`; bits beyond `length` are ignored.

    Raises ProtocolError when `data` holds fewer bits than `length`, or `length` is not 1 to MAX_BITS.
    """
    if not 1 <= length <= MAX_BITS or len(data) * 8 < length:
        raise ProtocolError("protocols.access.bits", length=length, bytes=len(data), limit=MAX_BITS)
    value = int.from_bytes(data, "big") >> (len(data) * 8 - length)
    aligned = _left_aligned(value, length)
    for row in FORMATS:
        if row.bits == length and _parity_fits(row, value):
            return Card(
                length=length,
                data=aligned,
                format=row.code,
                facility=_field(value, length, row.facility),
                number=_field(value, length, row.number),
            )
    return Card(length=length, data=aligned)


def encode(code: str, facility: int, number: int) -> Card:
    """The card of format `code` (of FORMATS) with these numbers.

    Raises ProtocolError for an unknown format or a number that its field cannot hold.
    """
    row = next((row for row in FORMATS if row.code == code), None)
    if row is None:
        raise ProtocolError("protocols.access.format", format=code, allowed=", ".join(row.code for row in FORMATS))
    value = 0
    for name, number_of, (first, end) in (("facility", facility, row.facility), ("number", number, row.number)):
        highest = (1 << (end - first)) - 1
        if not 0 <= number_of <= highest:
            raise ProtocolError("protocols.access.range", field=name, value=number_of, format=code, highest=highest)
        value |= number_of << (row.bits - end)
    value |= (_field(value, row.bits, row.even).bit_count() & 1) << (row.bits - 1)
    value |= ~_field(value, row.bits, row.odd).bit_count() & 1
    return Card(length=row.bits, data=_left_aligned(value, row.bits), format=code, facility=facility, number=number)


def parse_card(text: str) -> Card:
    """The card that `Card.text` wrote, also as people type it (``H10301:42:12345``).

    Raises ProtocolError for anything else.
    """
    parts = text.strip().split(":")
    try:
        kind, first, second = parts
        if kind.upper() == RAW:
            length, data = int(first), bytes.fromhex(second)
            if len(data) != (length + 7) // 8:
                raise ValueError(second)
            return decode(length, data)
        return encode(kind.upper(), int(first), int(second))
    except ValueError as error:
        raise ProtocolError("protocols.access.card-text", text=text[:80]) from error


def _field(value: int, length: int, span: tuple[int, int]) -> int:
    first, end = span
    return (value >> (length - end)) & ((1 << (end - first)) - 1)


def _left_aligned(value: int, length: int) -> bytes:
    size = (length + 7) // 8
    return (value << (size * 8 - length)).to_bytes(size, "big")


def _parity_fits(row: WiegandFormat, value: int) -> bool:
    even = _field(value, row.bits, row.even).bit_count() % 2 == 0
    odd = _field(value, row.bits, row.odd).bit_count() % 2 == 1
    return even and odd
