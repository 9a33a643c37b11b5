"""How long what arrived has waited for the database, and the word to the operators when that is too long.

Nothing is dropped for it: gateways hold what is not acknowledged, and send more slowly. But what is late is late, and
an alarm may be among it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from cloud import audit
from cloud.storage.database import Database, StreamEvent
from cloud.storage.queries import load
from protocols.sparkplug.actions import Now

_LOG: Final = logging.getLogger("liandong.cloud.ingest")
LATE_S: Final = 10.0
IN_TIME_S: Final = 2.0
"""Below this it counts as caught up: not the same bound, so that nobody is told every second."""


class Lag:
    """Watches one worker, or all of them. `tick` belongs to its thread; the rest may be asked from any."""

    def __init__(self, database: Database, oldest: Callable[[], float | None]) -> None:
        """`oldest`: when the oldest message that waits arrived (monotonic seconds), None when none does.

        `others`: how long (s) what other workers have heard waits; None while another worker speaks for all of them.
        """
        self._database = database
        self._oldest = oldest
        self.others: Callable[[], float | None] = lambda: 0.0
        self._late = False
        self._begun = False

    @property
    def late(self) -> bool:
        """Whether operators were told that the cloud lags behind."""
        return self._late

    def seconds(self) -> float:
        """How long the oldest message has waited."""
        oldest = self._oldest()
        return 0.0 if oldest is None else max(0.0, time.monotonic() - oldest)

    def tick(self, now: Now) -> None:
        """Tell when it has become late, and when it has caught up. Raises UnavailableError: then it is told later."""
        others = self.others()
        if others is None:
            self._late, self._begun = self.seconds() > (IN_TIME_S if self._late else LATE_S), False
            return
        if not self._begun:
            self._late, self._begun = self._was_late(), True
        oldest = self._oldest()
        waited = max(0.0 if oldest is None else now.at - oldest, others)
        late = waited > IN_TIME_S if self._late else waited > LATE_S
        if late == self._late:
            return
        kind = "ingest.late" if late else "ingest.in-time"
        at = datetime.fromtimestamp(now.utc_ms / 1000, UTC)
        with self._database.transaction() as tx:
            for row in tx.fetch(load("places")["roots"]):
                data = {"late": late, "seconds": round(waited)}
                tx.publish(StreamEvent(kind="lag", key="ingest", data=data, place_id=row["id"]))
            audit.record(tx, at, kind, person=None, seconds=round(waited))
        self._late = late
        _LOG.log(logging.WARNING if late else logging.INFO, "%s seconds=%.0f", kind, waited)

    def _was_late(self) -> bool:
        """Whether a worker before this one was killed while it lagged: somebody has to say that it is over."""
        with self._database.transaction() as tx:
            row = tx.one(load("stream")["newest_lag"])
        return row is not None and bool(row["data"]["late"])
