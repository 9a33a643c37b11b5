"""From a profile to the fewest reads, and from the words of a read to values."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.errors import ProtocolError
from protocols.events import Quality
from protocols.modbus.frame import READ_HOLDING, READ_INPUT
from protocols.modbus.profile import Format, Profile, Register, Table

_STRUCT: Final[dict[Format, str]] = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}
_FUNCTION: Final[dict[Table, int]] = {"holding": READ_HOLDING, "input": READ_INPUT}
_DECIMALS: Final = 9  # what scaling by 0.1 adds beyond this is an artefact of binary fractions


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One read: `count` registers of `table` from `address`, and the profile's rows inside it."""

    table: Table
    address: int
    count: int
    registers: tuple[Register, ...]

    @property
    def function(self) -> int:
        """3 for holding registers, 4 for input registers."""
        return _FUNCTION[self.table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """`metric` in the catalogue's unit; None with quality bad when the device says that it has no value."""

    metric: str
    value: float | None
    quality: Quality = "good"


def plan_reads(profile: Profile) -> tuple[Block, ...]:
    """The fewest reads for all of `profile` within its `max_registers` and `max_gap`.

    Taking registers in order of address and cutting only where a limit forces it is optimal for intervals on a line.
    """
    blocks: list[list[Register]] = []
    for row in sorted(profile.registers, key=lambda r: (r.table, r.address)):
        if blocks and _joins(blocks[-1], row, profile):
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return tuple(_block(rows) for rows in blocks)


def _joins(rows: Sequence[Register], row: Register, profile: Profile) -> bool:
    first, end = rows[0], max(r.end for r in rows)
    return (
        first.table == row.table
        and row.address - end <= profile.max_gap
        and max(end, row.end) - first.address <= profile.max_registers
    )


def _block(rows: Sequence[Register]) -> Block:
    start = rows[0].address
    return Block(table=rows[0].table, address=start, count=max(r.end for r in rows) - start, registers=tuple(rows))


def decode_block(profile: Profile, block: Block, words: Sequence[int]) -> tuple[Sample, ...]:
    """The samples of `block` from its `words`. Raises ProtocolError when there are not as many as were asked for."""
    if len(words) != block.count:
        raise ProtocolError("protocols.modbus.count", asked=block.count, got=len(words))
    start = block.address
    return tuple(_sample(profile, row, words[row.address - start : row.end - start]) for row in block.registers)


def _sample(profile: Profile, row: Register, words: Sequence[int]) -> Sample:
    ordered = words if (row.word_order or profile.word_order) == "big" else tuple(reversed(words))
    (raw,) = struct.unpack(_STRUCT[row.format], struct.pack(f">{len(ordered)}H", *ordered))
    if raw in row.invalid or not math.isfinite(raw):
        return Sample(metric=row.metric, value=None, quality="bad")
    value = float(raw) if row.scale == 1.0 and row.offset == 0.0 else round(raw * row.scale + row.offset, _DECIMALS)
    within = (row.low is None or value >= row.low) and (row.high is None or value <= row.high)
    return Sample(metric=row.metric, value=value, quality="good" if within else "bad")
