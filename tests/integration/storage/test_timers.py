"""Timers that another worker holds: looked for less and less often, and taken over when they come free."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from cloud.due import DueWorker
from cloud.loop.work import Work
from cloud.storage.database import Database, Transaction
from cloud.storage.migrate import migrate
from cloud.storage.places import Places
from cloud.storage.queries import load


class Counting(Database):
    """Knows how often somebody asked it something."""

    asked = 0

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        self.asked += 1
        with super().transaction() as tx:
            yield tx


@pytest.fixture
def database(postgres: str) -> Iterator[Counting]:
    found = Counting(postgres)
    found.open()
    migrate(found)
    yield found
    found.close()


def _set(database: Database, ref: str, at: datetime) -> None:
    with database.transaction() as tx:
        tx.execute(load("due")["set"], {"kind": "test", "ref": ref, "at": at})


def test_what_another_worker_holds_is_not_asked_for_all_the_time(database: Counting) -> None:
    handled = {ref: threading.Event() for ref in ("held", "coming")}

    def handle(_work: Work, ref: str) -> None:
        handled[ref].set()

    now = datetime.now(UTC)
    _set(database, "held", now - timedelta(minutes=1))
    worker = DueWorker(database, Places(), {"test": handle}, threads=1)
    with psycopg.connect(database.dsn) as other:
        other.execute("SELECT FROM due WHERE ref = 'held' FOR UPDATE")
        _set(database, "coming", now + timedelta(seconds=2))
        database.asked = 0
        worker.start()
        try:
            assert handled["coming"].wait(30.0), "one that is nobody's is handled in its time"
            assert database.asked <= 40, "two questions a look: a hundred looks a second would be four hundred"
            assert not handled["held"].is_set()
            other.rollback()  # as when its process is killed: nobody is notified
            assert handled["held"].wait(30.0)
        finally:
            worker.stop()
    with database.transaction() as tx:
        assert tx.fetch("SELECT FROM due") == []
