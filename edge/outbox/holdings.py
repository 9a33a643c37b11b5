"""What the outbox file holds, kept in RAM as sets of numbers beside it: the file needs no index for any of this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from protocols.delivery import Lane, NumberSet
from protocols.delivery.numbers import MAX_NUMBER

LANES: Final = (Lane.URGENT, Lane.BULK)
"""The lanes by their number in the file, which is also the order of sending."""
ROW_BYTES: Final = 64
"""What a block takes in the file besides its body, on the average: its row and what is left free of its pages."""
ALL: Final = NumberSet([(1, MAX_NUMBER)])
_NUMBER_BITS: Final = 38
_LANE_BIT: Final = 62
_NUMBER: Final = (1 << _NUMBER_BITS) - 1


def key(epoch: int, lane: Lane, number: int) -> int:
    """The key of the block of `epoch` (its row) and `lane` that begins with `number`: the order of sending."""
    return LANES.index(lane) << _LANE_BIT | epoch << _NUMBER_BITS | min(number, _NUMBER)


def place(block: int) -> tuple[int, Lane, int]:
    """Epoch's row, lane and first number of a block's key."""
    return (block >> _NUMBER_BITS) & ((1 << _LANE_BIT - _NUMBER_BITS) - 1), LANES[block >> _LANE_BIT], block & _NUMBER


@dataclass(slots=True)
class Totals:
    """Messages and bytes in the file, by lane: waiting for the cloud, and confirmed. A block counts as one whole."""

    waiting: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(LANES, 0))
    waiting_bytes: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(LANES, 0))
    kept: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(LANES, 0))
    kept_bytes: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(LANES, 0))
    blocks: int = 0
    lost: int = 0
    """Messages deleted before the cloud had them, since the opening."""
    thinned: int = 0
    """Readings left out by thinning, since the opening."""

    @property
    def size(self) -> int:
        """Bytes of everything."""
        return sum(self.waiting_bytes.values()) + sum(self.kept_bytes.values())

    def add(self, lane: Lane, messages: int, size: int, *, acknowledged: bool = False) -> None:
        """A block more, of `messages` messages and `size` bytes."""
        self._count(lane, messages, size + ROW_BYTES, acknowledged=acknowledged)
        self.blocks += 1

    def remove(self, lane: Lane, messages: int, size: int, *, acknowledged: bool = False) -> None:
        """A block less."""
        self._count(lane, -messages, -size - ROW_BYTES, acknowledged=acknowledged)
        self.blocks -= 1

    def confirm(self, lane: Lane, messages: int, size: int, *, sign: int = 1) -> None:
        """A block was confirmed (with `sign` -1: waits again)."""
        self._count(lane, -sign * messages, -sign * (size + ROW_BYTES), acknowledged=False)
        self._count(lane, sign * messages, sign * (size + ROW_BYTES), acknowledged=True)

    def _count(self, lane: Lane, messages: int, size: int, *, acknowledged: bool) -> None:
        counts, sizes = (self.kept, self.kept_bytes) if acknowledged else (self.waiting, self.waiting_bytes)
        counts[lane] += messages
        sizes[lane] += size


@dataclass(slots=True)
class Numbers:
    """The numbers of one epoch and lane.

    `held`: those of all blocks; `waiting`: those of blocks that are not acknowledged; `has`: what the cloud has of
    them, as far as this opening heard; `dropped`: those of single messages that could not be read; `declared`: a birth
    of this opening named all that were given. Sets are replaced, never changed, so another thread may read them.
    """

    held: NumberSet = field(default_factory=NumberSet)
    waiting: NumberSet = field(default_factory=NumberSet)
    has: NumberSet = field(default_factory=NumberSet)
    dropped: NumberSet = field(default_factory=NumberSet)
    unknown: int = 0
    declared: bool = False

    def add(self, first: int, last: int, *, acknowledged: bool = False) -> None:
        """A block more."""
        self.held = self.held.add(first, last)
        if not acknowledged:
            self.waiting = self.waiting.add(first, last)

    def remove(self, gone: NumberSet) -> None:
        """These numbers are not held any more."""
        self.held, self.waiting = self.held - gone, self.waiting - gone
        self.has, self.dropped = self.has - gone, self.dropped - gone

    @property
    def acknowledged(self) -> NumberSet:
        """Those of blocks that are acknowledged."""
        return self.held - self.waiting

    @property
    def unsent(self) -> NumberSet:
        """What the cloud is still to get."""
        return self.waiting - self.has - self.dropped


class Holdings:
    """The numbers of every epoch (by its row) and lane, and the totals."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._numbers: dict[tuple[int, Lane], Numbers] = {}

    def of(self, epoch: int, lane: Lane) -> Numbers:
        """Those of one epoch and lane."""
        found = self._numbers.get((epoch, lane))
        if found is None:
            found = Numbers()
            self._numbers = {**self._numbers, (epoch, lane): found}
        return found

    def in_order(self, lane: Lane) -> Iterator[tuple[int, Numbers]]:
        """The epochs' rows and numbers of one lane, the oldest epoch first."""
        for epoch, owner in sorted(self._numbers):
            if owner is lane:
                yield epoch, self._numbers[epoch, owner]

    def load(self, rows: Iterable[tuple[int, int, int, int, int, str | None]]) -> None:
        """Take in (key, last, acknowledged, messages, size, dropped) of each block, by key."""
        runs: dict[tuple[int, Lane, bool], list[tuple[int, int]]] = {}
        for block, last, acknowledged, messages, size, dropped in rows:
            epoch, lane, first = place(block)
            ranges = runs.setdefault((epoch, lane, bool(acknowledged)), [])
            if ranges and ranges[-1][1] + 1 == first:
                ranges[-1] = ranges[-1][0], last
            else:
                ranges.append((first, last))
            if dropped:
                numbers = self.of(epoch, lane)
                numbers.dropped |= NumberSet.parse(dropped)
            self.totals.add(lane, messages, size, acknowledged=bool(acknowledged))
        for (epoch, lane, acknowledged), ranges in runs.items():
            numbers = self.of(epoch, lane)
            numbers.held |= NumberSet(ranges)
            if not acknowledged:
                numbers.waiting |= NumberSet(ranges)
