"""How much the outbox may hold, and what goes first when it is full: confirmed, then the oldest bulk, then urgent."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.outbox.database import transaction
from edge.outbox.statements import statements
from protocols.delivery import Lane

ROW_BYTES: Final = 160
"""What a message takes in the file besides its body: its row and its places in the indexes."""
_ROUND: Final = 0.05
"""The share of the quota that one deletion frees, so that losses come as few ranges, not as single numbers."""
_LANES: Final = (Lane.URGENT, Lane.BULK)
_SQL: Final = statements("edge.outbox", "statements.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Bytes that all messages together may take, and that confirmed ones may take among them."""

    total: int
    acknowledged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """`count` messages in `first` … `last` of a lane were deleted before the cloud had them."""

    epoch: uuid.UUID
    lane: Lane
    first: int
    last: int
    count: int
    reason: str


@dataclass(slots=True)
class Totals:
    """Messages and bytes in the file, by lane: waiting for the cloud, and confirmed."""

    waiting: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(_LANES, 0))
    waiting_bytes: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(_LANES, 0))
    kept: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(_LANES, 0))
    kept_bytes: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(_LANES, 0))

    @property
    def size(self) -> int:
        """Bytes of everything."""
        return sum(self.waiting_bytes.values()) + sum(self.kept_bytes.values())

    def set(self, lane: Lane, *, acknowledged: bool, count: int, size: int) -> None:
        """What a count of the file found."""
        counts, sizes = (self.kept, self.kept_bytes) if acknowledged else (self.waiting, self.waiting_bytes)
        counts[lane], sizes[lane] = count, size + count * ROW_BYTES

    def add(self, lane: Lane, size: int) -> None:
        """One message more, of `size` bytes."""
        self.waiting[lane] += 1
        self.waiting_bytes[lane] += size + ROW_BYTES

    def confirm(self, lane: Lane, sizes: Sequence[int]) -> None:
        """Messages of these sizes were confirmed."""
        self._move(lane, sizes, 1)

    def requeue(self, lane: Lane, sizes: Sequence[int]) -> None:
        """Messages of these sizes wait again."""
        self._move(lane, sizes, -1)

    def remove(self, lane: Lane, sizes: Sequence[int], *, acknowledged: bool) -> None:
        """Messages of these sizes were deleted."""
        counts, bytes_ = (self.kept, self.kept_bytes) if acknowledged else (self.waiting, self.waiting_bytes)
        counts[lane] -= len(sizes)
        bytes_[lane] -= sum(sizes) + len(sizes) * ROW_BYTES

    def _move(self, lane: Lane, sizes: Sequence[int], sign: int) -> None:
        count, size = sign * len(sizes), sign * (sum(sizes) + len(sizes) * ROW_BYTES)
        self.waiting[lane] -= count
        self.waiting_bytes[lane] -= size
        self.kept[lane] += count
        self.kept_bytes[lane] += size


def make_room(connection: sqlite3.Connection, totals: Totals, quota: Quota) -> list[Loss]:
    """Delete what is over `quota`; what the cloud did not have yet is returned."""
    surplus = sum(totals.kept_bytes.values()) - quota.acknowledged
    if surplus > 0:
        _delete_confirmed(connection, totals, surplus + int(quota.acknowledged * _ROUND))
    surplus = totals.size - quota.total
    if surplus <= 0:
        return []
    goal = surplus + int(quota.total * _ROUND)
    goal -= _delete_confirmed(connection, totals, goal)
    losses: list[Loss] = []
    for lane in (Lane.BULK, Lane.URGENT):
        if goal > 0:
            freed, rows = _delete(connection, totals, lane, goal, acknowledged=False)
            goal -= freed
            losses += _ranges(lane, rows)
    return losses


def _delete_confirmed(connection: sqlite3.Connection, totals: Totals, goal: int) -> int:
    freed = 0
    for lane in (Lane.BULK, Lane.URGENT):
        if freed < goal:
            freed += _delete(connection, totals, lane, goal - freed, acknowledged=True)[0]
    return freed


def _delete(
    connection: sqlite3.Connection, totals: Totals, lane: Lane, goal: int, *, acknowledged: bool
) -> tuple[int, list[tuple[str, int, int]]]:
    """Delete at least `goal` bytes of the oldest if there are as many: bytes freed, (epoch, first, last) of each."""
    freed = 0
    gone: list[tuple[str, int, int]] = []
    query = {"acknowledged": int(acknowledged), "lane": _LANES.index(lane), "limit": 500}
    while freed < goal:
        rows = connection.execute(_SQL["oldest"], query).fetchall()
        chosen: list[tuple[int, str, int, int, int]] = []
        for identity, epoch, _lane, first, last, size in rows:
            if freed >= goal:
                break
            chosen.append((identity, epoch, first, last, size))
            freed += size + ROW_BYTES
        if not chosen:
            break
        with transaction(connection, durable=not acknowledged):
            connection.executemany("DELETE FROM block WHERE id = ?", [(row[0],) for row in chosen])
        totals.remove(lane, [row[4] for row in chosen], acknowledged=acknowledged)
        gone += [row[1:4] for row in chosen]
    return freed, gone


def _ranges(lane: Lane, rows: Iterable[tuple[str, int, int]]) -> Iterator[Loss]:
    """Neighbouring numbers of an epoch as one loss."""
    epoch, low, high, count = "", 0, 0, 0
    for name, first, last in rows:
        if name == epoch and first == high + 1:
            high, count = last, count + 1
            continue
        if count:
            yield Loss(epoch=uuid.UUID(epoch), lane=lane, first=low, last=high, count=count, reason="quota")
        epoch, low, high, count = name, first, last, 1
    if count:
        yield Loss(epoch=uuid.UUID(epoch), lane=lane, first=low, last=high, count=count, reason="quota")
