"""Walk tests: for some minutes the alarms of one gateway are tests, which call nobody and end with the test.

asked (somebody at the gateway wants one) → running (a person who may, said yes) → over. The end is a row of `due`: it
comes whoever was restarted meanwhile. Whether an alarm is a test is decided by the gateway's own time of what made it
fire, so that what arrives a little late is neither a real alarm nor a test by accident; a time that the gateway did not
know, and what arrives long after the end, make no test. What still holds when the test is over is raised like any other
alarm; what is told of the test afterwards is looked at again in a moment, for the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud import audit
from cloud.alerting.judge import Judge, Subject
from cloud.loop.work import Work
from cloud.loop.writer import NO_BROKER, Writer
from cloud.storage.queries import load
from protocols import commissioning
from protocols.errors import RefusedError

if TYPE_CHECKING:
    from cloud.alerting.port import AlarmStore

_LOG: Final = logging.getLogger("liandong.cloud.walktests")

END: Final = "walk-test.end"
SETTLE: Final = "walk-test.settle"
TELL: Final = "walk-test.tell"
LATER: Final = timedelta(seconds=30)
"""What arrives for a test that is over may still be followed by its own clearing; this long."""
DELIVERED: Final = timedelta(minutes=5)
"""So long after its end a test takes what was on its way; what a gateway tells of it later may have a wrong time."""

Store = Callable[[Work], "AlarmStore"]


def begin(work: Work, gateway: DictRow, identity: UUID, minutes: int) -> None:
    """It runs from now on, for the person who acts. The same tap is the same test.

    Raises RefusedError when another one of this gateway runs, or this one is over.
    """
    sql, which = load("walktests"), {"gateway": gateway["id"]}
    work.tx.execute(sql["hold"], {"gateway": str(gateway["id"])})
    known, opened = work.tx.one(sql["by_id"], {"id": identity}), work.tx.one(sql["open"], which)
    if known is not None and (known["gateway_id"], known["person_id"]) == (gateway["id"], work.person):
        return
    if known is not None and (known["gateway_id"] != gateway["id"] or known["state"] != "asked"):
        raise RefusedError("cloud.walk-test.over")
    if opened is not None and opened["id"] != identity:
        raise RefusedError("cloud.walk-test.open", gateway=gateway["code"])
    due_at = work.now + timedelta(minutes=minutes)
    new = which | {"id": identity, "minutes": minutes, "now": work.now, "person": work.person, "due_at": due_at}
    work.tx.execute(sql["begin"], new)
    work.timer(END, f"{identity}/due", due_at)
    work.timer(TELL, str(identity), work.now)
    work.touched.tests.add(identity)
    _LOG.info("walk-test-begun id=%s gateway=%s minutes=%d", identity, gateway["code"], minutes)


def stop(work: Work, gateway: DictRow) -> UUID | None:
    """A person wants it to end now; its id, None when there is none."""
    found = work.tx.one(load("walktests")["open"], {"gateway": gateway["id"]})
    if found is None:
        return None
    work.timer(END, f"{found['id']}/stop", work.now)
    return UUID(str(found["id"]))


def settle_later(work: Work, test: UUID) -> None:
    """Something was told of this test: if it is over by now, what outlasts it must be found."""
    row = work.tx.one(load("walktests")["by_id"], {"id": test})
    if row is not None and (row["state"] == "over" or row["due_at"] <= work.now):
        work.timer(SETTLE, str(test), work.now + LATER)
        work.tx.wake_due()


class WalkTests:
    """The timers of walk tests. `judge` is the one of ingest; `store` makes its storage in a transaction."""

    def __init__(self, judge: Judge, store: Store, writer: Writer) -> None:
        self._judge, self._store, self._writer = judge, store, writer

    def end(self, work: Work, ref: str) -> datetime | None:
        """Handler of `walk-test.end` (ref: id, id/due, id/stop): it is over."""
        identity, _, why = ref.partition("/")
        row = _locked(work, UUID(identity))
        if row is None or row["state"] == "over" or (why == "" and row["state"] != "asked"):
            return None
        if why == "due" and work.now < row["due_at"]:
            return row["due_at"]  # type: ignore[no-any-return]
        work.tx.execute(load("walktests")["over"], {"id": row["id"], "now": work.now})
        subject = f"{row['group_code']}/{row['gateway_code']}"
        told = {"test": row["id"], "why": why or "unanswered"}
        audit.record(work.tx, work.now, "walk-test.over", person=None, subject=subject, place=row["place_id"], **told)
        _LOG.info("walk-test-over id=%s gateway=%s", row["id"], row["gateway_code"])
        work.timer(TELL, f"{row['id']}/over", work.now)
        if row["state"] == "running":
            self._settle(work, row["id"])
            # Ingest may be raising an alarm of the test at this moment, without having seen its end.
            work.timer(SETTLE, f"{row['id']}/end", work.now + LATER)
        return None

    def settle(self, work: Work, ref: str) -> datetime | None:
        """Handler of `walk-test.settle` (ref: id, id/end): nothing outlasts the test as a test."""
        row = _locked(work, UUID(ref.partition("/")[0]))
        if row is None:
            return None
        if row["state"] != "over":
            return work.now + LATER
        self._settle(work, row["id"])
        return None

    def tell(self, work: Work, ref: str) -> datetime | None:
        """Handler of `walk-test.tell` (ref: id, id/over): the gateway is told, and again while the test runs."""
        identity, _, over = ref.partition("/")
        row = _locked(work, UUID(identity))
        if row is None or (not over and row["state"] != "running"):
            return None
        left_s = 0.0 if over else max(0.0, (row["due_at"] - work.now).total_seconds())
        said = {"state": "over" if over else "running", "left_s": left_s}
        if not self._writer.write(work, row, commissioning.METRIC, said) and not over:
            return work.now + NO_BROKER
        return None if over else work.now + timedelta(seconds=commissioning.REPEAT_S)

    def _settle(self, work: Work, test: UUID) -> None:
        sql = load("walktests")
        subjects = {row["device_id"]: Subject(**row) for row in work.tx.fetch(sql["subjects"], {"test": test})}
        self._judge.end_test(self._store(work), test, subjects, work.now)
        ticks = work.tx.fetch(sql["ticks"], {"test": test})
        columns: dict[str, Any] = {
            "devices": [row["device_id"] for row in ticks],
            "results": [row["result"] for row in ticks],
            "whats": [row["what"] for row in ticks],
            "ats": [row["at"] for row in ticks],
        }
        work.tx.execute(sql["keep"], {"test": test, **columns})


def _locked(work: Work, identity: UUID) -> DictRow | None:
    return work.tx.one(load("walktests")["lock"], {"id": identity, "metric": commissioning.METRIC})
