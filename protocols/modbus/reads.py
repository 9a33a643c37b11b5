"""From a profile to the fewest reads, and from the words of a read to values."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.errors import ProtocolError
from protocols.events import Quality
from protocols.modbus.frame import READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT
from protocols.modbus.profile import BITS, ByteOrder, Format, Profile, Register, Table

_STRUCT: Final[dict[Format, str]] = {
    "bit": ">H",
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}
FUNCTIONS: Final[dict[Table, int]] = {
    "coil": READ_COILS,
    "discrete": READ_DISCRETE,
    "holding": READ_HOLDING,
    "input": READ_INPUT,
}
"""The function that reads each table."""
_MOST_BITS: Final = 2000
_DECIMALS: Final = 9  # what scaling by 0.1 adds beyond this is an artefact of binary fractions


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One read: `count` registers (or bits) of `table` from `address`, and the profile's rows inside it."""

    table: Table
    address: int
    count: int
    registers: tuple[Register, ...]

    @property
    def function(self) -> int:
        """The function that reads it."""
        return FUNCTIONS[self.table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """`metric` in the catalogue's unit; None with quality bad when the device says that it has no value."""

    metric: str
    value: float | bool | None
    quality: Quality = "good"


def plan_reads(profile: Profile) -> tuple[Block, ...]:
    """The fewest reads for all of `profile` within its `max_registers` and `max_gap`.

    Taking registers in order of address and cutting only where a limit forces it is optimal for intervals on a line.
    """
    blocks: list[list[Register]] = []
    for row in sorted(profile.registers, key=lambda r: (r.table, r.begin)):
        if blocks and _joins(blocks[-1], row, profile):
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return tuple(_block(rows) for rows in blocks)


def _joins(rows: Sequence[Register], row: Register, profile: Profile) -> bool:
    first, end = rows[0], max(r.end for r in rows)
    most = _MOST_BITS if row.table in BITS else profile.max_registers
    return first.table == row.table and row.begin - end <= profile.max_gap and max(end, row.end) - first.begin <= most


def _block(rows: Sequence[Register]) -> Block:
    start = rows[0].begin
    return Block(table=rows[0].table, address=start, count=max(r.end for r in rows) - start, registers=tuple(rows))


def decode_block(profile: Profile, block: Block, words: Sequence[int]) -> tuple[Sample, ...]:
    """The samples of `block` from its `words` (0 and 1 for bits).

    Raises ProtocolError when there are not as many as were asked for.
    """
    if len(words) != block.count:
        raise ProtocolError("protocols.modbus.count", asked=block.count, got=len(words))
    return tuple(_sample(profile, row, block.address, words) for row in block.registers)


def ordered(data: bytes, order: ByteOrder) -> bytes:
    """The bytes of a value from the wire, highest first; and back again: each order undoes itself."""
    words = [data[at : at + 2] for at in range(0, len(data), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def decode_raw(words: Sequence[int], kind: Format, order: ByteOrder) -> int | float:
    """The number in `words`, neither scaled nor judged. A bit has no order."""
    if kind == "bit":
        return words[0]
    raw: int | float = struct.unpack(_STRUCT[kind], ordered(struct.pack(f">{len(words)}H", *words), order))[0]
    return raw


def encode_raw(raw: float, kind: Format, order: ByteOrder) -> tuple[int, ...]:
    """The words that carry `raw`. Raises struct.error or OverflowError when the format cannot hold it."""
    data = ordered(struct.pack(_STRUCT[kind], raw), order)
    return struct.unpack(f">{len(data) // 2}H", data)


def _sample(profile: Profile, row: Register, start: int, words: Sequence[int]) -> Sample:
    at = row.address - start
    raw = decode_raw(words[at : at + row.words], row.format, row.order or profile.order)
    if raw in row.invalid or not math.isfinite(raw):
        return Sample(metric=row.metric, value=None, quality="bad")
    if row.boolean:
        return Sample(metric=row.metric, value=bool(int(raw) >> (row.bit or 0) & 1))
    factor = _factor(row, start, words)
    if factor is None:
        return Sample(metric=row.metric, value=None, quality="bad")
    value = float(raw) if factor == 1.0 and row.offset == 0.0 else round(raw * factor + row.offset, _DECIMALS)
    within = (row.low is None or value >= row.low) and (row.high is None or value <= row.high)
    return Sample(metric=row.metric, value=value, quality="good" if within else "bad")


def _factor(row: Register, start: int, words: Sequence[int]) -> float | None:
    """What the raw value is multiplied by; None when the device says a unit or a point that is not known."""
    factor = row.scale
    if row.decimals_at is not None:
        decimals = words[row.decimals_at - start]
        if decimals > _DECIMALS:
            return None
        factor /= 10**decimals
    if row.units_at is not None:
        unit = row.units.get(words[row.units_at - start])
        if unit is None:
            return None
        factor *= unit
    return factor
