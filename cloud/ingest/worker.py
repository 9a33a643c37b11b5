"""The ingest worker: one connection to the broker, one thread that decides, stores and acknowledges.

It has no STATE and no will of its own: when it dies, gateways see late acknowledgements and nothing else. Whatever did
not commit was never acknowledged and comes again.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from cloud.ingest.acknowledge import Answers
from cloud.ingest.careful import KILLED
from cloud.ingest.channels import Channels
from cloud.ingest.commit import Stored
from cloud.ingest.hearing import Hearing
from cloud.ingest.lag import Lag
from cloud.ingest.link import Broker, Heard, Inbox, Link
from cloud.ingest.port import Judge, Watched
from cloud.ingest.roll_call import RollCall
from cloud.ingest.storing import Storing
from cloud.ingest.work import Backlog, Group, Unread
from cloud.metrics import Metrics
from cloud.registry import births
from cloud.storage.database import Database
from protocols.errors import UnavailableError
from protocols.sparkplug.actions import Now, Publish, Subscribe
from protocols.sparkplug.host import REORDER_TIMEOUT, NodeKey
from protocols.sparkplug.topics import NAMESPACE

_LOG: Final = logging.getLogger("liandong.cloud.ingest")
_TICK_S: Final = 0.05
_ROOM_S: Final = 1.0
_STOP_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.1
_MOST_PAUSE_S: Final = 5.0
CHECK_S: Final = 5.0
"""How often an idle worker looks whether the database is still the one it knows; each commit looks anyway."""
_CHECK_BUSY_S: Final = 30.0
_LAGGING_S: Final = 1.0
_MOST_LAGGING: Final = 100
_LOOKED_THROUGH: Final = 2_000
"""Messages of each lane that are looked through, once a second, for the groups that lag."""


class IngestWorker:
    """Reads everything below ``spBv1.0/``, or its share of it, and stores it. Started once, stopped once.

    `judge` runs inside each commit, in the worker's thread; `watched` says which readings it wants (see `port`).
    """

    def __init__(
        self,
        database: Database,
        broker: Broker,
        host_id: str,
        judge: Judge,
        watched: Watched,
        *,
        metrics: Metrics | None = None,
        reorder_timeout: float = REORDER_TIMEOUT,
        on_restored: Callable[[], None] = lambda: None,
        shared: bool = False,
    ) -> None:
        """`on_restored` is called when the database turns out to be an older one: `StateHolder.bounce`.

        With `shared` nothing is listened to before `carry` (see `shares`).
        """
        self._database = database
        self._metrics = metrics or Metrics()
        self._inbox = Inbox()
        self._backlog = Backlog()
        self._channels = Channels()
        self._hearing = Hearing(
            self._channels, self._backlog, self._publish, self._count, reorder_timeout=reorder_timeout
        )
        self._answers = Answers(host_id, self._channels, self._publish)
        self._roll_call = RollCall(self._hearing, self._believed_online)
        self._storing = Storing(
            database,
            self._backlog,
            self._channels,
            judge,
            watched,
            self._metrics,
            committed=self._committed,
            unborn=lambda message, places: self._hearing.unborn(message, places, _now()),
            on_restored=on_restored,
        )
        self._lag = Lag(database, self._oldest)
        self._metrics.waiting.set_function(self._lag.seconds)
        self._connected = threading.Event()
        self._stop = threading.Event()
        self._pause = _FIRST_PAUSE_S
        self._retry_at = 0.0
        self._check_at = 0.0
        self._away_since: float | None = None
        self._carried: frozenset[str] | None = frozenset() if shared else None
        self._moves: deque[frozenset[str] | None] = deque([frozenset[str]()] if shared else [])
        self._waits: dict[str, float] = {}
        self._waits_at = 0.0
        self._link = Link(
            broker,
            f"liandong-ingest-{uuid.uuid4().hex[:12]}",
            Subscribe(filters=tuple(_filters(self._carried)), qos=0),
            on_message=self._arrived,
            on_up=self._connected.set,
            on_down=lambda: self._metrics.connected.set(0),
        )
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._link.up

    @property
    def listens(self) -> bool:
        """Whether it was told to listen to anything."""
        return self._link.started

    @property
    def alive(self) -> bool:
        """Whether the worker's thread runs."""
        return self._thread.is_alive()

    @property
    def storing(self) -> bool:
        """Whether the last group reached the database."""
        return self._away_since is None

    @property
    def in_time(self) -> bool:
        """Whether what arrives is stored soon (see `lag`)."""
        return not self._lag.late

    def send(self, message: Publish) -> bool:
        """Publish on this worker's connection; False when there is none. From any thread; never waits."""
        return self._link.publish(message)

    def carry(self, groups: frozenset[str] | None) -> None:
        """Listen to these groups and to no others; None: to all. From any thread; returns when the broker knows."""
        if groups == self._carried:
            return
        self._carried = groups
        self._moves.append(groups)
        if not self._link.subscribe(_filters(groups)):
            self._link.drop()
        self._listen_to_broker()

    def speak_for(self, others: Callable[[], float | None]) -> None:
        """Who tells the operators that the cloud lags behind; see `Lag`."""
        self._lag.others = others

    def figures(self) -> dict[str, Any]:
        """How this worker stands, for the others and for people; from any thread. `lagging`: group → seconds."""
        now, waiting = time.monotonic(), self._lag.seconds()
        found = {group: round(now - at, 1) for group, at in self._waits.items() if now - at >= _LAGGING_S}
        worst = sorted(found, key=found.__getitem__, reverse=True)[:_MOST_LAGGING]
        return {
            "waiting_s": round(waiting, 3),
            "late_s": round(waiting) if self._lag.late else None,
            "queue": len(self._inbox) + len(self._backlog),
            "connected": self.connected,
            "storing": self.storing,
            "lagging": {group: found[group] for group in worst},
            **self._metrics.totals(),
        }

    def start(self) -> None:
        """Begin. A broker or a database that is away is waited for."""
        self._thread.start()
        self._listen_to_broker()

    def stop(self) -> None:
        """Finish the group at hand, leave the broker, and wait for the threads, bounded."""
        self._stop.set()
        self._thread.join(_STOP_S)
        self._link.stop()

    def _listen_to_broker(self) -> None:
        """Connect, once there is something to listen to."""
        if self._carried != frozenset() and self._thread.is_alive() and not self._link.started:
            self._link.start()

    def _arrived(self, heard: Heard) -> None:
        """In the connection's thread: while there is no room it waits, and so does the broker."""
        if "/NCMD/" in heard.topic or "/DCMD/" in heard.topic or heard.topic.startswith(f"{NAMESPACE}/STATE/"):
            return
        if not self._inbox.put(heard, _ROOM_S):
            self._count("no-room")

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except Exception:  # noqa: BLE001 - the thread must not die; what was not acknowledged comes again
                _LOG.exception("ingest-turn-failed")
                self._stop.wait(_FIRST_PAUSE_S)
        self._storing.end()

    def _turn(self) -> None:
        if not self._begun():
            self._stop.wait(_TICK_S)
            return
        self._move()
        self._listen()
        now = _now()
        if self._connected.is_set():
            self._connected.clear()
            self._metrics.connected.set(1)
            self._roll_call.begin(now)
        self._hearing.tick(now)
        self._answers.tick(now)
        if now.at >= self._retry_at:
            self._with_the_database(now)
        self._metrics.queue_depth.set(len(self._inbox) + len(self._backlog))
        if now.at >= self._waits_at:
            self._waits, self._waits_at = self._backlog.waiting(_LOOKED_THROUGH), now.at + 1.0

    def _move(self) -> None:
        """Other groups are ours."""
        while self._moves:
            groups = self._moves.popleft()
            new = self._hearing.carry(groups)
            if new or groups is None:
                self._roll_call.include(new or None, _now())

    def _begun(self) -> bool:
        """Nothing is opened before it is known whether it has killed somebody."""
        if time.monotonic() < self._retry_at:
            return self._storing.begun
        try:
            self._storing.begin()
        except UnavailableError as error:
            self._database_away(error)
        return self._storing.begun

    def _listen(self) -> None:
        """Hear what has arrived. With a backlog that is full it waits outside, and in the end at the broker."""
        ready = (bool(self._backlog) or self._storing.busy) and time.monotonic() >= self._retry_at
        if self._backlog.full:
            self._stop.wait(0.0 if ready else _TICK_S)
            return
        for heard in self._inbox.take(0.0 if ready else _TICK_S):
            if not (self._storing.careful.on and self._hear_carefully(heard)):
                self._hearing.hear(heard)

    def _hear_carefully(self, heard: Heard) -> bool:
        """Whether this was a birth that had to be opened alone, and was dealt with."""
        is_birth = "/NBIRTH/" in heard.topic or "/DBIRTH/" in heard.topic
        careful = self._storing.careful
        if not is_birth or heard.retained or not careful.suspects_birth(heard.topic):
            return False
        try:
            if careful.attempt(heard.topic):
                self._hearing.hear(heard)
                while self._backlog or self._storing.busy:
                    self._storing.store_next()
            else:
                _LOG.critical("birth-killed-workers topic=%s; kept unopened", heard.topic)
                self._backlog.unread(Unread(topic=heard.topic, payload=heard.payload, code=KILLED, what=""))
        except UnavailableError as error:
            self._database_away(error)
        return True

    def _with_the_database(self, now: Now) -> None:
        try:
            self._roll_call.tick(now)
            self._lag.tick(now)  # before what waits is taken: it has waited however soon it is stored now
            if self._backlog or self._storing.busy:
                self._storing.store_next()
            if now.at >= self._check_at and (not self._backlog or now.at >= self._check_at + _CHECK_BUSY_S):
                self._check_at = now.at + CHECK_S
                self._storing.check()
                self._database_answers()
        except UnavailableError as error:
            self._database_away(error)

    def _committed(self, group: Group, stored: Stored) -> None:
        now = _now()
        self._answers.committed(stored, now)
        self._database_answers()
        for message in group.messages:
            self._metrics.lag_seconds.observe(max(0.0, now.at - message.arrived))

    def _database_answers(self) -> None:
        self._pause, self._retry_at = _FIRST_PAUSE_S, 0.0
        if self._away_since is not None:
            self._away_since = None
            _LOG.info("database-back")

    def _database_away(self, error: UnavailableError) -> None:
        self._metrics.failures.inc()
        if self._away_since is None:
            self._away_since = time.monotonic()
            _LOG.warning("database-away %s; trying again until it is back", error)
        self._retry_at = time.monotonic() + self._pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._pause = min(_MOST_PAUSE_S, self._pause * 2)

    def _oldest(self) -> float | None:
        """Since when something waits: what arrived first, or the database, for which gateways hold everything back."""
        found = (self._inbox.oldest, self._backlog.oldest, self._storing.oldest, self._away_since)
        return min((at for at in found if at is not None), default=None)

    def _believed_online(self) -> list[NodeKey]:
        with self._database.transaction() as tx:
            return [*births.online_nodes(tx), *self._channels.sessions]

    def _publish(self, message: Publish) -> None:
        self._link.publish(message)

    def _count(self, outcome: str) -> None:
        if outcome == "rebirth":
            self._metrics.rebirths.inc()
        else:
            self._metrics.messages.labels(outcome).inc()


def _filters(groups: frozenset[str] | None) -> frozenset[str]:
    """One filter per group: with several, some brokers would not keep the order between births and data."""
    return frozenset({f"{NAMESPACE}/#"} if groups is None else {f"{NAMESPACE}/{group}/#" for group in groups})


def _now() -> Now:
    return Now(at=time.monotonic(), utc_ms=time.time_ns() // 1_000_000)
