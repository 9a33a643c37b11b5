"""How much the outbox may hold, and what goes first when it is full: confirmed, then the oldest bulk, then urgent.

Before it comes to that, `edge.outbox.tending` thins bulk that was never sent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge.outbox.database import transaction
from edge.outbox.holdings import ROW_BYTES, Holdings, key, place
from edge.outbox.losses import Losses
from edge.outbox.statements import statements
from protocols.delivery import Lane, NumberSet

NEAR: Final = 0.95
"""The share of the quota at which thinning begins."""
RELIEF: Final = 0.05
"""The share of the quota that one deletion frees, so that losses come as few ranges, not as single numbers."""
_PAGE: Final = 500
_SQL: Final = statements("edge.outbox", "statements.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Bytes that all blocks together may take, and that confirmed ones may take among them."""

    total: int
    acknowledged: int


class Room:
    """Makes room in the file. Called with the lock of the writing connection held."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        holdings: Holdings,
        losses: Losses,
        quota: Quota,
        name: Callable[[int], str],
    ) -> None:
        """`name`: the UUID of an epoch's row."""
        self._connection, self._holdings, self._losses = connection, holdings, losses
        self.quota, self._name = quota, name

    def make(self) -> None:
        """Delete what is over the quota. Raises sqlite3.Error."""
        totals, quota = self._holdings.totals, self.quota
        surplus = sum(totals.kept_bytes.values()) - quota.acknowledged
        if surplus > 0:
            self.delete_confirmed(surplus + int(quota.acknowledged * RELIEF))
        surplus = totals.size - quota.total
        if surplus <= 0:
            return
        goal = surplus + int(quota.total * RELIEF)
        goal -= self.delete_confirmed(goal)
        for lane in (Lane.BULK, Lane.URGENT):
            goal -= self._delete(lane, goal, acknowledged=False)

    def delete_confirmed(self, goal: int) -> int:
        """Delete confirmed blocks of `goal` bytes, if there are as many; the bytes that were freed."""
        freed = 0
        for lane in (Lane.BULK, Lane.URGENT):
            freed += self._delete(lane, goal - freed, acknowledged=True)
        return freed

    def _delete(self, lane: Lane, goal: int, *, acknowledged: bool) -> int:
        """Delete at least `goal` bytes of the oldest if there are as many; the bytes that were freed."""
        freed = 0
        for epoch, numbers in self._holdings.in_order(lane):
            while freed < goal and (there := (numbers.acknowledged if acknowledged else numbers.waiting).ranges):
                low, high = there[0]
                rows = self._candidates(epoch, lane, low, high, goal - freed, acknowledged=acknowledged)
                if not rows:
                    break
                self._remove(epoch, lane, rows, acknowledged=acknowledged)
                freed += sum(size + ROW_BYTES for _, _, _, size, _ in rows)
        return freed

    def _candidates(
        self, epoch: int, lane: Lane, low: int, high: int, goal: int, *, acknowledged: bool
    ) -> list[tuple[int, int, int, int, str | None]]:
        query = {"low": key(epoch, lane, low), "high": key(epoch, lane, high), "acknowledged": int(acknowledged)}
        rows = self._connection.execute(_SQL["candidates"], query | {"limit": _PAGE}).fetchall()
        chosen = []
        for row in rows:
            if goal <= 0:
                break
            chosen.append(row)
            goal -= row[3] + ROW_BYTES
        return chosen

    def _remove(
        self, epoch: int, lane: Lane, rows: list[tuple[int, int, int, int, str | None]], *, acknowledged: bool
    ) -> None:
        numbers, totals = self._holdings.of(epoch, lane), self._holdings.totals
        gone = NumberSet((place(block)[2], last) for block, last, *_ in rows)
        lost = NumberSet() if acknowledged else gone & numbers.unsent
        with self._losses.noting(), transaction(self._connection, durable=bool(lost)):
            self._connection.executemany(_SQL["delete"], [{"id": block} for block, *_ in rows])
            for low, high in lost.ranges:
                self._losses.note(self._name(epoch), lane, low, high, high - low + 1, "quota")
        numbers.remove(gone)
        totals.lost += len(lost)
        for _, _, messages, size, _ in rows:
            totals.remove(lane, messages, size, acknowledged=acknowledged)
