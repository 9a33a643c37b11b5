"""A job that locks others out goes on only while nobody waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from cloud.jobs import Job, Jobs
from cloud.storage.database import Database, Transaction
from cloud.storage.migrate import migrate
from protocols.errors import UnavailableError


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    found = Database(postgres)
    found.open()
    migrate(found)
    yield found
    found.close()


@pytest.mark.parametrize("yields", [True, False])
def test_who_waits_for_a_job_that_yields_goes_first(database: Database, yields: bool) -> None:
    locked, outcome = threading.Event(), list[str]()

    def lock_out(tx: Transaction, _now: datetime) -> None:
        tx.execute("LOCK TABLE text_reading IN EXCLUSIVE MODE")
        locked.set()
        try:
            tx.execute(f"SELECT pg_sleep({60 if yields else 3})")
        except Exception as error:
            outcome.append(type(error).__name__)
            raise
        outcome.append("whole")

    def store() -> None:
        with database.transaction() as tx:
            tx.execute("INSERT INTO text_reading (series_id, ts, value) VALUES (1, now(), 'late')")

    jobs = Jobs(database, [])
    job = Job(name="locks", every=timedelta(hours=1), run=lock_out, yields=yields)
    with ThreadPoolExecutor(2) as beside:
        running = beside.submit(jobs.run_if_due, job)
        assert locked.wait(30)
        beside.submit(store).result(timeout=30)
        running.result(timeout=30)
    assert outcome == (["QueryCanceled"] if yields else ["whole"])


def test_nobody_who_waits_for_nobody_is_disturbed(database: Database) -> None:
    """Somebody else's quarrel is not the job's."""

    def want(table: str) -> None:
        with database.transaction() as tx:
            tx.be_impatient(2000)
            tx.connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")

    def work(tx: Transaction, _now: datetime) -> None:
        tx.execute("LOCK TABLE event IN EXCLUSIVE MODE")
        with database.transaction() as other, ThreadPoolExecutor(1) as beside:
            other.execute("LOCK TABLE text_reading IN EXCLUSIVE MODE")
            waiting = beside.submit(want, "text_reading")
            tx.execute("SELECT pg_sleep(3)")
            with pytest.raises(UnavailableError):
                waiting.result(timeout=30)

    assert Jobs(database, []).run_if_due(Job(name="works", every=timedelta(hours=1), run=work, yields=True))
