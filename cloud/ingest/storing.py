"""Groups of the backlog into the database: decoded, committed, and taken apart when something in them is bad."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Final

from psycopg.errors import ForeignKeyViolation

from cloud.ingest.bulk import Content
from cloud.ingest.careful import KILLED, Careful
from cloud.ingest.channels import Channels
from cloud.ingest.commit import GroupWriter, OvertakenError, Stored
from cloud.ingest.decode import Columns, Fault
from cloud.ingest.flight import Flight
from cloud.ingest.opening import Opening
from cloud.ingest.port import Judge, Watched
from cloud.ingest.run import RestoredError, Run
from cloud.ingest.work import Backlog, Group, Message
from cloud.metrics import Metrics
from cloud.storage import received
from cloud.storage.database import Database, Transaction
from protocols.errors import UnavailableError

_LOG: Final = logging.getLogger("liandong.cloud.ingest")
REFUSED: Final = "cloud.ingest.refused"
UNJUDGED: Final = "cloud.ingest.unjudged"
LARGE: Final = 5_000
"""Readings of a group that is worth another thread; a smaller one is stored before that has woken up."""
_GLANCE_S: Final = 0.005
_BESIDE_MS: Final = 200
"""How long what is urgent waits for a lock while bulk is on its way: another worker may hold it and wait for ours."""

_SINGLE_S: Final = 60.0
"""How long nothing takes off before the last has landed, once that failed: a server may have no connection to spare."""


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
        self._on_restored = on_restored
        self._run = Run(database.name)
        self._opening = Opening(channels, metrics, unborn)
        self._copier = ThreadPoolExecutor(1, thread_name_prefix="ingest-copy")
        self._flight: Flight | None = None
        """The last one that took off; one before it is landing at most, in `_land`."""
        self._at_hand: Group | None = None
        self._blocked = False
        self._single_until = 0.0
        self._prepared: tuple[Group, Content] | None = None
        self.careful = Careful(database, self._run)

    @property
    def busy(self) -> bool:
        """Whether there is something to do beside the backlog."""
        return self._flight is not None or self._prepared is not None

    @property
    def oldest(self) -> float | None:
        """When the oldest message arrived that has left the backlog and is not stored yet (monotonic seconds)."""
        flight, prepared, at_hand = self._flight, self._prepared, self._at_hand
        groups = (flight and flight.group, prepared and prepared[0], at_hand)
        # The worker's thread may empty a group at this moment.
        heads = (next(iter(group.messages), None) for group in groups if group)
        return min((head.arrived for head in heads if head is not None), default=None)

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
        with suppress(UnavailableError, RestoredError):
            if self._flight is not None:
                self._land(self._flight, None)
        self._copier.shutdown()
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
        """The next step: a group, or what can be done while one is on its way."""
        if self._flight is not None and not self._flight.ready:
            self._meanwhile(self._flight)
        elif self._flight is not None:
            flight = self._flight
            self._land(flight, self._follower(flight))
        elif self._prepared is not None and not self._backlog.is_pressing:
            prepared, self._prepared = self._prepared, None
            self._store(*prepared)
        else:
            self._store_parts(self._backlog.take())

    def _follower(self, flight: Flight) -> Flight | None:
        """What was opened during a flight takes off before that lands, or the server would stand still meanwhile.

        What is urgent goes beside it, unless it could not go beside the last one. When it cannot begin it does so once
        the first has landed.
        """
        if self._prepared is None or self._blocked or self._backlog.has_turns or self._backlog.has_plain:
            return None
        if not self._is_large(*self._prepared):
            return None
        if time.monotonic() < self._single_until:
            return None
        follower = Flight(*self._prepared)
        try:
            follower.take_off(self._database, self._writer, self._copier, flight.sets)
        except Exception as error:  # noqa: BLE001 - it takes off once more by itself, and fails where that is dealt with
            _LOG.warning("no-second-flight %s", error)
            self._single_until = time.monotonic() + _SINGLE_S
            return None
        self._prepared = None
        return follower

    def _meanwhile(self, flight: Flight) -> None:
        """While readings are appended: what is urgent is stored beside them, what comes next is opened."""
        if self._backlog.is_urgent and not self._backlog.has_turns and not self._blocked and not self.careful.on:
            group = self._backlog.take_urgent()
            try:
                self._store(group, self._opening.open(group), beside=True)
            except UnavailableError:
                self._backlog.put_first(group.messages)
                self._blocked = True
        elif self._prepared is None and self._backlog.has_much_bulk and not self.careful.on:
            group = self._backlog.take_bulk()
            self._prepared = group, self._opening.open(group)
        else:
            flight.wait(_GLANCE_S)

    def _store_parts(self, group: Group) -> None:
        parts = list(self.careful.parts(group))
        for index, (part, suspect) in enumerate(parts):
            try:
                if suspect is None:
                    self._store(part, self._opening.open(part))
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
            (known,) = received.read(tx, [(message.id.epoch, message.id.lane)]).values()
        if known.contains(message.id.first, message.id.last):
            self._commit(group, Content(columns=[Columns()]))
        elif self.careful.attempt(suspect):
            self._store(group, self._opening.open(group))
        else:
            _LOG.critical("message-killed-workers topic=%s id=%s; kept unopened", *_name(message))
            self._commit(group, Content(columns=[Columns(faults=[Fault(code=KILLED, params={})])]))

    def _store(self, group: Group, content: Content, *, beside: bool = False) -> None:
        """Store a group, a large one by a flight; `beside`: one is on its way."""
        if not beside and self._is_large(group, content):
            self._attempt(group, content, lambda: self._take_off(group, content))
        else:
            self._attempt(group, content, lambda: self._commit(group, content, beside=beside))

    def _attempt(self, group: Group, content: Content, act: Callable[[], None]) -> None:
        """Commit a group. With the database away its messages are forgotten; something bad in it is found."""
        self._at_hand = group
        try:
            try:
                act()
            except (RestoredError, ForeignKeyViolation):
                self._restored()
                content = self._opening.open(group)
                self._commit(group, content)
        except (UnavailableError, RestoredError):
            self._prepared = None
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the stream goes on
            _LOG.exception("commit-refused messages=%d turns=%d; one by one now", len(group.messages), len(group.turns))
            self._one_by_one(group, content)
        finally:
            self._at_hand = None

    def _is_large(self, group: Group, content: Content) -> bool:
        """Whether a group is worth a flight, and needs no rows that are not there yet."""
        if len(content.numbers) < LARGE or group.turns or group.unread or self.careful.on:
            return False
        known = all(message.id is not None and message.table.station.device_id for message in group.messages)
        return known and bool(self._channels.directory.series[content.numbers.channel].all())

    def _take_off(self, group: Group, content: Content) -> None:
        flight = Flight(group, content)
        flight.take_off(self._database, self._writer, self._copier, {})
        self._flight, self._blocked = flight, False

    def _land(self, flight: Flight, follower: Flight | None) -> None:
        self._flight, self._blocked = follower, False

        def land() -> None:
            try:
                stored, groups = flight.land(self._run.advance)
            except OvertakenError:
                _LOG.info("flight-overtaken messages=%d; once more, step by step", len(flight.group.messages))
                self._commit(flight.group, flight.content)
                return
            self._metrics.commit_seconds.observe(flight.seconds)
            self._committed(flight.group, stored, groups)

        self._attempt(flight.group, flight.content, land)

    def _writer(self, tx: Transaction) -> GroupWriter:
        return GroupWriter(tx, self._channels, self._judge, self._watched, self._opening.remembered)

    def _commit(self, group: Group, content: Content, *, judged: bool = True, beside: bool = False) -> None:
        if not group:
            return
        judge = self._judge if judged else _not_judged
        with self._metrics.commit_seconds.time(), self._database.transaction() as tx:
            if beside:
                tx.be_impatient(_BESIDE_MS)
            groups = self._run.advance(tx)
            writer = GroupWriter(tx, self._channels, judge, self._watched, self._opening.remembered)
            stored = writer.write(group, content, time.time_ns() // 1_000_000)
        self._committed(group, stored, groups)

    def _committed(self, group: Group, stored: Stored, groups: int) -> None:
        self._run.settle(groups)
        stored.ids.settle()
        self._opening.remember(stored)
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
        self._opening.forget()
        self._prepared = None
        if self._flight is not None:
            self._flight.give_up()
            self._flight = None
        self._on_restored()  # when this fails, the next commit notices again
        self._run.forget()
        self.begin()

    def _count(self, stored: Stored) -> None:
        self._metrics.messages.labels("stored").inc(stored.fresh)
        self._metrics.messages.labels("dropped").inc(stored.dropped)
        self._metrics.readings.inc(stored.readings)
        self._metrics.events.inc(stored.events)
        for code in stored.poisoned:
            self._metrics.poison.labels(code).inc()

    def _one_by_one(self, group: Group, content: Content) -> None:
        """Each thing in a transaction of its own, so that what is bad harms nothing else."""
        for turn in group.turns:
            try:
                self._commit(Group(turns=[turn]), Content())
            except (UnavailableError, RestoredError):
                raise
            except Exception:  # noqa: BLE001 - whatever it is, the stream goes on
                _LOG.exception("turn-dropped %r", turn)
        for item in group.unread:
            self._commit(Group(unread=[item]), Content())
        for index, message in enumerate(group.messages):
            said = content.only([index])
            try:
                self._commit(Group(messages=[message]), said)
            except (UnavailableError, RestoredError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the stream goes on
                self._set_aside(message, said, error)

    def _set_aside(self, message: Message, content: Content, error: Exception) -> None:
        """Keep a message that cannot be committed: stored without judgement if that helps, else raw alone."""
        params = {"why": str(error)[:500]}
        (said,) = content.columns
        marked = replace(said, faults=[Fault(code=UNJUDGED, params=params), *said.faults])
        try:
            self._commit(Group(messages=[message]), replace(content, columns=[marked]), judged=False)
        except (UnavailableError, RestoredError):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the stream goes on
            _LOG.exception("message-set-aside topic=%s id=%s", message.topic, message.id)
            refused = Columns(faults=[Fault(code=REFUSED, params=params)])
            self._commit(Group(messages=[message]), Content(columns=[refused]))
        else:
            _LOG.critical("message-unjudged topic=%s id=%s; an alarm may be missing", *_name(message), exc_info=error)


def _not_judged(*_: object) -> None:
    """In the place of a judge that raised."""


def _name(message: Message) -> tuple[str, str]:
    return message.topic, str(message.id)
