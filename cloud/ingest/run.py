"""A worker's own row in the database: by it a worker notices an older database, and others that this worker died.

The row counts the worker's commits, in their own transactions. A count that went back, or a row that is gone, means
that a backup was put back (or an empty database), whatever the lanes say. A clean stop takes the row away; one whose
worker has no connection any more belongs to a worker that was killed.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from cloud.storage.database import Transaction
from cloud.storage.queries import load


class RestoredError(Exception):
    """The database lacks what was committed to it: a backup was put back under this worker, or it was emptied."""


class Run:
    """One worker from start to stop. One thread."""

    def __init__(self, connection: str) -> None:
        """`connection`: what the connections of this worker are called (`Database.name`)."""
        self._id = uuid.uuid4()
        self._connection = connection
        self._groups: int | None = None

    @property
    def begun(self) -> bool:
        """Whether the row is known to be there."""
        return self._groups is not None

    def begin(self, tx: Transaction) -> int:
        """Make the row, in this database as it is now; how many commits it counts, to be told to `settle`."""
        sql, mine = load("runs"), {"id": self._id}
        tx.execute(sql["begin"], mine | {"connection": self._connection})
        row = tx.one(sql["known"], mine)
        assert row is not None
        return int(row["groups"])

    def advance(self, tx: Transaction) -> int:
        """Count this transaction's commit; the new count, to be told to `settle`. Raises RestoredError."""
        row = tx.one(load("runs")["advance"], {"id": self._id})
        if row is None or self._groups is None or row["groups"] <= self._groups:
            raise RestoredError
        return int(row["groups"])

    def check(self, tx: Transaction) -> None:
        """Whether the database still knows all that was committed. Raises RestoredError."""
        row = tx.one(load("runs")["known"], {"id": self._id})
        if row is None or self._groups is None or row["groups"] < self._groups:
            raise RestoredError

    def settle(self, groups: int) -> None:
        """The transaction that counted this far is committed."""
        self._groups = groups

    def forget(self) -> None:
        """The database is another one; what it counts is to be learnt by `begin`."""
        self._groups = None

    def deaths(self, tx: Transaction, within: timedelta) -> int:
        """How many other workers were killed lately."""
        sql, mine = load("runs"), {"id": self._id}
        tx.execute(sql["died"], mine)
        row = tx.one(sql["deaths"], mine | {"within": within})
        return 0 if row is None else int(row["deaths"])

    def end(self, tx: Transaction) -> None:
        """Stopped in order: nobody needs to be careful."""
        tx.execute(load("runs")["end"], {"id": self._id})
