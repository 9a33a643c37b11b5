"""A large group on its way: another thread appends its readings while the worker hears and decodes what follows.

Until it lands its transaction holds nothing that anybody waits for: it takes the received sets to be what they will be
when all before it has landed (see `GroupWriter.begin_ahead`), and locks and confirms them when it lands itself. So what
is urgent can be committed beside it on another connection, and it can take off before the one before it has landed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from typing import Final

from cloud.ingest.bulk import Content
from cloud.ingest.commit import GroupWriter, Stored
from cloud.ingest.work import Group
from cloud.storage import readings
from cloud.storage.database import Database, Transaction
from cloud.storage.received import LaneKey
from protocols.delivery import NumberSet
from protocols.errors import UnavailableError

_LONGEST_S: Final = 120.0
"""Every wait of a connection is bounded (`cloud.storage.connection`); longer than all of them."""


class _GivenUpError(Exception):
    """Rolls a transaction back."""


class Flight:
    """One group from take-off to landing. The worker's thread alone calls it."""

    def __init__(self, group: Group, content: Content) -> None:
        self.group = group
        self.content = content
        self._began = time.monotonic()
        self._open = ExitStack()
        self._tx: Transaction | None = None
        self._writer: GroupWriter | None = None
        self._copying: Future[None] | None = None

    @property
    def seconds(self) -> float:
        """How long it has been under way."""
        return time.monotonic() - self._began

    @property
    def ready(self) -> bool:
        """Whether the readings are appended, or cannot be."""
        return self._copying is None or self._copying.done()

    @property
    def sets(self) -> Mapping[LaneKey, NumberSet]:
        """The received sets of its lanes, as they will be when it has landed."""
        return {} if self._writer is None else self._writer.sets

    def take_off(
        self,
        database: Database,
        writer: Callable[[Transaction], GroupWriter],
        copier: ThreadPoolExecutor,
        coming: Mapping[LaneKey, NumberSet],
    ) -> None:
        """Begin, behind a flight that leaves the sets `coming` when it lands.

        Raises what `GroupWriter.begin_ahead` and the database raise; then nothing is on its way.
        """
        with ExitStack() as stack:
            self._tx = stack.enter_context(database.transaction())
            self._writer = writer(self._tx)
            kept = self._writer.begin_ahead(self.group, self.content, coming)
            self._copying = copier.submit(readings.append, self._tx, kept)
            self._open = stack.pop_all()

    def wait(self, seconds: float) -> None:
        """Leave the other thread alone for so long, less when it is done."""
        if self._copying is not None:
            wait([self._copying], seconds)

    def land(self, advance: Callable[[Transaction], int]) -> tuple[Stored, int]:
        """Write the rest and commit; what was stored, and the count that `advance` gave within the transaction.

        Raises what the appending, `advance`, `GroupWriter.confirm`, its `finish` and the database raise; then all of it
        is undone.
        """
        assert self._tx is not None
        assert self._writer is not None
        assert self._copying is not None
        with self._open:
            self._copying.result(_LONGEST_S)
            self._writer.confirm()
            groups = advance(self._tx)
            stored = self._writer.finish(time.time_ns() // 1_000_000)
        return stored, groups

    def give_up(self) -> None:
        """Nothing of it is to be stored, for what it went by is not so any more."""
        with suppress(_GivenUpError, UnavailableError), self._open:
            if self._copying is not None:
                wait([self._copying], _LONGEST_S)
            raise _GivenUpError
