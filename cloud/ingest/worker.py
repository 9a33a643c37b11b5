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
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from psycopg.errors import ForeignKeyViolation

from cloud.ingest.acknowledge import Answers
from cloud.ingest.channels import Channels, Session
from cloud.ingest.commit import GroupWriter, RestoredError, Stored
from cloud.ingest.decode import UNKNOWN_ALIAS, Columns, Fault, decode
from cloud.ingest.hearing import Hearing
from cloud.ingest.link import Broker, Heard, Inbox, Link
from cloud.ingest.port import Judge, Watched
from cloud.ingest.roll_call import RollCall
from cloud.ingest.work import Backlog, Group, Message
from cloud.metrics import Metrics
from cloud.registry import births
from cloud.storage.database import Database
from cloud.storage.received import LaneKey
from protocols.delivery import NumberSet
from protocols.errors import UnavailableError
from protocols.sparkplug.actions import Now, Publish, Subscribe
from protocols.sparkplug.host import REORDER_TIMEOUT, NodeKey
from protocols.sparkplug.topics import NAMESPACE

_LOG: Final = logging.getLogger("liandong.cloud.ingest")
REFUSED: Final = "cloud.ingest.refused"
UNJUDGED: Final = "cloud.ingest.unjudged"
_TICK_S: Final = 0.05
_ROOM_S: Final = 1.0
_STOP_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.1
_MOST_PAUSE_S: Final = 5.0
_REMEMBERED: Final = 10_000


class IngestWorker:
    """Reads everything below ``spBv1.0/`` and stores it. Started once, stopped once; owns its threads.

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
    ) -> None:
        """`on_restored` is called when the database turns out to be an older one: `StateHolder.bounce`."""
        self._database = database
        self._judge = judge
        self._watched = watched
        self._metrics = metrics or Metrics()
        self._inbox = Inbox()
        self._backlog = Backlog()
        self._channels = Channels()
        self._hearing = Hearing(
            self._channels, self._backlog, self._publish, self._count, reorder_timeout=reorder_timeout
        )
        self._answers = Answers(host_id, self._channels, self._publish)
        self._roll_call = RollCall(self._hearing, self._believed_online)
        self._on_restored = on_restored
        self._unexplained: OrderedDict[str, Session] = OrderedDict()
        self._remembered: OrderedDict[LaneKey, NumberSet] = OrderedDict()
        self._connected = threading.Event()
        self._stop = threading.Event()
        self._pause = _FIRST_PAUSE_S
        self._retry_at = 0.0
        self._away = False
        self._link = Link(
            broker,
            f"liandong-ingest-{uuid.uuid4().hex[:12]}",
            Subscribe(filters=(f"{NAMESPACE}/#",), qos=1),
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
    def alive(self) -> bool:
        """Whether the worker's thread runs."""
        return self._thread.is_alive()

    @property
    def storing(self) -> bool:
        """Whether the last group reached the database."""
        return not self._away

    def send(self, message: Publish) -> bool:
        """Publish on this worker's connection; False when there is none. From any thread; never waits."""
        return self._link.publish(message)

    def start(self) -> None:
        """Begin. A broker or a database that is away is waited for."""
        self._thread.start()
        self._link.start()

    def stop(self) -> None:
        """Finish the group at hand, leave the broker, and wait for the threads, bounded."""
        self._stop.set()
        self._thread.join(_STOP_S)
        self._link.stop()

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

    def _turn(self) -> None:
        ready = bool(self._backlog) and time.monotonic() >= self._retry_at
        for heard in self._inbox.take(0.0 if ready else _TICK_S):
            self._hearing.hear(heard)
        now = _now()
        if self._connected.is_set():
            self._connected.clear()
            self._metrics.connected.set(1)
            self._roll_call.begin(now)
        self._hearing.tick(now)
        self._answers.tick(now)
        try:
            if now.at >= self._retry_at:
                self._roll_call.tick(now)
                if self._backlog:
                    self._store(self._backlog.take())
        except UnavailableError as error:
            self._database_away(error)
        self._metrics.queue_depth.set(len(self._inbox) + len(self._backlog))

    def _store(self, group: Group) -> None:
        """Commit a group. With the database away its messages are forgotten; something bad in it is found."""
        columns = self._decode(group)
        try:
            try:
                self._commit(group, columns)
            except (RestoredError, ForeignKeyViolation):
                self._restored()
                self._commit(group, columns)
        except UnavailableError:
            self._backlog.give_back(group)
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the stream goes on
            _LOG.exception("commit-refused messages=%d turns=%d; one by one now", len(group.messages), len(group.turns))
            self._one_by_one(group, columns)

    def _decode(self, group: Group) -> list[Columns]:
        """The columns of the group's messages, without those that no birth explains until a rebirth has come."""
        kept: list[Message] = []
        columns: list[Columns] = []
        for message in group.messages:
            content = decode(message.payload, message.table, message.received_ms)
            if any(fault.code == UNKNOWN_ALIAS for fault in content.faults) and not self._after_rebirth(message):
                self._hearing.ask_rebirth(message.session.node, _now())
                if message.id is not None:
                    self._count("unexplained")
                    continue
                content.faults = [fault for fault in content.faults if fault.code != UNKNOWN_ALIAS]
            kept.append(message)
            columns.append(content)
        group.messages = kept
        return columns

    def _after_rebirth(self, message: Message) -> bool:
        """Whether this message could not be explained before, and its node has been born again since."""
        key = str(message.id) if message.id is not None else message.topic
        failed_in = self._unexplained.get(key)
        if failed_in is None:
            self._unexplained[key] = message.session
            if len(self._unexplained) > _REMEMBERED:
                self._unexplained.popitem(last=False)
            return False
        if failed_in is message.session:
            return False
        del self._unexplained[key]
        return True

    def _commit(self, group: Group, columns: list[Columns], *, judged: bool = True) -> None:
        if not group:
            return
        judge = self._judge if judged else _not_judged
        with self._metrics.commit_seconds.time(), self._database.transaction() as tx:
            writer = GroupWriter(tx, self._channels, judge, self._watched, self._remembered)
            stored = writer.write(group, columns, _now().utc_ms)
        stored.ids.settle()
        self._committed(group, stored)

    def _restored(self) -> None:
        """Rows that were committed are gone. Everybody births again and sends what this database lacks."""
        _LOG.warning("database-restored; every gateway is asked what it holds")
        self._channels.forget_ids()
        self._remembered.clear()
        self._on_restored()

    def _committed(self, group: Group, stored: Stored) -> None:
        now = _now()
        self._remember(stored)
        self._answers.committed(stored, now)
        self._pause, self._retry_at = _FIRST_PAUSE_S, 0.0
        if self._away:
            self._away = False
            _LOG.info("database-back")
        for message in group.messages:
            self._metrics.lag_seconds.observe(max(0.0, now.at - message.arrived))
        self._metrics.messages.labels("stored").inc(stored.fresh)
        self._metrics.messages.labels("dropped").inc(stored.dropped)
        self._metrics.readings.inc(stored.readings)
        self._metrics.events.inc(stored.events)
        for code in stored.poisoned:
            self._metrics.poison.labels(code).inc()

    def _remember(self, stored: Stored) -> None:
        for (_, key), numbers in stored.answers.items():
            self._remembered[key] = numbers
            self._remembered.move_to_end(key)
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def _one_by_one(self, group: Group, columns: list[Columns]) -> None:
        """Each thing in a transaction of its own, so that what is bad harms nothing else."""
        for index, turn in enumerate(group.turns):
            try:
                self._commit(Group(turns=[turn]), [])
            except UnavailableError:
                self._backlog.give_back(Group(turns=group.turns[index:]))
                raise
            except Exception:  # noqa: BLE001 - whatever it is, the stream goes on
                _LOG.exception("turn-dropped %r", turn)
        for item in group.unread:
            self._commit(Group(unread=[item]), [])
        for message, content in zip(group.messages, columns, strict=True):
            try:
                self._commit(Group(messages=[message]), [content])
            except UnavailableError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the stream goes on
                self._set_aside(message, content, error)

    def _set_aside(self, message: Message, content: Columns, error: Exception) -> None:
        """Keep a message that cannot be committed: stored without judgement if that helps, else raw alone."""
        params = {"why": str(error)[:500]}
        try:
            content.faults = [Fault(code=UNJUDGED, params=params), *content.faults]
            self._commit(Group(messages=[message]), [content], judged=False)
        except UnavailableError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the stream goes on
            _LOG.exception("message-set-aside topic=%s id=%s", message.topic, message.id)
            self._commit(Group(messages=[message]), [Columns(faults=[Fault(code=REFUSED, params=params)])])
        else:
            _LOG.critical("message-unjudged topic=%s id=%s; an alarm may be missing", *_name(message), exc_info=error)

    def _database_away(self, error: UnavailableError) -> None:
        self._metrics.failures.inc()
        if not self._away:
            self._away = True
            _LOG.warning("database-away %s; trying again until it is back", error)
        self._retry_at = time.monotonic() + self._pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._pause = min(_MOST_PAUSE_S, self._pause * 2)

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


def _not_judged(*_: object) -> None:
    """In the place of a judge that raised."""


def _name(message: Message) -> tuple[str, str]:
    return message.topic, str(message.id)


def _now() -> Now:
    return Now(at=time.monotonic(), utc_ms=time.time_ns() // 1_000_000)
