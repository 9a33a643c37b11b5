"""The due worker: timers are rows; a thread claims one whose time has come and handles it in the same transaction.

A handler that raises is undone and tried again with backoff; one that a crash cut off is simply claimed again.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Condition, Event, Thread
from typing import Final

from psycopg.rows import DictRow

from cloud.loop.work import Work, working
from cloud.storage.database import Database
from cloud.storage.places import Places
from cloud.storage.queries import load
from protocols.errors import LiandongError

_LOG: Final = logging.getLogger("liandong.cloud.due")

LOOK_S: Final = 5.0
"""A worker looks at least this often: a lost NOTIFY delays, it never loses."""
MOST_BACKOFF_S: Final = 300.0
HELD_S: Final = 0.05
MOST_HELD_S: Final = 1.0
"""What another worker holds may come free without a word (it was killed): looked for so soon, then less often."""

Handler = Callable[[Work, str], datetime | None]
"""Handles a timer's `ref`; returns when the same timer is due again, None when it is done with."""


class DueWorker:
    """`threads` threads that handle timers from `start` to `stop`."""

    def __init__(
        self, database: Database, places: Places, handlers: Mapping[str, Handler], *, threads: int = 2
    ) -> None:
        self._database, self._places, self._handlers = database, places, handlers
        self._stop = Event()
        self._condition = Condition()
        self._wakes = 0
        self._threads = [Thread(target=self._run, name=f"due-{n}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        """Begin to handle timers."""
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether all of its threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """Something may be due now. Thread-safe."""
        with self._condition:
            self._wakes += 1
            self._condition.notify_all()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End after the timers at hand; bounded by `timeout_s` per thread."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self) -> None:
        failures = held = 0
        while not self._stop.is_set():
            seen, now, pause_s = self._wakes, datetime.now(UTC), 0.0
            try:
                if self.step(now):
                    held = 0
                else:
                    pause_s, held = self._until_next(now, held)
                failures = 0
            except Exception as error:  # noqa: BLE001 - without this thread no deadline is kept
                failures = min(failures + 1, 5)
                pause_s = min(30.0, 2.0**failures) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter
                unknown = None if isinstance(error, LiandongError) else error
                _LOG.warning("due worker waits %.1f s: %s", pause_s, error, exc_info=unknown)
            with self._condition:
                if pause_s > 0 and not self._stop.is_set():
                    self._condition.wait_for(lambda seen=seen: self._wakes != seen, timeout=pause_s)  # type: ignore[misc]

    def step(self, now: datetime | None = None) -> bool:
        """Handle one timer whose time has come by `now`; whether there was one."""
        now = now or datetime.now(UTC)
        claimed: list[DictRow] = []
        try:
            with working(self._database, self._places, now) as work:
                row = work.tx.one(load("due")["claim"], {"now": now})
                if row is None:
                    return False
                claimed.append(row)
                again = self._handlers[row["kind"]](work, row["ref"])
                sql = load("due")["finish" if again is None else "again"]
                work.tx.execute(sql, {"id": row["id"], "at": again})
        except Exception as error:  # whatever a handler raises: the timer stays, and says why
            if not claimed:
                raise
            self._failed(claimed[0], error, now)
        return True

    def _failed(self, row: DictRow, error: Exception, now: datetime) -> None:
        _LOG.warning("timer %s %s failed, attempt %d: %s", row["kind"], row["ref"], row["attempts"] + 1, error)
        backoff_s = min(MOST_BACKOFF_S, 0.5 * 2.0 ** min(row["attempts"], 20)) * random.uniform(0.75, 1.25)  # noqa: S311
        at = now + timedelta(seconds=backoff_s)
        with self._database.transaction() as tx:
            tx.execute(
                load("due")["failed"], {"id": row["id"], "at": at, "error": f"{type(error).__name__}: {error}"[:500]}
            )

    def _until_next(self, now: datetime, held: int) -> tuple[float, int]:
        """For how long nothing is to be done, s, and how often in a row it was somebody else's (`held` so far)."""
        with self._database.transaction() as tx:
            row = tx.one(load("due")["next"], {"now": now})
        assert row is not None
        pause_s = LOOK_S if row["at"] is None else min(LOOK_S, max(0.01, (row["at"] - now).total_seconds()))
        if not row["held"]:
            return pause_s, 0
        again_s = min(MOST_HELD_S, HELD_S * 2.0 ** min(held, 10)) * random.uniform(0.75, 1.25)  # noqa: S311  # jitter
        return min(pause_s, again_s), held + 1
