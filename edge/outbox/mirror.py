"""A second copy of what drivers and rules stored last, in a file of its own, for when the outbox file cannot be read.

A sale is the difference between two audits: a driver that forgot the last audit would lose every sale until the next
one. The copy follows each commit and is not flushed: a power cut may take its end, while the outbox itself keeps it, so
each opening of a healthy outbox makes the copy anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge.log import Log
from edge.outbox.database import open_database, transaction
from edge.outbox.salvage import copy_states
from edge.outbox.statements import text
from protocols.errors import StorageError

VERSION: Final = 1
_PAGE_BYTES: Final = 1024
_TABLES: Final = ("driver_state", "rule_state")


class Mirror:
    """Under the locks of the outbox. Nothing here ever fails: without the copy the outbox goes on."""

    def __init__(self, path: Path) -> None:
        """`path`: of the copy; a file that cannot be read is made anew."""
        self._path = path
        self._log = Log("outbox")
        self._behind = True
        self._connection = self._open()

    def write(self, put: Callable[[sqlite3.Connection], None], outbox: sqlite3.Connection) -> None:
        """`put` writes what has just been committed to `outbox`. What could not be written is made up for next time."""
        if self._connection is None:
            return
        if self._behind:
            self.follow(outbox)
            return
        try:
            with transaction(self._connection, durable=False):
                put(self._connection)
        except sqlite3.Error:
            self._behind = True

    def follow(self, outbox: sqlite3.Connection) -> None:
        """From now on it is a copy of what `outbox` holds."""
        if self._connection is None:
            return
        self._behind = True
        with suppress(sqlite3.Error):
            with transaction(self._connection, durable=False):
                for table in _TABLES:
                    self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
            copy_states(outbox, self._connection)
            self._behind = False

    def fill(self, outbox: sqlite3.Connection) -> None:
        """Into a new outbox whatever of it is not there. Raises sqlite3.Error when that cannot be written."""
        if self._connection is not None:
            copy_states(self._connection, outbox)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> sqlite3.Connection | None:
        schema = text("edge.outbox", "states.sql")
        for _ in range(2):
            try:
                return open_database(self._path, schema, VERSION, page_bytes=_PAGE_BYTES)
            except StorageError as error:
                self._log.warning("states-unmirrored", file=self._path, error=error)
                if error.code != "edge.storage.corrupt":
                    return None
                with suppress(OSError):
                    for suffix in ("", "-wal", "-shm"):
                        self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return None
