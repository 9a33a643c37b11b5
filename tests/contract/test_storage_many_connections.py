"""Suite B: what storage promises to several connections at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

import psycopg
import pytest

from cloud.history.summary import DAY_MS
from cloud.jobs import Job, Jobs, standard_jobs
from cloud.storage import leases, readings, received
from cloud.storage.database import Database, StreamEvent, Transaction
from cloud.storage.migrate import migrate
from cloud.storage.rollups import Level, Roller, moment, rows_of
from protocols.delivery import Lane, NumberSet
from protocols.errors import UnavailableError
from tests.contract.test_rollups_one_connection import START, as_columns, make_series, roll, store

T = TypeVar("T")
NAMES = ("columns", "events", "partitions", "purge", "retention", "rollups")
"""Of the standard jobs."""


def together(*tasks: Callable[[], T]) -> list[T]:
    """Run tasks at the same time, each in a thread of its own."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(task) for task in tasks]]


def test_two_services_that_start_together_migrate_once(empty: Database) -> None:
    statuses = together(*[lambda: migrate(empty)] * 4)
    assert all(status == statuses[0] for status in statuses)


def test_the_same_numbers_are_taken_once_by_many_workers(database: Database) -> None:
    epochs = [uuid.uuid4() for _ in range(3)]
    keys = [(epoch, lane) for epoch in epochs for lane in Lane]
    taken: list[tuple[object, int]] = []

    def work(seed: int) -> None:
        order = keys if seed % 2 else keys[::-1]
        for number in range(1, 21):
            with database.transaction() as tx:
                sets = received.lock(tx, order)
                fresh = {
                    key: numbers.add(number, number) for key, numbers in sets.items() if not numbers.contains(number)
                }
                received.store(tx, fresh)
            taken.extend((key, number) for key in fresh)

    together(*[partial(work, seed) for seed in range(4)])
    assert len(taken) == len(set(taken)) == 20 * len(keys)
    with database.transaction() as tx:
        assert set(received.lock(tx, keys).values()) == {NumberSet([(1, 20)])}


def test_a_lease_has_one_holder_and_its_fence_grows(database: Database) -> None:
    def hold(holder: str, seconds: float = 60.0) -> int | None:
        with database.transaction() as tx:
            return leases.hold(tx, "state/cloud", holder, seconds)

    fences = together(*[partial(hold, name) for name in "abcd"])
    assert sorted(fence for fence in fences if fence is not None) == [1]
    winner = "abcd"[fences.index(1)]
    assert hold(winner) == 1
    with database.transaction() as tx:
        leases.release(tx, "state/cloud", "somebody else")
    assert hold("z") is None
    with database.transaction() as tx:
        leases.release(tx, "state/cloud", winner)
    assert hold("z") == 2


def test_stream_numbers_follow_commits_and_wake_listeners(database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as listener:
        listener.execute("LISTEN stream")
        listener.execute("LISTEN due")

        def publish(name: str) -> None:
            for index in range(10):
                with database.transaction() as tx:
                    for part in range(2):
                        tx.publish(StreamEvent(kind="device", key=f"{name}{index}.{part}", data={}))
                    tx.wake_due()

        together(lambda: publish("a"), lambda: publish("b"))
        heard = list(listener.notifies(timeout=20, stop_after=40))
    assert {note.channel for note in heard} == {"stream", "due"}
    newest = [int(note.payload) for note in heard if note.channel == "stream"]
    assert newest == sorted(newest)
    with database.transaction() as tx:
        assert [row["id"] for row in tx.fetch("SELECT id FROM stream_event ORDER BY id")] == list(range(1, 41))


def test_a_job_runs_once_over_all_services_and_is_caught_up_once(database: Database) -> None:
    ran: list[int] = []
    gate = threading.Barrier(3)

    def once(*_: object) -> None:
        ran.append(1)

    job = Job(name="digest", every=timedelta(hours=1), run=once)

    def service() -> bool:
        jobs = Jobs(database, [job])
        gate.wait(20)
        return jobs.run_if_due(job)

    assert sorted(together(service, service, service)) == [False, False, True]
    with database.transaction() as tx:
        tx.execute("UPDATE job_run SET started_at = now() - interval '5 days'")
    jobs = Jobs(database, [job])
    assert jobs.run_if_due(job)
    assert not jobs.run_if_due(job)
    assert len(ran) == 2


def test_a_job_that_fails_is_remembered_and_waits(database: Database) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no room")

    job = Job(name="report", every=timedelta(hours=1), run=fail)
    jobs = Jobs(database, [job])
    assert not jobs.run_if_due(job)
    with database.transaction() as tx:
        assert tx.fetch("SELECT job, error FROM job_run") == [{"job": "report", "error": "no room"}]
        tx.execute("UPDATE job_run SET started_at = now() - interval '10 minutes'")
    assert not jobs.run_if_due(job)


def test_the_standard_jobs_run_on_every_edition(database: Database) -> None:
    jobs = Jobs(database, standard_jobs(ZoneInfo("Asia/Shanghai")))
    jobs.start()
    deadline = threading.Event()
    for _ in range(400):
        with database.transaction() as tx:
            rows = tx.fetch("SELECT job, error FROM job_run ORDER BY job")
        if len(rows) == len(NAMES):
            break
        deadline.wait(0.05)
    jobs.stop()
    assert rows == [{"job": name, "error": None} for name in NAMES]


def test_a_service_that_stops_does_not_wait_for_a_long_job(database: Database) -> None:
    begun = threading.Event()

    def sleep(tx: Transaction, _now: datetime) -> None:
        begun.set()
        tx.execute("SELECT pg_sleep(120)")

    jobs = Jobs(database, [Job(name="long", every=timedelta(hours=1), run=sleep)])
    jobs.start()
    assert begun.wait(20)
    jobs.stop()
    assert not jobs._at_hand
    with database.transaction() as tx:
        assert not tx.fetch("SELECT FROM job_run")


def test_no_statement_and_no_lock_is_waited_for_without_end(database: Database) -> None:
    with database.transaction() as tx:
        found = tx.one(
            "SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock"
        )
        assert found == {"statement": "30s", "lock": "10s"}
    with pytest.raises(UnavailableError, match="too long"), database.transaction() as tx:
        tx.execute("SET LOCAL statement_timeout = '10ms'; SELECT pg_sleep(20)")


def test_rolling_up_and_forgetting_keep_no_ingest_waiting(database: Database) -> None:
    """While summaries of a series are made and old rows of it deleted, more of it is stored, and nothing is missed."""
    (series,) = make_series(database, "t")
    old = START - 40 * DAY_MS
    for at in (old, START):
        store(database, series, [(at + n * 1000, 1.0, 192) for n in range(120)])
    roller, now = Roller(ZoneInfo("Asia/Shanghai")), moment(START + DAY_MS)
    with database.transaction() as tx:
        assert roller.step(tx, now)
        tx.execute("DELETE FROM reading WHERE ts < %(before)s", {"before": moment(START)})
        with database.transaction() as ingest:
            ingest.execute("SET LOCAL lock_timeout = '1s'")
            more = [(at + n * 1000 + 500, 2.0, 192) for at in (old, START) for n in range(120)]
            readings.append(ingest, as_columns(series, more))
            readings.touch_latest(ingest, as_columns(series, more), [], START)
    roll(database, now=now)
    with database.transaction() as tx:
        assert rows_of(tx, Level.MINUTE, series, START, START + DAY_MS)["count"].tolist() == [120, 120]
