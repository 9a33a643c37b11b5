"""Readings kept by column (TimescaleDB Community): which COPY goes there directly, and what becomes of small batches.

A chunk that is still written to may hold both: batches by column that large commit groups brought, and rows. Rows are
moved to columns while others write (the server locks nobody out then). A chunk that is over and does not grow any more
is put in good order as a whole, and again after late readings. That locks out who writes late readings: the job gives
way to them (`cloud.storage.yielding`), and new chunks become shorter when it took long. The server's own background
workers are not needed: a job calls this.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from psycopg.errors import LockNotAvailable, QueryCanceled
from psycopg.rows import DictRow

from cloud.storage.database import Transaction
from cloud.storage.editions import Edition, edition_of
from cloud.storage.queries import load

_LOG: Final = logging.getLogger("liandong.cloud.columns")

DIRECT_ROWS: Final = 4_000
DIRECT_PER_SERIES: Final = 6
"""A COPY of at least so many rows, and of so many on average per series, is faster by column; less is faster by row."""
SETTLES: Final = timedelta(minutes=15)
"""So long after its end a chunk is over: what comes on time has come by then."""
WORTH_BYTES: Final = 4 * 2**20
"""Rows of a chunk that is still written to are moved when they take so much."""
CHUNK_S: Final = 600.0
"""So long one chunk may take. One that takes longer stays as it is: right, but larger on the disk."""
LONGEST: Final = timedelta(days=1)
SHORTEST: Final = timedelta(hours=1)
TOO_LONG_S: Final = 4.0
SHORT_S: Final = 1.0

_ALWAYS: Final = datetime(1, 1, 1, tzinfo=UTC)


def worth_columns(series: NDArray[np.int32]) -> bool:
    """Whether readings of these series (n,) are better stored by column at once."""
    if len(series) < DIRECT_ROWS:
        return False
    return len(series) >= DIRECT_PER_SERIES * int(np.count_nonzero(np.bincount(series)))


def copy_directly(tx: Transaction) -> None:
    """Let the COPY statements of this transaction store by column. Does nothing where the server knows no such way."""
    tx.execute(load("columnstore")["directly"])


class Condenser:
    """Puts chunks in order, each once a round. Knows where it is and which chunks grow; single-threaded.

    `chunk_s`: how long one chunk may take.
    """

    def __init__(self, chunk_s: float = CHUNK_S) -> None:
        self._chunk_s = chunk_s
        self._after = _ALWAYS
        self._sizes: dict[int, int] = {}
        self._calm: set[int] = set()
        self._too_large: dict[int, int] = {}

    def step(self, tx: Transaction, now: datetime) -> bool:
        """One chunk, in the caller's transaction; whether there may be more of this round. Nothing on other editions.

        Waits a second for a lock at most. A chunk that is locked, or is cancelled for somebody who waits, has its turn
        in the next round.
        """
        if edition_of(tx) is not Edition.COMMUNITY:
            return False
        if self._after == _ALWAYS:
            self._weigh(tx)
        for row in tx.fetch(load("columnstore")["wanting"], {"settled": now - SETTLES, "after": self._after}):
            whole = row["over"] and row["unordered"]
            ripe = row["over"] or row["by_row"] or row["bytes_by_row"] >= WORTH_BYTES
            if ripe and (not whole or row["chunk"] in self._calm) and not self._gave_up(row["chunk"]):
                self._condense(tx, row, whole=whole)
                self._after = row["begins"]
                return True
        self._after = _ALWAYS
        return False

    def _condense(self, tx: Transaction, row: DictRow, *, whole: bool) -> None:
        sql, chunk = load("columnstore"), row["chunk"]
        began, least_s = time.monotonic(), 0.0
        try:
            with tx.connection.transaction():
                tx.execute(sql["quickly"])
                tx.be_patient(self._chunk_s)
                tx.execute(sql["condense_whole" if whole else "condense"], {"chunk": chunk})
        except LockNotAvailable:
            return
        except QueryCanceled:
            least_s = SHORT_S
            if time.monotonic() - began >= self._chunk_s:
                self._too_large[chunk] = self._sizes.get(chunk, 0)
                _LOG.warning("chunk-too-large begins=%s bytes=%d", row["begins"], self._too_large[chunk])
        if whole and row["lasts"] is not None:
            _suit_interval(tx, row["lasts"], max(least_s, time.monotonic() - began))

    def _gave_up(self, chunk: int) -> bool:
        return chunk in self._too_large and self._too_large[chunk] == self._sizes.get(chunk, 0)

    def _weigh(self, tx: Transaction) -> None:
        """Which chunks are as large as in the last round."""
        sizes = {row["chunk"]: row["bytes"] for row in tx.fetch(load("columnstore")["sizes"])}
        self._calm = {chunk for chunk, size in sizes.items() if self._sizes.get(chunk) == size}
        self._sizes = sizes


def next_interval(every: timedelta, lasts: timedelta, seconds: float) -> timedelta:
    """How long new chunks should be when now they are `every` and putting one of length `lasts` in order took so long.

    Longer by degrees: an old chunk that holds little says little about what comes.
    """
    if seconds > TOO_LONG_S:
        return max(min(every, lasts / 2), SHORTEST)
    return min(every * 2, lasts * 2, LONGEST) if seconds < SHORT_S and lasts >= every else every


def _suit_interval(tx: Transaction, lasts: timedelta, seconds: float) -> None:
    row = tx.one(load("columnstore")["interval"])
    assert row is not None
    every = next_interval(row["every"], lasts, seconds)
    if every != row["every"]:
        tx.execute(load("columnstore")["set_interval"], {"every": every})
