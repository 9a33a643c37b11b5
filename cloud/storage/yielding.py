"""Long work that locks others out and can be done later: it gives way when somebody has waited for it for a while."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Final

import psycopg

from cloud.storage.connection import Connection
from cloud.storage.database import Database
from cloud.storage.queries import load
from protocols.errors import UnavailableError

_LOG: Final = logging.getLogger("liandong.cloud.yielding")

LOOK_S: Final = 0.5
WAITED_S: Final = 1.0
"""Who has waited so long goes first. Far less than the ten seconds after which they would give up."""
CANCEL_S: Final = 5.0


@contextmanager
def yielding(database: Database, working: Connection) -> Iterator[None]:
    """Watch over the block, which works with `working`: its statement is cancelled for whom it keeps waiting.

    Then the statement raises psycopg.errors.QueryCanceled. Looks twice a second, with a connection of `database`'s.
    """
    done = Event()
    pid = working.info.backend_pid
    watch = Thread(target=_watch, args=(database, working, pid, done), name="yielding", daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join(LOOK_S + 2 * CANCEL_S)


def _watch(database: Database, working: Connection, pid: int, done: Event) -> None:
    while not done.wait(LOOK_S):
        try:
            with database.transaction() as tx:
                row = tx.one(load("columnstore")["kept_waiting"], {"pid": pid, "seconds": WAITED_S})
        except UnavailableError as error:
            _LOG.debug("nobody can say who waits: %s", error)
            continue
        if row is not None and row["waits"] and not done.is_set():
            _LOG.info("gives-way waiting=%d", row["waits"])
            with suppress(psycopg.Error):  # it may have ended meanwhile
                working.cancel_safe(timeout=CANCEL_S)
