"""A server that takes no changes for a while (a standby), and one that gave up a process which stood still."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from cloud.due import DueWorker
from cloud.loop.work import Work
from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from cloud.storage.places import Places
from cloud.storage.queries import load
from protocols.errors import UnavailableError


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    """With the newest schema."""
    found = Database(postgres)
    found.open()
    migrate(found)
    yield found
    found.close()


def _read_only(dsn: str, *, on: bool) -> None:
    """From now on, for connections that are made from now on; the others end."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        name = sql.Identifier(connection.info.dbname)
        words = sql.SQL("on" if on else "off")
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(name, words))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (connection.info.dbname,),
        )


def test_timers_go_on_when_the_server_takes_changes_again(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    handled = threading.Event()

    def handle(_work: Work, _ref: str) -> None:
        handled.set()

    due = DueWorker(database, Places(), {"test": handle})
    due.start()
    try:
        _read_only(database.dsn, on=True)
        until = time.monotonic() + 60
        while not any("read-only" in line for line in caplog.messages):
            assert time.monotonic() < until, caplog.messages
            due.wake()
            time.sleep(0.05)
        _read_only(database.dsn, on=False)
        with psycopg.connect(database.dsn) as connection:
            connection.execute(load("due")["set"], {"kind": "test", "ref": "1", "at": datetime.now(UTC)})
        for _ in range(600):
            due.wake()
            if handled.wait(0.1):
                break
        assert handled.is_set()
        assert due.alive
    finally:
        due.stop()


def test_a_server_that_takes_no_changes_is_away(database: Database) -> None:
    def change() -> None:
        with database.transaction() as tx:
            tx.execute("SET TRANSACTION READ ONLY")
            tx.execute(load("due")["set"], {"kind": "test", "ref": "1", "at": datetime.now(UTC)})

    with pytest.raises(UnavailableError):
        change()


def test_a_server_that_gave_us_up_is_away(database: Database) -> None:
    def stand_still() -> None:
        with database.transaction() as tx:
            tx.execute("SET LOCAL idle_in_transaction_session_timeout = '1ms'")
            while True:
                time.sleep(0.05)
                tx.one("SELECT 1")

    with pytest.raises(UnavailableError):
        stand_still()
