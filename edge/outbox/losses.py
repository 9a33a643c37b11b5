"""What had to go before the cloud had it: noted in the transaction that deletes it, until an event has told it."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from edge.outbox.holdings import LANES
from edge.outbox.statements import statements
from protocols.delivery import Lane

_SQL: Final = statements("edge.outbox", "statements.sql")
_OPEN: Final = 64
"""Untold losses that a new one is looked for in, to be joined with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Messages `first` … `last` of a lane were deleted, or thinned, before the cloud had them.

    `count`: numbers (reason ``quota``), or readings left out (reason ``thinned``). `row`: its place in the file.
    """

    row: int
    epoch: uuid.UUID
    lane: Lane
    first: int
    last: int
    count: int
    reason: str


class Losses:
    """The losses that no event has told. Called with the lock of the writing connection held."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Those that an earlier opening could not tell any more are told again."""
        self._connection = connection
        rows = connection.execute(_SQL["losses"])
        self._untold = {row: _loss(row, *values) for row, *values in rows}
        self._given: set[int] = set()

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Around a transaction with `note` in it: forgets what was noted when it fails."""
        before = dict(self._untold)
        try:
            yield
        except BaseException:
            self._untold = before
            raise

    def note(self, epoch: str, lane: Lane, first: int, last: int, count: int, reason: str) -> None:
        """Within a transaction: note a loss, as one with the neighbour that was not given out yet."""
        for loss in list(self._untold.values())[-_OPEN:]:
            same = (str(loss.epoch), loss.lane, loss.reason) == (epoch, lane, reason)
            if same and loss.last + 1 == first and loss.row not in self._given:
                joined = replace(loss, last=last, count=loss.count + count)
                self._connection.execute(_SQL["extend_loss"], {"id": loss.row, "last": last, "count": joined.count})
                self._untold[loss.row] = joined
                return
        lane_number = LANES.index(lane)
        values = {"epoch": epoch, "lane": lane_number, "first": first, "last": last, "count": count, "reason": reason}
        (row,) = self._connection.execute(_SQL["put_loss"], values).fetchone()
        self._untold[row] = _loss(row, epoch, lane_number, first, last, count, reason)

    def give(self, *, without: str = "") -> list[Loss]:
        """What is to be told now, each only once in an opening; those of the reason `without` may still grow."""
        found = [loss for row, loss in self._untold.items() if row not in self._given and loss.reason != without]
        self._given |= {loss.row for loss in found}
        return found

    def tell(self, told: Iterable[Loss]) -> None:
        """Within the transaction that stores the events of `told`."""
        self._connection.executemany(_SQL["told_loss"], [{"id": loss.row} for loss in told])

    def forget(self, told: Iterable[Loss]) -> None:
        """That transaction is on the disk."""
        for loss in told:
            self._untold.pop(loss.row, None)
            self._given.discard(loss.row)


def _loss(row: int, epoch: str, lane: int, first: int, last: int, count: int, reason: str) -> Loss:
    where = LANES[lane]
    return Loss(row=row, epoch=uuid.UUID(epoch), lane=where, first=first, last=last, count=count, reason=reason)
