"""Merging and thinning in the file: the work without a lock, then a short commit that finds nothing was sent since."""

from __future__ import annotations

import threading
from typing import Any, Final

from edge.outbox.body import pack, unpack
from edge.outbox.database import transaction
from edge.outbox.holdings import key, place
from edge.outbox.opening import Opening
from edge.outbox.quota import NEAR, RELIEF
from edge.outbox.statements import statements
from edge.outbox.tending import MOST_BYTES, Fresh, Young, merged, thinned
from edge.outbox.waiting import Queue
from protocols.delivery import Lane, NumberSet
from protocols.errors import StorageError

_ROWS: Final = 1024
_SQL: Final = statements("edge.outbox", "statements.sql")


class Rewriting:
    """Replaces blocks of one opening. `merge` and `thin` are called from one thread, `add` from that which appends."""

    def __init__(self, opening: Opening, queue: Queue, writing: threading.RLock, reading: threading.Lock) -> None:
        self._opening, self._queue = opening, queue
        self._writing, self._reading = writing, reading
        self._young, self._thinned_to = Young(), 0
        self.thinning = False
        """Whether a round of thinning is under way."""

    def add(self, block: Fresh) -> None:
        """A bulk block is on the disk. Called with the writing lock held."""
        self._young.add(block, self._queue.handed[Lane.BULK])

    def merge(self) -> bool:
        """Merge what spans a minute, up to the bounds of a step; whether there was anything. Raises StorageError."""
        with self._writing:
            self._young.pass_over(self._queue.handed[Lane.BULK])
            blocks = self._young.due()
        if not blocks:
            return False
        reached = blocks[0].first
        try:
            reached = max(reached, self._replace(reached, blocks[-1].last, thin=False))
        except StorageError as error:
            if error.code != "edge.outbox.unreadable-block":
                reached = 0
            raise
        finally:
            with self._writing:
                self._young.pass_over(reached)
        return True

    def thin(self) -> bool:
        """Near the quota: delete what is confirmed, then thin; whether there may be more. Raises StorageError."""
        totals, total = self._opening.holdings.totals, self._opening.room.quota.total
        self.thinning = totals.size > total * (NEAR - RELIEF if self.thinning else NEAR)
        if not self.thinning:
            return False
        with self._writing, self._opening.failing():
            if self._opening.room.delete_confirmed(totals.size - int(total * (NEAR - RELIEF))):
                return True
        numbers = self._opening.holdings.of(self._opening.row, Lane.BULK)
        begin = max(self._queue.handed[Lane.BULK], self._thinned_to) + 1
        left = numbers.waiting - NumberSet([(1, begin - 1)] if begin > 1 else [])
        reached = self._replace(left.ranges[0][0], left.ranges[0][1], thin=True) if left else 0
        self._thinned_to = max(self._thinned_to, reached)
        self.thinning = bool(reached)
        return self.thinning

    def _replace(self, low: int, high: int, *, thin: bool) -> int:
        """Merge, or thin, the blocks that lie in `low` … `high`, as many as a step may; the last number, 0 for none."""
        query = {"low": key(self._opening.row, Lane.BULK, low), "high": key(self._opening.row, Lane.BULK, high)}
        with self._reading, self._opening.failing():
            rows = self._opening.read.execute(_SQL["bodies"], query | {"limit": _ROWS}).fetchall()
        rows = _neighbours(rows, MOST_BYTES if thin else 1 << 62)
        if not rows:
            return 0
        parts = [part for row in rows for part in unpack(row[5]).parts()]
        made, left_out = thinned(parts) if thin else (merged(parts), 0)
        body = pack(made)
        if thin and (not left_out or len(body) >= sum(row[3] for row in rows)):
            return int(rows[-1][1])
        with self._writing, self._reading, self._opening.failing():
            first, last = place(rows[0][0])[2], int(rows[-1][1])
            waiting = self._opening.holdings.of(self._opening.row, Lane.BULK).waiting
            if first <= self._queue.handed[Lane.BULK] or not waiting.contains(first, last):
                return last
            with self._opening.losses.noting(), transaction(self._opening.write):
                self._opening.write.executemany(_SQL["delete"], [{"id": row[0]} for row in rows])
                row = {"id": rows[0][0], "last": last, "messages": len(made), "size": len(body), "body": body}
                self._opening.write.execute(_SQL["put"], row)
                if left_out:
                    self._opening.losses.note(str(self._opening.epoch), Lane.BULK, first, last, left_out, "thinned")
            for _, _, messages, size, *_ in rows:
                self._opening.holdings.totals.remove(Lane.BULK, messages, size)
            self._opening.holdings.totals.add(Lane.BULK, len(made), len(body))
            self._opening.holdings.totals.thinned += left_out
            return last


def _neighbours(rows: list[Any], most: int) -> list[Any]:
    """The first of `rows` with neighbouring numbers, up to `most` bytes, one at least."""
    found: list[Any] = []
    size = 0
    for row in rows:
        size += row[3]
        if found and (size > most or found[-1][1] + 1 != place(row[0])[2]):
            break
        found.append(row)
    return found
