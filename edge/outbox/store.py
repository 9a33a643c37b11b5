"""The outbox file: what was observed is on the disk before it goes to the wire, until the cloud has it (and longer).

`Outbox` may be used from several threads. Writing and reading have a connection each, so the uplink never waits for a
flush of the disk to read what it sends next.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge.outbox.body import pack
from edge.outbox.database import failure, open_database, set_aside, transaction
from edge.outbox.quota import Loss, Quota, Totals, make_room
from edge.outbox.statements import statements, text
from protocols.delivery import Declaration, Lane, MessageId, NumberSet
from protocols.errors import StorageError
from protocols.events import Observation
from protocols.rules import RuleState
from protocols.sparkplug.births import OutboxState

LANES: Final = (Lane.URGENT, Lane.BULK)
"""The lanes by their number in the file, which is also the order of sending."""
VERSION: Final = 1
_SQL: Final = statements("edge.outbox", "statements.sql")

Position = tuple[int, int]
"""Where sending stands in a lane: (epoch's row, first number)."""
START: Final[Position] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBlock:
    """Observations of one device that make one message, in order."""

    lane: Lane
    device: str
    observations: Sequence[Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A stored message. `position` orders it within its lane; `device` is '' for the gateway itself."""

    id: MessageId
    device: str
    position: Position
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRecord:
    """The state of a local rule on a device, and the indices of its actions that no device has confirmed yet."""

    rule: str
    device: str
    state: RuleState
    owed: tuple[int, ...] = ()


@dataclass(slots=True, kw_only=True)
class Commit:
    """What goes to the disk in one transaction."""

    blocks: list[NewBlock] = field(default_factory=list)
    driver_states: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    rules: list[RuleRecord] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.blocks or self.driver_states or self.rules)


class Outbox:
    """One opening of the outbox file, with an epoch of its own."""

    def __init__(self, path: Path, *, now_ms: int, quota: Quota) -> None:
        """Open or make `path`; a corrupt file is set aside (`was_set_aside`). Raises as `open_database`."""
        self._path = path
        self._quota = quota
        self._writing, self._reading = threading.RLock(), threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self.was_set_aside: tuple[Path, str] | None = None
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
        return self._totals

    def on_append(self, listener: Callable[[], None]) -> None:
        """Call `listener` (from the appending thread, quickly) after every commit that adds messages."""
        self._listeners.append(listener)

    def append(self, commit: Commit) -> list[Loss]:
        """Put `commit` on the disk, whole or not at all; what had to go to make room is returned.

        Raises StorageError; ``edge.storage.corrupt`` means that `reopen` is due.
        """
        packed = [(block, pack(block.observations)) for block in commit.blocks]
        with self._writing:
            try:
                with transaction(self._write):
                    for block, body in packed:
                        self._put(block, body)
                    self._put_states(commit)
            except sqlite3.Error as error:
                raise failure(error, self._path) from error
            for block, body in packed:
                self._totals.add(block.lane, len(body))
            losses = self._keep_quota()
        if packed:
            for listener in self._listeners:
                listener()
        return losses

    def queued(self, lane: Lane, after: Position, limit: int) -> list[Block]:
        """At most `limit` messages of `lane` that wait for the cloud, in the order of sending, behind `after`."""
        epoch, first = after
        query = {"lane": LANES.index(lane), "epoch": epoch, "first": first, "limit": limit}
        return [_block(row) for row in self._select("queued", query)]

    def acknowledge(self, epoch: uuid.UUID, lane: Lane, received: NumberSet, speaks: NumberSet) -> bool:
        """The cloud says which of the numbers in `speaks` it has. Returns whether something must be sent (again).

        The confirmation itself need not survive a power cut: what is sent twice is dropped there.
        """
        row = self._epochs.get(epoch)
        if row is None:
            return False
        key = {"epoch": row, "lane": LANES.index(lane)}
        with self._writing:
            try:
                with transaction(self._write, durable=False):
                    confirmed = self._mark("confirm", key, received & speaks)
                    lacking = self._mark("requeue", key, speaks - received)
            except sqlite3.Error as error:
                raise failure(error, self._path) from error
            self._totals.confirm(lane, confirmed)
            self._totals.requeue(lane, lacking)
            self._keep_quota()
        return bool(lacking)

    def drop(self, message: MessageId) -> None:
        """Delete a message that cannot be read."""
        key = {"epoch": self._epochs[message.epoch], "lane": LANES.index(message.lane), "first": message.first}
        where = "epoch = :epoch AND lane = :lane AND first = :first"
        with self._writing, transaction(self._write):
            self._write.execute(f"DELETE FROM block WHERE {where}", key)  # noqa: S608 - a constant
            self._count()

    def declare(self) -> OutboxState:
        """What a birth says of this file: the current epoch in both lanes, and each older one that is still held."""
        held: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for epoch, lane, first, last in self._select("held", {}):
            held.setdefault((epoch, lane), []).append((first, last))
        lanes: dict[Lane, list[Declaration]] = {lane: [] for lane in LANES}
        for epoch, name, lane, following in self._select("lanes", {}):
            ranges = held.get((epoch, lane), [])
            if ranges or epoch == self._epoch_row:
                declared = Declaration(epoch=uuid.UUID(name), held=NumberSet(ranges), last_given=following - 1)
                lanes[LANES[lane]].append(declared)
        return OutboxState(epoch=self._epoch, lanes=lanes)

    def waiting_of_device(self, device: str) -> int:
        """How many messages of `device` the cloud has not confirmed."""
        return int(self._select("waiting_of_device", {"device": device})[0][0])

    def head(self, lane: Lane) -> Position:
        """The newest message of `lane` that this opening stored."""
        rows = self._select("head", {"epoch": self._epoch_row, "lane": LANES.index(lane)})
        return self._epoch_row, int(rows[0][0]) - 1

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

    def _open(self, now_ms: int) -> None:
        self._write = open_database(self._path, text("edge.outbox", "schema.sql"), VERSION)
        try:
            self._begin_epoch(now_ms)
            self._count()
            self._read = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._read.execute("PRAGMA query_only = ON")
            self._read.execute("PRAGMA cache_size = -512")
        except sqlite3.Error as error:
            self._write.close()
            raise failure(error, self._path) from error

    def _begin_anew(self, error: StorageError, now_ms: int) -> None:
        self.was_set_aside = (set_aside(self._path), str(error.params.get("why", error.code)))
        self._open(now_ms)

    def _begin_epoch(self, now_ms: int) -> None:
        self._epoch = uuid.uuid4()
        with transaction(self._write):
            opened = self._write.execute(
                "INSERT INTO epoch (uuid, opened_ms) VALUES (?, ?) RETURNING id", (str(self._epoch), now_ms)
            ).fetchone()
            self._epoch_row: int = opened[0]
            lanes = [(self._epoch_row, number) for number in range(len(LANES))]
            self._write.executemany("INSERT INTO lane (epoch, lane) VALUES (?, ?)", lanes)
            self._write.execute(_SQL["tidy"], {"current": self._epoch_row})
        rows = self._write.execute("SELECT uuid, id FROM epoch").fetchall()
        self._epochs: dict[uuid.UUID, int] = {uuid.UUID(name): row for name, row in rows}

    def _put(self, block: NewBlock, body: bytes) -> None:
        key = {"epoch": self._epoch_row, "lane": LANES.index(block.lane)}
        (number,) = self._write.execute(_SQL["give"], key).fetchone()
        row = key | {"number": number, "device": block.device, "size": len(body), "body": body}
        self._write.execute(_SQL["append"], row)

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

    def _mark(self, statement: str, key: Mapping[str, int], numbers: NumberSet) -> list[int]:
        sizes: list[int] = []
        for low, high in numbers.ranges:
            sizes += [size for (size,) in self._write.execute(_SQL[statement], {**key, "low": low, "high": high})]
        return sizes

    def _keep_quota(self) -> list[Loss]:
        try:
            return make_room(self._write, self._totals, self._quota)
        except sqlite3.Error as error:
            raise failure(error, self._path) from error

    def _count(self) -> None:
        self._totals = Totals()
        for acknowledged, lane, count, size in self._write.execute(_SQL["totals"]):
            self._totals.set(LANES[lane], acknowledged=bool(acknowledged), count=count, size=size)

    def _select(self, statement: str, values: Mapping[str, object]) -> list[Any]:
        with self._reading:
            try:
                return self._read.execute(_SQL[statement], values).fetchall()
            except sqlite3.Error as error:
                raise failure(error, self._path) from error


def _block(row: Iterable[Any]) -> Block:
    epoch, name, lane, first, last, device, _size, body = row
    identity = MessageId(epoch=uuid.UUID(name), lane=LANES[lane], first=first, last=last)
    return Block(id=identity, device=device, position=(epoch, first), body=body)
