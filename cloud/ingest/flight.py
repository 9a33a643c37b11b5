"""A large group on its way: another thread appends its readings while the worker hears and decodes what follows.

Until it lands its transaction holds the rows of its received sets and nothing else (see `GroupWriter.begin`), so what
is urgent can be committed beside it on another connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Final

from cloud.ingest.bulk import Content
from cloud.ingest.commit import GroupWriter, Stored
from cloud.ingest.work import Group
from cloud.storage import readings
from cloud.storage.database import Database, Transaction

_LONGEST_S: Final = 120.0
"""Every wait of a connection is bounded (`cloud.storage.connection`); longer than all of them."""


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

    def take_off(
        self, database: Database, writer: Callable[[Transaction], GroupWriter], copier: ThreadPoolExecutor
    ) -> None:
        """Begin. Raises what `GroupWriter.begin` and the database raise; then nothing is on its way."""
        with ExitStack() as stack:
            self._tx = stack.enter_context(database.transaction())
            self._writer = writer(self._tx)
            kept = self._writer.begin(self.group, self.content)
            self._copying = copier.submit(readings.append, self._tx, kept)
            self._open = stack.pop_all()

    def wait(self, seconds: float) -> None:
        """Leave the other thread alone for so long, less when it is done."""
        if self._copying is not None:
            wait([self._copying], seconds)

    def land(self, advance: Callable[[Transaction], int]) -> tuple[Stored, int]:
        """Write the rest and commit; what was stored, and the count that `advance` gave within the transaction.

        Raises what the appending, `advance`, `GroupWriter.finish` and the database raise; then all of it is undone.
        """
        assert self._tx is not None
        assert self._writer is not None
        assert self._copying is not None
        with self._open:
            self._copying.result(_LONGEST_S)
            groups = advance(self._tx)
            stored = self._writer.finish(time.time_ns() // 1_000_000)
        return stored, groups
