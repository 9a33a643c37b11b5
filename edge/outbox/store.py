"""The outbox file: what was observed is on the disk before it goes to the wire, until the cloud has it (and longer).

`Outbox` may be used from several threads. Writing and reading have a connection each, so the uplink never waits for a
flush of the disk to read what it sends next. Locks are taken in the order writing, reading.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from edge.outbox.blocks import START, Block, Commit, NewBlock, Position, RuleRecord
from edge.outbox.body import Part, pack
from edge.outbox.confirming import Confirming
from edge.outbox.cramped import Cramped, bounded, open_in_memory, without_room
from edge.outbox.database import set_aside, transaction
from edge.outbox.declaring import Given, declarations, settle
from edge.outbox.holdings import LANES, Totals, key
from edge.outbox.losses import Loss
from edge.outbox.mirror import Mirror
from edge.outbox.opening import Opening
from edge.outbox.quota import Quota
from edge.outbox.rewriting import Rewriting
from edge.outbox.stamp import Boot
from edge.outbox.statements import statements
from edge.outbox.states import States, rows_of
from edge.outbox.tending import Fresh
from edge.outbox.waiting import Queue
from protocols.delivery import Lane, MessageId, NumberSet
from protocols.errors import StorageError
from protocols.sparkplug.births import OutboxState

__all__ = ["LANES", "START", "Block", "Commit", "NewBlock", "Outbox", "Position", "RuleRecord"]

_ONE_BOOT: Final = uuid.UUID(int=0)
_SQL: Final = statements("edge.outbox", "statements.sql")


@dataclass(frozen=True, slots=True)
class _Packed:
    """A block on its way to the disk: how many messages and observations, and the body."""

    lane: Lane
    messages: int
    readings: int
    body: bytes


class Outbox:
    """One opening of the outbox file, with an epoch of its own."""

    def __init__(
        self,
        path: Path,
        *,
        now_ms: int,
        quota: Quota,
        boot: uuid.UUID = _ONE_BOOT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open or make `path`; a corrupt file is set aside (`was_set_aside`). Raises as `open_database`.

        On a full disk it is kept in memory (`cramped`) until `move_to_disk`.

        `boot`: of the machine, for stamps whose wall time is not known yet (`edge.outbox.stamp`). `monotonic` (s) says
        when merging is due.
        """
        self._path, self._quota, self._boot, self._monotonic = path, quota, boot, monotonic
        self._writing, self._reading = threading.RLock(), threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._states = States()
        self._mirror = Mirror(path.with_name(f"{path.stem}-states.db"))
        self.was_set_aside: tuple[Path, str] | None = None
        self.cramped: Cramped | None = None
        try:
            self._open(now_ms)
        except StorageError as error:
            if error.code != "edge.storage.corrupt":
                self._mirror.close()
                raise
            self._begin_anew(error, now_ms, {})
        self._mirror.follow(self._opening.write)

    @property
    def epoch(self) -> uuid.UUID:
        """The epoch of this opening."""
        return self._opening.epoch

    @property
    def totals(self) -> Totals:
        """What the file holds, kept up to date in RAM."""
        return self._opening.holdings.totals

    @property
    def salvaged(self) -> int:
        """Messages that were read out of the file that was set aside."""
        return self._opening.salvaged

    @property
    def quota(self) -> Quota:
        """What it may hold."""
        return self._opening.room.quota

    def set_quota(self, quota: Quota) -> None:
        """From the next commit on it may hold `quota`."""
        with self._writing:
            self._quota = quota
            self._opening.room.quota = quota if self.cramped is None else bounded(quota)

    def on_append(self, listener: Callable[[], None]) -> None:
        """Call `listener` (from the appending thread, quickly) after every commit that adds messages."""
        self._listeners.append(listener)

    def append(self, commit: Commit) -> list[Loss]:
        """Put `commit` on the disk, whole or not at all. Returns losses that are to be told (with `Commit.told`).

        One block per lane, in which each of `commit.blocks` is a message with a number. Raises StorageError;
        ``edge.storage.corrupt`` means that `reopen` is due.
        """
        packed = [_packed(lane, commit.blocks) for lane in dict.fromkeys(new.lane for new in commit.blocks)]
        states = rows_of(commit)
        with self._writing:
            if self._opening.broken is not None:
                raise self._opening.broken
            with self._opening.failing(), transaction(self._opening.write):
                firsts = [self._give(new.lane, new.messages) for new in packed]
                for first, new in zip(firsts, packed, strict=True):
                    self._put(new.lane, first, first + new.messages - 1, new.messages, new.body)
                self._states.put(self._opening.write, states)
                self._opening.losses.tell(commit.told)
            self._states.note(states)
            if any(states):
                self._mirror.write(lambda copy: self._states.put(copy, states), self._opening.write)
            self._opening.losses.forget(commit.told)
            for first, new in zip(firsts, packed, strict=True):
                self._added(first, new)
            with suppress(StorageError), self._opening.failing():  # `commit` is on the disk: the next one makes room
                self._opening.room.make()
            losses = self._opening.losses.give(without="thinned" if self._rewriting.thinning else "")
        if packed:
            for listener in self._listeners:
                listener()
        return losses

    def queued(self, lane: Lane, after: Position, limit: int, *, unresolved: bool = True) -> list[Block]:
        """At most `limit` messages of `lane` that the cloud lacks, in the order of sending, behind `after`.

        They count as sent from now on: what this opening handed out is neither merged nor thinned. Without
        `unresolved`, messages whose time is not known yet end the list.
        """
        with self._reading, self._opening.failing():
            found = list(islice(self._queue.messages(lane, after, unresolved=unresolved), limit))
        return self._noted(lane, found)

    def acknowledge(self, epoch: uuid.UUID, lane: Lane, received: NumberSet, speaks: NumberSet) -> bool:
        """The cloud says which of the numbers in `speaks` it has. Returns whether something must be sent (again).

        A block is confirmed as a whole; what is confirmed of a part of it is known in RAM only. Neither need survive a
        power cut: what is sent twice is dropped there.
        """
        row = self._opening.rows.get(epoch)
        if row is None:
            return False
        with self._writing:
            numbers = self._opening.holdings.of(row, lane)
            lacking = speaks - received
            forgotten = numbers.has & lacking & numbers.waiting
            again = numbers.acknowledged & lacking - numbers.dropped
            before = numbers.has
            numbers.has = ((numbers.has - speaks) | (received & speaks)) & numbers.held
            try:
                with self._opening.failing():
                    done = self._confirming.confirm(row, lane, numbers)
                    self._confirming.requeue(row, lane, numbers, again)
                    if done:
                        self._opening.room.make()
                    if row != self._opening.row:
                        settle(self._opening.write, row, lane, numbers)
            except StorageError:
                numbers.has = before  # so it is sent again, and answered again: of an older epoch nothing else would be
                raise
        return bool(again or forgotten)

    def drop(self, message: MessageId) -> None:
        """Delete a message that cannot be read. On a disk that refuses, it is passed over until the next opening."""
        row = self._opening.rows[message.epoch]
        gone = NumberSet([(message.first, message.last)])
        with self._writing:
            numbers = self._opening.holdings.of(row, message.lane)
            numbers.dropped |= gone & numbers.waiting
            with suppress(sqlite3.Error), transaction(self._opening.write):
                self._confirming.drop(row, message, numbers, gone)

    def tend(self) -> bool:
        """One step of housekeeping, bounded in time and memory; whether there is more to do. Raises StorageError.

        Merges blocks of this opening that were never handed out, once they span a minute. When the quota is near,
        deletes what is confirmed, then thins such blocks. Nothing waits for the work, only for its short commit.
        """
        rewriting = self._rewriting
        return rewriting.merge() or rewriting.thin()

    def set_offset(self, boot: int, offset_ms: int, *, estimated: bool = False) -> bool:
        """The clock of a boot (`Boot.row`) is known: wall ms = monotonic ms + `offset_ms`. Once; whether it was set.

        Raises StorageError; then nothing is set.
        """
        with self._writing, self._opening.failing(), transaction(self._opening.write):
            return self._opening.times.set_offset(boot, offset_ms, estimated=estimated)

    def boots(self) -> list[Boot]:
        """Every boot of which an epoch is held, the oldest first; the last one is that of this opening."""
        with self._reading, self._opening.failing():
            return self._opening.times.boots(self._opening.read)

    def declare(self) -> OutboxState:
        """What a birth says of this file: the current epoch in both lanes, and older ones (`edge.outbox.declaring`)."""
        with self._reading:
            opening = self._opening
            unopened = {} if self.cramped is None else self.cramped.declared
            ours = declarations(opening.select("lanes", {}), opening.holdings, opening.row)
        return OutboxState(epoch=opening.epoch, lanes={lane: [*unopened.get(lane, ()), *ours[lane]] for lane in LANES})

    def head(self, lane: Lane) -> Position:
        """The newest message of `lane` that this opening stored."""
        return self._opening.row, self._opening.given[self._opening.row, lane]

    def driver_state(self, driver: str) -> Mapping[str, Any]:
        """What `driver` stored last; empty at first."""
        return self._states.driver(self._select, driver)

    def rule_records(self) -> list[RuleRecord]:
        """The stored state of every local rule."""
        return self._states.rules(self._select)

    def reopen(self, error: StorageError, now_ms: int) -> None:
        """Set the corrupt file aside and begin a new one; `was_set_aside` tells of it."""
        with self._writing:
            self._close()
            self._begin_anew(error, now_ms, self._opening.known_given())

    def move_to_disk(self, now_ms: int) -> bool:
        """With `cramped`: go on in the file, if there is room by now; whether it does. Begins a new epoch."""
        with self._writing:
            memory = self._opening
            if self.cramped is None:
                return False
            self.was_set_aside = None
            try:
                self._open(now_ms, memory=memory.write)
            except StorageError as error:
                if error.code != "edge.storage.corrupt":
                    return False
                given = {
                    (one.epoch, lane): one.last_given for lane in LANES for one in self.cramped.declared.get(lane, ())
                }
                self._begin_anew(error, now_ms, given, memory.write)
            with self._reading:
                memory.close()
            self._mirror.follow(self._opening.write)
            return True

    def close(self) -> None:
        """Close the file. What is in it stays for the next opening."""
        with self._writing:
            self._close()
            self._mirror.close()

    def _close(self) -> None:
        with self._reading:
            self._opening.close()

    def _open(
        self,
        now_ms: int,
        damaged: Path | None = None,
        given: Given | None = None,
        memory: sqlite3.Connection | None = None,
    ) -> None:
        cramped = None
        begin = partial(Opening, now_ms=now_ms, boot=self._boot, quota=self._quota)
        try:
            opening = begin(self._path, damaged=damaged, given=given, memory=memory)
        except StorageError as error:
            if damaged is not None or memory is not None or not without_room(error, self._path):
                raise
            opening, cramped = open_in_memory(self._path, error, begin)
        with self._reading:
            self._opening, self.cramped = opening, cramped
            self._queue = Queue(opening)
            self._rewriting = Rewriting(opening, self._queue, self._writing, self._reading)
            self._confirming = Confirming(opening)

    def _begin_anew(
        self, error: StorageError, now_ms: int, given: Given, memory: sqlite3.Connection | None = None
    ) -> None:
        aside = set_aside(self._path)
        self.was_set_aside = (aside, str(error.params.get("why", error.code)))
        self._open(now_ms, aside, given, memory)
        with self._opening.failing():
            with transaction(self._opening.write):
                self._states.put_all(self._opening.write)
            self._mirror.fill(self._opening.write)

    def _give(self, lane: Lane, count: int) -> int:
        """Take the next `count` numbers of a lane: the first of them."""
        query = {"epoch": self._opening.row, "lane": LANES.index(lane), "count": count}
        (number,) = self._opening.write.execute(_SQL["give"], query).fetchone()
        return int(number)

    def _put(self, lane: Lane, first: int, last: int, messages: int, body: bytes) -> None:
        row = {"id": key(self._opening.row, lane, first), "last": last, "messages": messages, "size": len(body)}
        self._opening.write.execute(_SQL["put"], row | {"body": body})

    def _added(self, first: int, new: _Packed) -> None:
        """A block is on the disk."""
        last = first + new.messages - 1
        self._opening.holdings.of(self._opening.row, new.lane).add(first, last)
        self._opening.holdings.totals.add(new.lane, new.messages, len(new.body))
        self._opening.given[self._opening.row, new.lane] = last
        if new.lane is Lane.BULK:
            fresh = Fresh(first=first, last=last, readings=new.readings, at=self._monotonic())
            self._rewriting.add(fresh)

    def _noted(self, lane: Lane, found: list[Block]) -> list[Block]:
        """`found`, after it is on the disk which of them go out without a time."""
        for epoch in dict.fromkeys(block.position[0] for block in found if block.time == "unknown"):
            number = max(block.id.last for block in found if block.time == "unknown" and block.position[0] == epoch)
            with self._writing, suppress(sqlite3.Error):
                self._opening.times.note_unknown(epoch, lane, number)
        return found

    def _select(self, statement: str, values: Mapping[str, object]) -> list[Any]:
        with self._reading:
            return self._opening.select(statement, values)


def _packed(lane: Lane, blocks: Sequence[NewBlock]) -> _Packed:
    ours = [new for new in blocks if new.lane is lane]
    parts = [Part(device=new.device, numbers=1, observations=new.observations) for new in ours]
    return _Packed(lane, len(ours), sum(len(new.observations) for new in ours), pack(parts))
