"""The outbox file: what was observed is on the disk before it goes to the wire, until the cloud has it (and longer).

`Outbox` may be used from several threads. Writing and reading have a connection each, so the uplink never waits for a
flush of the disk to read what it sends next. Locks are taken in the order writing, reading.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from edge.outbox.blocks import START, Block, Commit, NewBlock, Position, RuleRecord
from edge.outbox.body import Body, Part, pack, unpack
from edge.outbox.database import failure, open_database, set_aside, transaction
from edge.outbox.holdings import LANES, Holdings, Numbers, Totals, key, place
from edge.outbox.losses import Loss, Losses
from edge.outbox.quota import NEAR, RELIEF, Quota, Room
from edge.outbox.salvage import salvage
from edge.outbox.stamp import Boot
from edge.outbox.statements import statements, text
from edge.outbox.tending import MOST_BYTES, Fresh, Young, merged, thinned
from edge.outbox.times import Times
from protocols.delivery import Declaration, Lane, MessageId, NumberSet
from protocols.errors import StorageError
from protocols.rules import RuleState
from protocols.sparkplug.births import OutboxState

__all__ = ["LANES", "START", "Block", "Commit", "NewBlock", "Outbox", "Position", "RuleRecord"]

VERSION: Final = 2
PAGE_BYTES: Final = 1024
"""Pages of a new file: small, because each commit writes every page that it touches."""
_ROWS: Final = 4
_ONE_BOOT: Final = uuid.UUID(int=0)
_SQL: Final = statements("edge.outbox", "statements.sql")
_Row = tuple[int, int, str | None, bytes]


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

        `boot`: of the machine, for stamps whose wall time is not known yet (`edge.outbox.stamp`). `monotonic` (s) says
        when merging is due.
        """
        self._path, self._quota, self._boot, self._monotonic = path, quota, boot, monotonic
        self._writing, self._reading = threading.RLock(), threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self.was_set_aside: tuple[Path, str] | None = None
        self.salvaged = 0
        """Messages that were read out of the file that was set aside."""
        try:
            self._open(now_ms)
        except StorageError as error:
            if error.code != "edge.storage.corrupt":
                raise
            self._begin_anew(error, now_ms)

    @property
    def epoch(self) -> uuid.UUID:
        """The epoch of this opening."""
        return self._epoch

    @property
    def totals(self) -> Totals:
        """What the file holds, kept up to date in RAM."""
        return self._holdings.totals

    @property
    def quota(self) -> Quota:
        """What it may hold."""
        return self._quota

    def set_quota(self, quota: Quota) -> None:
        """From the next commit on it may hold `quota`."""
        with self._writing:
            self._quota = self._room.quota = quota

    def on_append(self, listener: Callable[[], None]) -> None:
        """Call `listener` (from the appending thread, quickly) after every commit that adds messages."""
        self._listeners.append(listener)

    def append(self, commit: Commit) -> list[Loss]:
        """Put `commit` on the disk, whole or not at all. Returns losses that are to be told (with `Commit.told`).

        One block per lane, in which each of `commit.blocks` is a message with a number. Raises StorageError;
        ``edge.storage.corrupt`` means that `reopen` is due.
        """
        packed = [_packed(lane, commit.blocks) for lane in dict.fromkeys(new.lane for new in commit.blocks)]
        with self._writing:
            if self._broken is not None:
                raise self._broken
            with self._failing(), transaction(self._write):
                firsts = [self._give(new.lane, new.messages) for new in packed]
                for first, new in zip(firsts, packed, strict=True):
                    self._put(new.lane, first, first + new.messages - 1, new.messages, new.body)
                self._put_states(commit)
                self._losses.tell(commit.told)
            self._losses.forget(commit.told)
            for first, new in zip(firsts, packed, strict=True):
                self._added(first, new)
            with self._failing():
                self._room.make()
            losses = self._losses.give(without="thinned" if self._thinning else "")
        if packed:
            for listener in self._listeners:
                listener()
        return losses

    def queued(self, lane: Lane, after: Position, limit: int, *, unresolved: bool = True) -> list[Block]:
        """At most `limit` messages of `lane` that the cloud lacks, in the order of sending, behind `after`.

        They count as sent from now on: what this opening handed out is neither merged nor thinned. Without
        `unresolved`, messages whose time is not known yet end the list.
        """
        with self._reading, self._failing():
            found = list(islice(self._messages(lane, after, unresolved=unresolved), limit))
        return self._noted(lane, found)

    def acknowledge(self, epoch: uuid.UUID, lane: Lane, received: NumberSet, speaks: NumberSet) -> bool:
        """The cloud says which of the numbers in `speaks` it has. Returns whether something must be sent (again).

        A block is confirmed as a whole; what is confirmed of a part of it is known in RAM only. Neither need survive a
        power cut: what is sent twice is dropped there.
        """
        row = self._rows.get(epoch)
        if row is None:
            return False
        with self._writing:
            numbers = self._holdings.of(row, lane)
            lacking = speaks - received
            forgotten = numbers.has & lacking & numbers.waiting
            again = numbers.acknowledged & lacking - numbers.dropped
            numbers.has = ((numbers.has - speaks) | (received & speaks)) & numbers.held
            with self._failing():
                done = self._confirm(row, lane, numbers)
                self._requeue(row, lane, numbers, again)
                if done:
                    self._room.make()
        return bool(again or forgotten)

    def drop(self, message: MessageId) -> None:
        """Delete a message that cannot be read. On a disk that refuses, it is passed over until the next opening."""
        row = self._rows[message.epoch]
        gone = NumberSet([(message.first, message.last)])
        with self._writing:
            numbers = self._holdings.of(row, message.lane)
            numbers.dropped |= gone & numbers.waiting
            with suppress(sqlite3.Error), transaction(self._write):
                self._drop(row, message, numbers, gone)

    def tend(self) -> bool:
        """One step of housekeeping, bounded in time and memory; whether there is more to do. Raises StorageError.

        Merges blocks of this opening that were never handed out, once they span a minute. When the quota is near,
        deletes what is confirmed, then thins such blocks. Nothing waits for the work, only for its short commit.
        """
        return self._merge() or self._thin()

    def set_offset(self, boot: int, offset_ms: int, *, estimated: bool = False) -> bool:
        """The clock of a boot (`Boot.row`) is known: wall ms = monotonic ms + `offset_ms`. Once; whether it was set.

        Raises StorageError; then nothing is set.
        """
        with self._writing, self._failing(), transaction(self._write):
            return self._times.set_offset(boot, offset_ms, estimated=estimated)

    def boots(self) -> list[Boot]:
        """Every boot of which an epoch is held, the oldest first; the last one is that of this opening."""
        with self._reading, self._failing():
            return self._times.boots(self._read)

    def declare(self) -> OutboxState:
        """What a birth says of this file: the current epoch in both lanes, and each older one that is still held."""
        lanes: dict[Lane, list[Declaration]] = {lane: [] for lane in LANES}
        for epoch, name, number, following, *_ in self._select("lanes", {}):
            numbers = self._holdings.of(epoch, LANES[number])
            held = numbers.held - numbers.dropped
            if held or epoch == self._epoch_row:
                last = max(following - 1, held.ranges[-1][1] if held else 0)
                lanes[LANES[number]].append(Declaration(epoch=uuid.UUID(name), held=held, last_given=last))
        return OutboxState(epoch=self._epoch, lanes=lanes)

    def head(self, lane: Lane) -> Position:
        """The newest message of `lane` that this opening stored."""
        return self._epoch_row, self._given[lane]

    def driver_state(self, driver: str) -> Mapping[str, Any]:
        """What `driver` stored last; empty at first."""
        rows = self._select("driver_state", {"driver": driver})
        return dict(json.loads(rows[0][0])) if rows else {}

    def rule_records(self) -> list[RuleRecord]:
        """The stored state of every local rule."""
        return [
            RuleRecord(
                rule=rule,
                device=device,
                state=RuleState(phase=phase, since_ms=since, at_ms=at, reason=json.loads(reason)),
                owed=tuple(json.loads(owed)),
            )
            for rule, device, phase, since, at, reason, owed in self._select("rule_records", {})
        ]

    def reopen(self, error: StorageError, now_ms: int) -> None:
        """Set the corrupt file aside and begin a new one; `was_set_aside` tells of it."""
        with self._writing:
            self.close()
            self._begin_anew(error, now_ms)

    def close(self) -> None:
        """Close the file. What is in it stays for the next opening."""
        with self._writing, self._reading:
            with suppress(sqlite3.Error):
                self._read.close()
            with suppress(sqlite3.Error):
                self._write.close()

    def _open(self, now_ms: int, damaged: Path | None = None) -> None:
        self._write = open_database(
            self._path,
            text("edge.outbox", "schema.sql"),
            VERSION,
            upgrade=text("edge.outbox", "upgrade.sql"),
            page_bytes=PAGE_BYTES,
        )
        try:
            self.salvaged = 0 if damaged is None else salvage(damaged, self._write)
            self._begin_epoch(now_ms)
            self._read = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._read.execute("PRAGMA query_only = ON")
            self._read.execute("PRAGMA cache_size = -512")
        except sqlite3.Error as error:
            self._write.close()
            raise failure(error, self._path) from error

    def _begin_anew(self, error: StorageError, now_ms: int) -> None:
        aside = set_aside(self._path)
        self.was_set_aside = (aside, str(error.params.get("why", error.code)))
        self._open(now_ms, aside)

    def _begin_epoch(self, now_ms: int) -> None:
        """Count what is there, and open an epoch of our own: the old ones are never added to or changed."""
        self._broken: StorageError | None = None
        self._epoch = uuid.uuid4()
        self._holdings = Holdings()
        self._holdings.load(self._write.execute(_SQL["contents"]))
        with transaction(self._write):
            (boot,) = self._write.execute(_SQL["this_boot"], {"uuid": str(self._boot)}).fetchone()
            opening = {"uuid": str(self._epoch), "opened": now_ms, "boot": boot}
            (self._epoch_row,) = self._write.execute(_SQL["open_epoch"], opening).fetchone()
            lanes = [(self._epoch_row, number) for number in range(len(LANES))]
            self._write.executemany("INSERT INTO lane (epoch, lane) VALUES (?, ?)", lanes)
            self._tidy()
        rows = self._write.execute("SELECT uuid, id FROM epoch").fetchall()
        self._rows = {uuid.UUID(name): row for name, row in rows}
        names = {row: str(name) for name, row in self._rows.items()}
        self._times = Times(self._write, self._holdings)
        self._losses = Losses(self._write)
        self._room = Room(self._write, self._holdings, self._losses, self._quota, names.__getitem__)
        self._given = dict.fromkeys(LANES, 0)
        self._handed = dict.fromkeys(LANES, 0)
        self._opened: dict[Lane, tuple[int, int, Body]] = {}
        self._young, self._thinning, self._thinned_to = Young(), False, 0

    def _tidy(self) -> None:
        """Older epochs of which nothing is held any more, and boots without an epoch."""
        for (row,) in self._write.execute("SELECT id FROM epoch WHERE id <> ?", (self._epoch_row,)).fetchall():
            if not any(self._holdings.of(row, lane).held for lane in LANES):
                self._write.execute(_SQL["tidy_epoch"], {"epoch": row})
        self._write.execute(_SQL["tidy_boots"])

    def _give(self, lane: Lane, count: int) -> int:
        """Take the next `count` numbers of a lane: the first of them."""
        query = {"epoch": self._epoch_row, "lane": LANES.index(lane), "count": count}
        (number,) = self._write.execute(_SQL["give"], query).fetchone()
        return int(number)

    def _put(self, lane: Lane, first: int, last: int, messages: int, body: bytes) -> None:
        row = {"id": key(self._epoch_row, lane, first), "last": last, "messages": messages, "size": len(body)}
        self._write.execute(_SQL["put"], row | {"body": body})

    def _added(self, first: int, new: _Packed) -> None:
        """A block is on the disk."""
        last = first + new.messages - 1
        self._holdings.of(self._epoch_row, new.lane).add(first, last)
        self._holdings.totals.add(new.lane, new.messages, len(new.body))
        self._given[new.lane] = last
        if new.lane is Lane.BULK:
            fresh = Fresh(first=first, last=last, readings=new.readings, at=self._monotonic())
            self._young.add(fresh, self._handed[Lane.BULK])

    def _put_states(self, commit: Commit) -> None:
        for driver, state in commit.driver_states.items():
            row = {"driver": driver, "state": json.dumps(dict(state), ensure_ascii=False)}
            self._write.execute(_SQL["put_driver_state"], row)
        for record in commit.rules:
            self._write.execute(
                _SQL["put_rule_state"],
                {
                    "rule": record.rule,
                    "device": record.device,
                    "phase": record.state.phase,
                    "since_ms": record.state.since_ms,
                    "at_ms": record.state.at_ms,
                    "reason": json.dumps(dict(record.state.reason), ensure_ascii=False),
                    "owed": json.dumps(record.owed),
                },
            )

    def _messages(self, lane: Lane, after: Position, *, unresolved: bool) -> Iterator[Block]:
        """What `queued` hands out, block by block; each is open once, as long as its messages are being taken."""
        for epoch, numbers in self._holdings.in_order(lane):
            start = after[1] + 1 if epoch == after[0] else 1
            if epoch < after[0]:
                continue
            for low, high in numbers.waiting.ranges:
                while (start := max(start, low)) <= high:
                    rows = self._waiting(epoch, lane, start, high)
                    for row in rows:
                        for block in self._of_block(epoch, lane, numbers, start, row):
                            if block.time == "unknown" and not unresolved and self._times.offset_ms(epoch) is None:
                                return
                            if epoch == self._epoch_row:
                                self._handed[lane] = max(self._handed[lane], row[1])
                            yield block
                        start = row[1] + 1
                    if not rows:
                        break

    def _waiting(self, epoch: int, lane: Lane, start: int, high: int) -> list[_Row]:
        query = {
            "start": key(epoch, lane, start),
            "lowest": key(epoch, lane, 1),
            "end": key(epoch, lane, high),
            "number": start,
            "limit": _ROWS,
        }
        return self._read.execute(_SQL["waiting"], query).fetchall()

    def _of_block(self, epoch: int, lane: Lane, numbers: Numbers, start: int, row: _Row) -> Iterator[Block]:
        """The messages of a stored block from number `start` on that the cloud lacks."""
        first = place(row[0])[2]
        name = self._name(epoch)
        try:
            body = self._body(lane, row)
        except StorageError as error:
            left = NumberSet([(first, row[1])]) - numbers.dropped
            identity = MessageId(epoch=name, lane=lane, first=first, last=row[1])
            if left:
                yield Block(id=identity, device="", position=(epoch, first), fault=error)
            return
        offset = self._times.offset_ms(epoch)
        known = numbers.has | numbers.dropped
        for index, message in enumerate(body.messages):
            low = first + message.offset
            high = low + message.numbers - 1
            if low < start or known.contains(low, high):
                continue
            told = self._times.time(epoch, lane, low, unresolved=message.unresolved)
            yield Block(
                id=MessageId(epoch=name, lane=lane, first=low, last=high),
                device=message.device,
                position=(epoch, low),
                time=told,
                offset_ms=None if told == "unknown" else offset,
                body=body,
                index=index,
            )

    def _body(self, lane: Lane, row: _Row) -> Body:
        block, last, _, packed = row
        opened = self._opened.get(lane)
        if opened is not None and opened[:2] == (block, last):
            return opened[2]
        body = unpack(packed)
        if body.numbers != last - place(block)[2] + 1:
            raise StorageError("edge.outbox.unreadable-block", why="numbers")
        self._opened[lane] = (block, last, body)
        return body

    def _noted(self, lane: Lane, found: list[Block]) -> list[Block]:
        """`found`, after it is on the disk which of them go out without a time."""
        for epoch in dict.fromkeys(block.position[0] for block in found if block.time == "unknown"):
            number = max(block.id.last for block in found if block.time == "unknown" and block.position[0] == epoch)
            with self._writing, suppress(sqlite3.Error):
                self._times.note_unknown(epoch, lane, number)
        return found

    def _name(self, epoch: int) -> uuid.UUID:
        return next(name for name, row in self._rows.items() if row == epoch)

    def _confirm(self, epoch: int, lane: Lane, numbers: Numbers) -> bool:
        """Confirm the blocks that the cloud has as a whole; whether there were any."""
        found: list[tuple[int, int, int, int]] = []
        done = numbers.waiting & (numbers.has | numbers.dropped)
        if done:
            with transaction(self._write, durable=False):
                for low, high in done.ranges:
                    query = {"low": key(epoch, lane, low), "high": key(epoch, lane, high), "last": high}
                    found += self._write.execute(_SQL["confirm"], query).fetchall()
        numbers.waiting -= NumberSet((first, last) for _, _, first, last in found)
        for messages, size, _, _ in found:
            self._holdings.totals.confirm(lane, messages, size)
        return bool(found)

    def _requeue(self, epoch: int, lane: Lane, numbers: Numbers, again: NumberSet) -> None:
        """Let the blocks wait again of which the cloud lacks anything."""
        found: list[tuple[int, int, int, int]] = []
        if again:
            with transaction(self._write, durable=False):
                for low, high in again.ranges:
                    query = {"low": key(epoch, lane, low), "high": key(epoch, lane, high), "first": low}
                    query["lowest"] = key(epoch, lane, 1)
                    found += self._write.execute(_SQL["requeue"], query).fetchall()
        numbers.waiting |= NumberSet((first, last) for _, _, first, last in found)
        for messages, size, _, _ in found:
            self._holdings.totals.confirm(lane, messages, size, sign=-1)

    def _drop(self, epoch: int, message: MessageId, numbers: Numbers, gone: NumberSet) -> None:
        query = {"id": key(epoch, message.lane, message.first), "lowest": key(epoch, message.lane, 1)}
        rows = self._write.execute(_SQL["holding"], query | {"number": message.first}).fetchall()
        for block, last, acknowledged, messages, size, dropped in rows:
            whole = NumberSet([(place(block)[2], last)])
            parts = gone if dropped is None else gone | NumberSet.parse(dropped)
            if whole - parts:
                self._write.execute(_SQL["drop_part"], {"id": block, "dropped": str(parts & whole)})
                continue
            self._write.execute(_SQL["delete"], {"id": block})
            numbers.remove(whole)
            self._holdings.totals.remove(message.lane, messages, size, acknowledged=bool(acknowledged))

    def _merge(self) -> bool:
        with self._reading:
            self._young.pass_over(self._handed[Lane.BULK])
            blocks = self._young.due()
        if not blocks:
            return False
        self._replace(blocks[0].first, blocks[-1].last, thin=False)
        with self._reading:
            self._young.pass_over(blocks[-1].last)
        return True

    def _thin(self) -> bool:
        totals, total = self._holdings.totals, self._quota.total
        self._thinning = totals.size > total * (NEAR - RELIEF if self._thinning else NEAR)
        if not self._thinning:
            return False
        with self._writing, self._failing():
            if self._room.delete_confirmed(totals.size - int(total * (NEAR - RELIEF))):
                return True
        numbers = self._holdings.of(self._epoch_row, Lane.BULK)
        begin = max(self._handed[Lane.BULK], self._thinned_to) + 1
        left = numbers.waiting - NumberSet([(1, begin - 1)] if begin > 1 else [])
        reached = self._replace(left.ranges[0][0], left.ranges[0][1], thin=True) if left else 0
        self._thinned_to = max(self._thinned_to, reached)
        self._thinning = bool(reached)
        return self._thinning

    def _replace(self, low: int, high: int, *, thin: bool) -> int:
        """Merge, or thin, the blocks that lie in `low` … `high`, as many as a step may; the last number, 0 for none."""
        query = {"low": key(self._epoch_row, Lane.BULK, low), "high": key(self._epoch_row, Lane.BULK, high)}
        with self._reading, self._failing():
            rows = self._read.execute(_SQL["bodies"], query | {"limit": 1024}).fetchall()
        rows = _neighbours(rows, MOST_BYTES if thin else 1 << 62)
        if not rows:
            return 0
        parts = [part for row in rows for part in unpack(row[5]).parts()]
        made, left_out = thinned(parts) if thin else (merged(parts), 0)
        body = pack(made)
        if thin and (not left_out or len(body) >= sum(row[3] for row in rows)):
            return int(rows[-1][1])
        with self._writing, self._reading, self._failing():
            first, last = place(rows[0][0])[2], int(rows[-1][1])
            if first <= self._handed[Lane.BULK] or not self._holdings.of(self._epoch_row, Lane.BULK).waiting.contains(
                first, last
            ):
                return last
            with self._losses.noting(), transaction(self._write):
                self._write.executemany(_SQL["delete"], [{"id": row[0]} for row in rows])
                row = {"id": rows[0][0], "last": last, "messages": len(made), "size": len(body), "body": body}
                self._write.execute(_SQL["put"], row)
                if left_out:
                    self._losses.note(str(self._epoch), Lane.BULK, first, last, left_out, "thinned")
            for _, _, messages, size, *_ in rows:
                self._holdings.totals.remove(Lane.BULK, messages, size)
            self._holdings.totals.add(Lane.BULK, len(made), len(body))
            self._holdings.totals.thinned += left_out
            return last

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Errors of SQLite as StorageError; of a corrupt file, the next `append` tells."""
        try:
            yield
        except sqlite3.Error as error:
            told = failure(error, self._path)
            if told.code == "edge.storage.corrupt":
                self._broken = told
            raise told from error

    def _select(self, statement: str, values: Mapping[str, object]) -> list[Any]:
        with self._reading, self._failing():
            return self._read.execute(_SQL[statement], values).fetchall()


def _packed(lane: Lane, blocks: Sequence[NewBlock]) -> _Packed:
    ours = [new for new in blocks if new.lane is lane]
    parts = [Part(device=new.device, numbers=1, observations=new.observations) for new in ours]
    return _Packed(lane, len(ours), sum(len(new.observations) for new in ours), pack(parts))


def _neighbours(rows: list[Any], most: int) -> list[Any]:
    """The first of `rows` with neighbouring numbers, up to `most` bytes, one at least."""
    found: list[Any] = []
    size = 0
    for row in rows:
        size += row[3]
        if found and (size > most or found[-1][1] + 1 != place(row[0])[2]):
            break
        found.append(row)
    return found
