"""Groups of the backlog into the database: decoded, committed, and taken apart when something in them is bad."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from psycopg.errors import ForeignKeyViolation

from cloud.ingest.careful import KILLED, Careful
from cloud.ingest.channels import Channels, Session
from cloud.ingest.commit import GroupWriter, Stored
from cloud.ingest.decode import UNKNOWN_ALIAS, Columns, Fault, decode
from cloud.ingest.port import Judge, Watched
from cloud.ingest.run import RestoredError, Run
from cloud.ingest.work import Backlog, Group, Message
from cloud.metrics import Metrics
from cloud.storage import received
from cloud.storage.database import Database
from cloud.storage.received import LaneKey
from protocols.delivery import NumberSet
from protocols.errors import UnavailableError

_LOG: Final = logging.getLogger("liandong.cloud.ingest")
REFUSED: Final = "cloud.ingest.refused"
UNJUDGED: Final = "cloud.ingest.unjudged"
_REMEMBERED: Final = 10_000


class Storing:
    """The worker's way to the database. One thread. Methods may raise UnavailableError; `backlog` is right then."""

    def __init__(
        self,
        database: Database,
        backlog: Backlog,
        channels: Channels,
        judge: Judge,
        watched: Watched,
        metrics: Metrics,
        *,
        committed: Callable[[Group, Stored], None],
        unborn: Callable[[Message, Sequence[int]], None],
        on_restored: Callable[[], None],
    ) -> None:
        """`committed` is told of each group that is in the database, `on_restored` that this is an older one."""
        self._database = database
        self._backlog = backlog
        self._channels = channels
        self._judge = judge
        self._watched = watched
        self._metrics = metrics
        self._tell = committed
        self._unborn = unborn
        self._on_restored = on_restored
        self._run = Run(database.name)
        self._unexplained: OrderedDict[str, Session] = OrderedDict()
        self._remembered: OrderedDict[LaneKey, NumberSet] = OrderedDict()
        self.careful = Careful(database, self._run)

    @property
    def begun(self) -> bool:
        """Whether this worker has its row, and may open what arrives."""
        return self._run.begun

    def begin(self) -> None:
        """Before anything is opened: this worker's row, and whether another one was killed."""
        if not self._run.begun:
            self.careful.look()
            self._enter()

    def end(self) -> None:
        """Stopped in order."""
        with suppress(UnavailableError):
            self.careful.rest()
            with self._database.transaction() as tx:
                self._run.end(tx)

    def check(self) -> None:
        """Every few seconds: whether the database is still the same, and every other worker alive."""
        try:
            with self._database.transaction() as tx:
                self._run.check(tx)
        except RestoredError:
            self._restored()
        self.careful.look()

    def store_next(self) -> None:
        """The next group of the backlog."""
        parts = list(self.careful.parts(self._backlog.take()))
        for index, (part, suspect) in enumerate(parts):
            try:
                if suspect is None:
                    self._store(part)
                else:
                    self._store_alone(part, suspect)
            except (UnavailableError, RestoredError):
                self._backlog.give_back(Group(turns=[turn for later, _ in parts[index:] for turn in later.turns]))
                raise
        self.careful.rest()

    def _store_alone(self, group: Group, suspect: str) -> None:
        """A message that may have killed a worker."""
        (message,) = group.messages
        assert message.id is not None
        with self._database.transaction() as tx:
            known = received.read(tx, (message.id.epoch, message.id.lane))
        if known.contains(message.id.first, message.id.last):
            self._commit(group, [Columns()])
        elif self.careful.attempt(suspect):
            self._store(group)
        else:
            _LOG.critical("message-killed-workers topic=%s id=%s; kept unopened", *_name(message))
            self._commit(group, [Columns(faults=[Fault(code=KILLED, params={})])])

    def _store(self, group: Group) -> None:
        """Commit a group. With the database away its messages are forgotten; something bad in it is found."""
        columns = self._decode(group)
        try:
            try:
                self._commit(group, columns)
            except (RestoredError, ForeignKeyViolation):
                self._restored()
                columns = self._decode(group)
                self._commit(group, columns)
        except (UnavailableError, RestoredError):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the stream goes on
            _LOG.exception("commit-refused messages=%d turns=%d; one by one now", len(group.messages), len(group.turns))
            self._one_by_one(group, columns)

    def _decode(self, group: Group) -> list[Columns]:
        """The columns of the group's messages, without those that no birth explains until a rebirth has come."""
        kept: list[Message] = []
        columns: list[Columns] = []
        for message in group.messages:
            content = Columns() if self._is_stored(message) else self._content(message)
            if content is not None:
                kept.append(message)
                columns.append(content)
        group.messages = kept
        return columns

    def _is_stored(self, message: Message) -> bool:
        """Whether this worker knows that it will be dropped: then nothing of it need be read."""
        if message.id is None:
            return False
        known = self._remembered.get((message.id.epoch, message.id.lane))
        return known is not None and known.contains(message.id.first, message.id.last)

    def _content(self, message: Message) -> Columns | None:
        content = decode(message.payload, message.table, message.received_ms)
        if content.unborn:
            self._unborn(message, ())
        if content.unexplained and not self._after_rebirth(message):
            self._unborn(message, content.unexplained)
            if message.id is not None:
                self._metrics.messages.labels("unexplained").inc()
                return None
            content.faults = [fault for fault in content.faults if fault.code != UNKNOWN_ALIAS]
        return content

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
            groups = self._run.advance(tx)
            writer = GroupWriter(tx, self._channels, judge, self._watched, self._remembered)
            stored = writer.write(group, columns, time.time_ns() // 1_000_000)
        self._run.settle(groups)
        stored.ids.settle()
        self._remember(stored)
        self._count(stored)
        self._tell(group, stored)

    def _enter(self) -> None:
        with self._database.transaction() as tx:
            groups = self._run.begin(tx)
        self._run.settle(groups)

    def _restored(self) -> None:
        """Rows that were committed are gone. Everybody births again and sends what this database lacks."""
        _LOG.warning("database-restored; every gateway is asked what it holds")
        self._channels.forget_ids()
        self._remembered.clear()
        self._on_restored()  # when this fails, the next commit notices again
        self._run.forget()
        self.begin()

    def _remember(self, stored: Stored) -> None:
        for (_, key), numbers in stored.answers.items():
            self._remembered[key] = numbers
            self._remembered.move_to_end(key)
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def _count(self, stored: Stored) -> None:
        self._metrics.messages.labels("stored").inc(stored.fresh)
        self._metrics.messages.labels("dropped").inc(stored.dropped)
        self._metrics.readings.inc(stored.readings)
        self._metrics.events.inc(stored.events)
        for code in stored.poisoned:
            self._metrics.poison.labels(code).inc()

    def _one_by_one(self, group: Group, columns: list[Columns]) -> None:
        """Each thing in a transaction of its own, so that what is bad harms nothing else."""
        for turn in group.turns:
            try:
                self._commit(Group(turns=[turn]), [])
            except (UnavailableError, RestoredError):
                raise
            except Exception:  # noqa: BLE001 - whatever it is, the stream goes on
                _LOG.exception("turn-dropped %r", turn)
        for item in group.unread:
            self._commit(Group(unread=[item]), [])
        for message, content in zip(group.messages, columns, strict=True):
            try:
                self._commit(Group(messages=[message]), [content])
            except (UnavailableError, RestoredError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the stream goes on
                self._set_aside(message, content, error)

    def _set_aside(self, message: Message, content: Columns, error: Exception) -> None:
        """Keep a message that cannot be committed: stored without judgement if that helps, else raw alone."""
        params = {"why": str(error)[:500]}
        try:
            content.faults = [Fault(code=UNJUDGED, params=params), *content.faults]
            self._commit(Group(messages=[message]), [content], judged=False)
        except (UnavailableError, RestoredError):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the stream goes on
            _LOG.exception("message-set-aside topic=%s id=%s", message.topic, message.id)
            self._commit(Group(messages=[message]), [Columns(faults=[Fault(code=REFUSED, params=params)])])
        else:
            _LOG.critical("message-unjudged topic=%s id=%s; an alarm may be missing", *_name(message), exc_info=error)


def _not_judged(*_: object) -> None:
    """In the place of a judge that raised."""


def _name(message: Message) -> tuple[str, str]:
    return message.topic, str(message.id)
