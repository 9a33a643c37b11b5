"""What is done periodically: retention, purging, partitions, columns. APScheduler keeps time, the database the memory.

Each job runs under an advisory lock, so that of several services one does it; its last run is a row. A service that
starts and finds a run missed catches it up, once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from cloud.storage.columnstore import Condenser
from cloud.storage.connection import Connection
from cloud.storage.database import Database, Transaction
from cloud.storage.editions import Edition, edition_of, keep_ahead
from cloud.storage.kinds import longest
from cloud.storage.queries import load
from cloud.storage.retention import forget
from cloud.storage.rollups import Roller
from cloud.storage.yielding import yielding
from protocols.errors import UnavailableError

_LOG: Final = logging.getLogger("liandong.cloud.jobs")
_CHECK: Final = timedelta(seconds=30)
"""How often it is looked whether a job is due: so late a job may be, also after the database was away."""

_WORTH_TELLING: Final = timedelta(minutes=10)
"""A job that runs more often is told of when it fails only."""
_LONGEST_S: Final = 600.0
"""What is deleted may be much."""
_STOP_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`run` does the work in one transaction, at most every `every` over all services.

    What it gives back says whether there is more to do: then it is called again, in a transaction of its own. With
    `yields` a statement of it that keeps others waiting is cancelled.
    """

    name: str
    every: timedelta
    run: Callable[[Transaction, datetime], bool | None]
    yields: bool = False


class Jobs:
    """Runs jobs in a thread of the scheduler. Started once, stopped once."""

    def __init__(self, database: Database, jobs: Sequence[Job]) -> None:
        self._database = database
        self._stopping = Event()
        self._at_hand: set[Connection] = set()
        # It reports every look at the clock; what a job did is told here.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler: Any = BackgroundScheduler(timezone=UTC, daemon=True)
        for job in jobs:
            self._scheduler.add_job(
                self.run_if_due,
                IntervalTrigger(seconds=int(_CHECK.total_seconds()), jitter=5, timezone=UTC),
                args=[job],
                id=job.name,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
                next_run_time=datetime.now(UTC),
            )

    def start(self) -> None:
        """Begin; what was missed is caught up at once."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no more; a job at hand is undone and runs again after the next start. Bounded by five seconds."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        self._stopping.set()
        until = time.monotonic() + _STOP_S
        while self._at_hand and time.monotonic() < until:
            for connection in list(self._at_hand):
                with suppress(psycopg.Error):  # it may have ended meanwhile
                    connection.cancel_safe(timeout=1.0)
            time.sleep(0.05)

    def run_if_due(self, job: Job) -> bool:
        """Run `job` unless it ran less than its period ago, or another service runs it now; whether it ran."""
        more = self._step(job, job.every)
        ran = more is not None
        while more:
            more = self._step(job, timedelta(0))
        return ran

    def _step(self, job: Job, every: timedelta) -> bool | None:
        """One transaction of a job; whether there is more to do, or None when it did not run."""
        sql = load("jobs")
        now = datetime.now(UTC)
        try:
            with self._database.transaction() as tx:
                due = tx.one(sql["begin"], {"job": job.name, "every": every})
                if due is None or not due["locked"] or not due["due"] or self._stopping.is_set():
                    return None
                tx.be_patient(_LONGEST_S)
                self._at_hand.add(tx.connection)
                try:
                    with yielding(self._database, tx.connection) if job.yields else nullcontext():
                        more = job.run(tx, now)
                finally:
                    self._at_hand.discard(tx.connection)
                tx.execute(sql["ended"], {"job": job.name, "started_at": now, "error": None})
        except UnavailableError as error:
            _LOG.warning("job-waits job=%s why=%s", job.name, error)
            return None
        except Exception as error:  # noqa: BLE001 - one job's fault must not stop the others
            _LOG.exception("job-failed job=%s", job.name)
            self._remember_failure(job, now, str(error))
            return None
        _LOG.log(logging.INFO if job.every >= _WORTH_TELLING else logging.DEBUG, "job-done job=%s", job.name)
        return bool(more)

    def _remember_failure(self, job: Job, started_at: datetime, error: str) -> None:
        try:
            with self._database.transaction() as tx:
                params = {"job": job.name, "started_at": started_at, "error": error[:1000]}
                tx.execute(load("jobs")["ended"], params)
        except UnavailableError:
            _LOG.warning("job-outcome-unknown job=%s", job.name)


def standard_jobs(zone: ZoneInfo) -> tuple[Job, ...]:
    """The jobs of every service. `zone`: the street's, whose days are summarised."""

    def partitions(tx: Transaction, now: datetime) -> None:
        if edition_of(tx) is Edition.PLAIN:
            keep_ahead(tx, now.date())

    def purge(tx: Transaction, _now: datetime) -> None:
        tx.execute(load("stream")["purge"])
        for name in ("purge_sessions", "purge_links", "purge_actions", "purge_poison", "forget_positions"):
            tx.execute(load("jobs")[name])
        for name in ("forget_attempts", "forget_runs"):
            tx.execute(load("runs")[name])

    def others(tx: Transaction, now: datetime) -> None:
        for name in ("forget_texts", "forget_events", "forget_commands"):
            tx.execute(load("jobs")[name], {"cutoff": now - longest().readings})
        tx.execute(load("losses")["forget"], {"cutoff": now - longest().readings})
        tx.execute(load("jobs")["forget_notifications"])

    return (
        Job(name="partitions", every=timedelta(hours=6), run=partitions),
        Job(name="rollups", every=timedelta(seconds=30), run=Roller(zone).step),
        Job(name="columns", every=timedelta(minutes=5), run=Condenser().step, yields=True),
        Job(name="retention", every=timedelta(days=1), run=forget),
        Job(name="events", every=timedelta(days=1), run=others),
        Job(name="purge", every=timedelta(hours=1), run=purge),
    )
