"""The gateway's side of delivery against an adversary: the real file, order of sending and window, between crashes.

A bag of messages in both directions stands for the network (any order, loss, copies), a dictionary of received sets
for the database, which may also be set back to a backup. The gateway merges and thins, meets messages that it cannot
read, and is killed between any two statements. Whatever happens, nothing is stored twice, no number means two things,
what is in RAM is what is in the file, and once the network is good everything that reached the disk arrives.

The one thing excused, of a file that was set back (a disk that lied, an old card): observations that were merged after
the copy was made, and may have gone out under other numbers since.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import uuid
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from edge.outbox.gather import blocks
from edge.outbox.quota import Quota
from edge.outbox.store import LANES, START, Block, Commit, Outbox
from edge.uplink.sending import Sending
from protocols.delivery import Acknowledgement, BirthId, Lane, MessageId, NumberSet
from protocols.events import Reading
from tests.unit.edge.outbox_file import messages_in

QUOTA: Final = Quota(total=1 << 30, acknowledged=1 << 30)
LaneKey = tuple[uuid.UUID, Lane]
Data = tuple[MessageId, tuple[int, ...]]


class Database:
    """Received sets and observations, changed together."""

    def __init__(self) -> None:
        self.received: dict[LaneKey, NumberSet] = {}
        self.stored: dict[int, MessageId] = {}
        self.forked: set[int] = set()

    def copy(self) -> Database:
        """A backup."""
        made = Database()
        made.received, made.stored, made.forked = dict(self.received), dict(self.stored), self.forked
        return made

    def take(self, data: Data) -> None:
        """One transaction: what is new is stored, and its numbers with it."""
        message, observations = data
        key = (message.epoch, message.lane)
        known = self.received.get(key, NumberSet())
        if known.contains(message.first, message.last):
            return
        assert not known.overlaps(message.first, message.last) or self.forked.issuperset(observations)
        for observation in observations:
            assert observation not in self.stored or observation in self.forked, f"stored twice: {observation}"
            self.stored[observation] = message
        self.received[key] = known.add(message.first, message.last)


class Delivery(RuleBasedStateMachine):
    """One gateway, one cloud, and what may happen between them."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="delivery-"))
        self.path = self.folder / "outbox.db"
        self.database = Database()
        self.backup = Database()
        self.saved: tuple[Path, set[int]] | None = None
        self.clock, self.births, self.observed = 0.0, 0, 0
        self.changed: set[int] = set()
        self.born: BirthId | None = None
        self.gathered: list[int] = []
        self.on_disk: set[int] = set()
        self.excused: set[int] = set()
        self.meaning: dict[MessageId, tuple[int, ...]] = {}
        self.up: list[Data | dict[LaneKey, BirthId]] = []
        self.down: list[Acknowledgement] = []
        self.open()

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            try:
                self.drain()
            finally:
                self.outbox.close()
                shutil.rmtree(self.folder)

    # The gateway.

    @rule()
    def urgent(self) -> None:
        self.observed += 1
        self.append(Lane.URGENT, [self.observed])

    @rule(count=st.integers(1, 9))
    def gather(self, count: int) -> None:
        for _ in range(count):
            self.observed += 1
            self.gathered.append(self.observed)

    @precondition(lambda self: self.gathered)
    @rule()
    def flush(self) -> None:
        gathered, self.gathered = self.gathered, []
        self.append(Lane.BULK, gathered)

    @rule()
    def merge(self) -> None:
        """A minute has passed without a connection."""
        before = self.messages()
        self.minutes += 60
        self.flush_one()
        self.tend(before)
        assert self.content() >= {one for told in before.values() for one in told}, "merging lost something"

    @rule()
    def thin(self) -> None:
        """The quota is near: what is confirmed goes, then what was never sent is thinned, and a loss tells."""
        before, told = self.messages(), self.content()
        unconfirmed = {one for told in self.messages("acknowledged = 0").values() for one in told}
        self.outbox.set_quota(Quota(total=int(self.outbox.totals.size / 0.97), acknowledged=1 << 30))
        self.tend(before)
        self.outbox.set_quota(QUOTA)
        gone = told - self.content()
        waiting = (gone & unconfirmed) - self.database.stored.keys() - self.excused
        self.excused |= gone
        losses = self.outbox.append(Commit())
        assert sum(loss.count for loss in losses) >= len(waiting), "thinned in silence"

    @precondition(lambda self: self.waiting())
    @rule(which=st.integers(0, 99))
    def a_message_cannot_be_read(self, which: int) -> None:
        blocks = [block for lane in LANES for block in self.outbox.queued(lane, START, 100)]
        block = blocks[which % len(blocks)]
        self.excused |= set(self.numbers_of(block))
        self.outbox.drop(block.id)
        self.sending.rewind(block.id.lane)

    @rule()
    def birth(self) -> None:
        self.births += 1
        self.born = BirthId(epoch=self.outbox.epoch, count=self.births)
        self.sending.reset()
        declared = self.outbox.declare()
        self.up.append({(d.epoch, lane): self.born for lane, told in declared.lanes.items() for d in told})

    @precondition(lambda self: self.born is not None)
    @rule(count=st.integers(1, 5))
    def send(self, count: int) -> None:
        while count and (outgoing := self.sending.next()) is not None:
            count -= 1
            observations = self.numbers_of(outgoing.block)
            message = outgoing.block.id
            before = self.meaning.setdefault(message, observations)
            assert before == observations or self.database.forked.issuperset(before), "a number was given again"
            bulk_before_urgent = message.lane is Lane.BULK and self.sending.head(Lane.URGENT) is not None
            assert not bulk_before_urgent or not self.sending.window.may_send(Lane.URGENT, 200)
            self.sending.sent(outgoing, self.clock)
            self.up.append((message, observations))

    @rule()
    def time_passes(self) -> None:
        self.clock += 30
        self.sending.expire(self.clock)

    @rule()
    def kill(self) -> None:
        self.gathered.clear()
        self.outbox.close()
        self.open()

    @rule(doing=st.sampled_from(("append", "merge", "acknowledge")), statement=st.integers(0, 9))
    def kill_between_statements(self, doing: str, statement: int) -> None:
        """The disk as a kill -9 leaves it before the `statement`-th statement of a change."""
        left = self.folder / "killed.db"
        seen = iter(range(1000))

        def trace(_: str) -> None:
            if next(seen) == statement:
                self.copy_files(self.path, left)

        writing = self.outbox._opening.write
        writing.set_trace_callback(trace)
        on_disk, changed = set(self.on_disk), set(self.changed)
        if doing == "append":
            self.append(Lane.BULK, [self.observed + 1, self.observed + 2])
            self.observed += 2
        elif doing == "merge":
            self.merge()
        else:
            self.good_moment()
        writing.set_trace_callback(None)
        if next(seen) <= statement:
            return
        self.on_disk = on_disk | (self.on_disk & self.database.stored.keys())
        self.database.forked |= self.changed - changed if doing == "acknowledge" else set()
        self.gathered.clear()
        self.outbox.close()
        self.copy_files(left, self.path)
        self.open()

    @rule()
    def save_the_disk(self) -> None:
        copy = self.folder / "copy.db"
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        self.saved = copy, set(self.on_disk)
        self.changed.clear()

    @precondition(lambda self: self.saved is not None)
    @rule()
    def the_disk_forgets(self) -> None:
        """A disk that lied at a power cut, or a card that was put back: what it had since is nobody's to keep."""
        assert self.saved is not None
        copy, kept = self.saved
        self.excused |= (self.on_disk - kept) | self.changed
        self.database.forked |= self.changed
        self.gathered.clear()
        self.outbox.close()
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copy(copy, self.path)
        self.open()

    # The network.

    @precondition(lambda self: self.up)
    @rule(which=st.integers(0, 99), fate=st.sampled_from(("arrives", "arrives", "arrives twice", "is lost", "crash")))
    def message(self, which: int, fate: str) -> None:
        said = self.up.pop(which % len(self.up))
        if fate == "arrives twice":
            self.up.append(said)
        if fate != "is lost":
            self.host(said, answers=fate != "crash")

    @precondition(lambda self: self.down)
    @rule(which=st.integers(0, 99), fate=st.sampled_from(("arrives", "arrives", "arrives twice", "is lost")))
    def acknowledgement(self, which: int, fate: str) -> None:
        ack = self.down.pop(which % len(self.down))
        if fate == "arrives twice":
            self.down.append(ack)
        if fate != "is lost":
            self.obey(ack)

    @rule()
    def good_moment(self) -> None:
        """For once everything passes, in order."""
        self.birth()
        self.send(1000)
        while self.up:
            self.host(self.up.pop(0), answers=True)
        while self.down:
            self.obey(self.down.pop(0))

    # The cloud.

    @rule()
    def back_up(self) -> None:
        self.backup = self.database.copy()

    @rule()
    def restore(self) -> None:
        """A host that finds its database restored lets everybody birth again."""
        self.database = self.backup.copy()
        self.birth()

    @invariant()
    def what_is_in_ram_is_in_the_file(self) -> None:
        if not hasattr(self, "outbox"):
            return
        with closing(sqlite3.connect(self.path)) as file:
            rows = file.execute("SELECT lane, first, last, acknowledged, messages, dropped FROM block").fetchall()
        totals = self.outbox.totals
        for number, lane in enumerate(LANES):
            ours = [row for row in rows if row[0] == number]
            assert totals.waiting[lane] == sum(row[4] for row in ours if not row[3])
            assert totals.kept[lane] == sum(row[4] for row in ours if row[3])
            held = sum(row[2] - row[1] + 1 - (len(NumberSet.parse(row[5])) if row[5] else 0) for row in ours)
            assert sum(len(told.held) for told in self.outbox.declare().lanes[lane]) == held

    # How it is done.

    def open(self) -> None:
        self.minutes = 0.0
        self.outbox = Outbox(self.path, now_ms=0, quota=QUOTA, monotonic=lambda: self.minutes)
        self.sending = Sending(self.outbox, lambda block, error: self.fail(str(error)))
        self.born = None

    @staticmethod
    def fail(why: str) -> None:
        raise AssertionError(why)

    def append(self, lane: Lane, observations: list[int]) -> None:
        told = [Reading(device=f"meter-{n % 3}", metric="power", value=float(n), at_ms=n) for n in observations]
        self.outbox.append(Commit(blocks=blocks(lane, told)))
        self.on_disk |= set(observations)

    def flush_one(self) -> None:
        self.observed += 1
        self.append(Lane.BULK, [self.observed])

    def tend(self, before: dict[MessageId, tuple[int, ...]]) -> None:
        while self.outbox.tend():
            pass
        after = self.messages()
        self.changed |= {one for message, told in before.items() if after.get(message) != told for one in told}

    def messages(self, where: str = "true") -> dict[MessageId, tuple[int, ...]]:
        """Every message in the file, without taking it out for sending."""
        return messages_in(self.path, where)

    def content(self) -> set[int]:
        return {one for told in self.messages().values() for one in told}

    @staticmethod
    def numbers_of(block: Block) -> tuple[int, ...]:
        return tuple(int(one.value or 0) for one in block.read() if isinstance(one, Reading))

    @staticmethod
    def copy_files(source: Path, target: Path) -> None:
        for suffix in ("", "-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        for suffix in ("", "-wal"):
            part = source.with_name(source.name + suffix)
            if part.exists():
                shutil.copy(part, target.with_name(target.name + suffix))

    def host(self, said: Data | dict[LaneKey, BirthId], *, answers: bool) -> None:
        """Commit, then acknowledge; a crash comes between the two."""
        if isinstance(said, dict):
            keys = list(said)
        else:
            self.database.take(said)
            keys = [(said[0].epoch, said[0].lane)]
        if answers and self.born is not None:
            for epoch, lane in keys:
                received = self.database.received.get((epoch, lane), NumberSet())
                birth = said[epoch, lane] if isinstance(said, dict) else self.born
                whole = Acknowledgement(host="liandong", birth=birth, epoch=epoch, lane=lane, received=received)
                self.down += whole.parts(1)

    def obey(self, ack: Acknowledgement) -> None:
        if ack.birth == self.born:
            self.sending.hear(ack, self.clock)

    def waiting(self) -> bool:
        return any(self.outbox.queued(lane, START, 1) for lane in LANES)

    def drain(self) -> None:
        """The network is good from now on."""
        self.flush() if self.gathered else None
        self.up.clear()
        self.down.clear()
        for _ in range(200):
            self.good_moment()
            if not self.waiting():
                break
            self.time_passes()
        assert not self.waiting(), "it never drains"
        lost = self.on_disk - self.excused - self.database.stored.keys()
        assert not lost, f"lost: {sorted(lost)}"


Delivery.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestDelivery = Delivery.TestCase


class Calm(Delivery):
    """Only what it takes to lose something by a restored database: what is rare is found sooner among less."""

    merge = thin = kill = kill_between_statements = a_message_cannot_be_read = None  # type: ignore[assignment]
    save_the_disk = the_disk_forgets = time_passes = None  # type: ignore[assignment]


def test_without_queueing_again_what_the_database_lacks_the_machine_finds_a_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Outbox.acknowledge

    def obey_only_what_is_there(
        self: Outbox, epoch: uuid.UUID, lane: Lane, received: NumberSet, speaks: NumberSet
    ) -> bool:
        return whole(self, epoch, lane, received, received & speaks)

    monkeypatch.setattr(Outbox, "acknowledge", obey_only_what_is_there)
    search = settings(
        max_examples=100,
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        derandomize=True,
    )
    with pytest.raises(AssertionError, match="lost"):
        run_state_machine_as_test(Calm, settings=search)
