"""One opening of the file: its connections, its epoch, and what is known in RAM of what the file holds."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from edge.outbox.database import connect, failure, open_database, transaction
from edge.outbox.declaring import Given, remember, tidy
from edge.outbox.holdings import LANES, Holdings
from edge.outbox.losses import Losses
from edge.outbox.moving import move
from edge.outbox.quota import Quota, Room
from edge.outbox.salvage import salvage
from edge.outbox.statements import statements, text
from edge.outbox.times import Times
from protocols.errors import StorageError

VERSION: Final = 2
PAGE_BYTES: Final = 1024
"""Pages of a new file: small, because each commit writes every page that it touches."""
_SQL: Final = statements("edge.outbox", "statements.sql")


class Opening:
    """What begins with an opening and ends with it. A file that is opened again gets another one.

    `epoch` is new, and `row` its row; `rows` and `names` lead from epochs to rows and back; `given` is the last number
    that was given, by row and lane. `write` and `read` are used under a lock each, of whoever made this. `broken`:
    reading found that the file is corrupt.
    """

    def __init__(
        self,
        path: Path,
        *,
        now_ms: int,
        boot: uuid.UUID,
        quota: Quota,
        damaged: Path | None = None,
        memory: sqlite3.Connection | None = None,
        given: Given | None = None,
    ) -> None:
        """Open or make `path`, with what can be read of the file `damaged`, and what was kept in `memory`.

        `given`: what is known of the file `damaged` without reading it.

        Raises as `open_database`.
        """
        self.path = path
        self.broken: StorageError | None = None
        schema, states, upgrade = (text("edge.outbox", name) for name in ("schema.sql", "states.sql", "upgrade.sql"))
        self.write = open_database(path, schema + states, VERSION, upgrade=upgrade, page_bytes=PAGE_BYTES)
        try:
            self.salvaged = 0 if damaged is None else salvage(damaged, self.write)
            if memory is not None:
                move(memory, self.write)
            self._begin_epoch(now_ms, boot, quota, given or {})
            self.read = connect(path)
            self.read.execute("PRAGMA query_only = ON")
            self.read.execute("PRAGMA cache_size = -512")
        except sqlite3.Error as error:
            self.write.close()
            raise failure(error, path) from error

    def close(self) -> None:
        """Close the file."""
        for connection in (self.read, self.write):
            with suppress(sqlite3.Error):
                connection.close()

    def known_given(self) -> Given:
        """What is known of numbers that were given, without reading the file."""
        return {(self.names[row], lane): last for (row, lane), last in self.given.items() if last}

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Errors of SQLite as StorageError; of a corrupt file, the next commit tells."""
        try:
            yield
        except sqlite3.Error as error:
            told = failure(error, self.path)
            if told.code == "edge.storage.corrupt":
                self.broken = told
            raise told from error

    def select(self, statement: str, values: Mapping[str, object]) -> list[Any]:
        """The rows of a named statement, over the reading connection. Raises StorageError."""
        with self.failing():
            return self.read.execute(_SQL[statement], values).fetchall()

    def _begin_epoch(self, now_ms: int, boot: uuid.UUID, quota: Quota, given: Given) -> None:
        """Count what is there, and open an epoch of our own: the old ones are never added to or changed."""
        self.epoch = uuid.uuid4()
        self.holdings = Holdings()
        self.holdings.load(self.write.execute(_SQL["contents"]))
        with transaction(self.write):
            (boot_row,) = self.write.execute(_SQL["this_boot"], {"uuid": str(boot)}).fetchone()
            remember(self.write, given, boot_row, now_ms)
            opened = {"uuid": str(self.epoch), "opened": now_ms, "boot": boot_row}
            (self.row,) = self.write.execute(_SQL["open_epoch"], opened).fetchone()
            lanes = [(self.row, number) for number in range(len(LANES))]
            self.write.executemany("INSERT INTO lane (epoch, lane) VALUES (?, ?)", lanes)
            tidy(self.write, self.holdings, self.row)
        self.names = {row: uuid.UUID(name) for row, name in self.write.execute("SELECT id, uuid FROM epoch").fetchall()}
        self.rows = {name: row for row, name in self.names.items()}
        self.given = {
            (row, LANES[lane]): following - 1 for row, _, lane, following, *_ in self.write.execute(_SQL["lanes"])
        }
        self.times = Times(self.write, self.holdings)
        self.losses = Losses(self.write)
        self.room = Room(self.write, self.holdings, self.losses, quota, lambda row: str(self.names[row]))
