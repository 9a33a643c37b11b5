"""Delivery against an adversary: outbox files, session machines, a bag of messages, ingest workers, PostgreSQL.

Everything between the pipeline and the tables is the program's own; only sockets, threads and clocks are the machine's.
Whatever happens: an observation is stored at most once, no number means two things, bulk never goes before urgent, an
acknowledgement names only what was committed, and once the network is good everything that is on a disk arrives.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from psycopg import Connection

from cloud.ingest import opening as opening_module
from cloud.ingest import storing as storing_module
from cloud.ingest import worker as worker_module
from cloud.ingest.bulk import decode_all
from cloud.ingest.careful import KILLED, MOST_TRIES
from cloud.ingest.link import Heard
from cloud.ingest.work import Message
from protocols.delivery import Acknowledgement, Lane, NumberSet
from protocols.sparkplug import state_holder, topics
from protocols.sparkplug.actions import Disconnect, Now, Publish
from protocols.sparkplug.births import OUTBOX_ACK, OUTBOX_ACK_ALIAS
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import command
from protocols.sparkplug.payload import Metric, RawPayload
from tests.integration.delivery.cloud_side import HOST, Backup, Backups, Killed, Outcome, Poisoned, Worker
from tests.integration.delivery.cloud_side import acknowledgement as acknowledged_by
from tests.integration.delivery.gateway import GROUP, Gateway, Meaning

T0_MS: Final = 1_753_000_000_000
ROUNDS: Final = 80
MOST_SENDS: Final = 25
"""Of one message, once the network is good."""

WEIGHTS: Final = {
    "observe": 14, "flush": 7, "merge": 3, "send": 14, "timeout": 4, "birth": 3, "deliver": 16, "work": 14, "cmd": 9,
    "good": 4, "kill": 2, "copy": 1, "power": 2, "corrupt": 1, "clone": 1, "drop": 3, "dup": 2, "hold": 3, "late": 2,
    "cmd_drop": 3, "cmd_dup": 2, "second_host": 1, "bad_commit": 3, "worker_crash": 1, "cloud_restart": 1, "backup": 1,
    "restore": 2, "quota": 2, "thin": 2, "killer": 1,
}  # fmt: skip
"""How often each action is tried: the adversary of the scheme's model, and the faults that only real parts have.

Those are a broken connection and a cloud that starts again.
"""
ACTIONS: Final = tuple(name for name, weight in WEIGHTS.items() for _ in range(weight))
MOST_KILLERS: Final = 2
"""In an example: each costs workers several lives."""
BROUGHT_TO: Final = ((0,), (1,), (0, 1))
"""The workers that a message reaches."""


class World:
    """What outlives an example: the database, and the clock that the program is given."""

    def __init__(self, dsn: str, connection: Connection[Any], patch: pytest.MonkeyPatch) -> None:
        self.dsn, self.connection = dsn, connection
        self.backups = Backups(connection)
        self.empty = self.backups.take()
        self.clock = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.clock, time_ns=lambda: self.now_ms() * 1_000_000)
        patch.setattr(worker_module, "time", clock)
        patch.setattr(worker_module, "_TICK_S", 0.0)
        patch.setattr(storing_module, "time", clock)
        self.deadly: set[int] = set()

        def deadly(messages: Sequence[Message | None], *more: Any) -> Any:
            opened = (values_in(message.payload) for message in messages if message is not None)
            if any(values & self.deadly for values in opened):
                raise Poisoned
            return decode_all(messages, *more)

        patch.setattr(opening_module, "decode_all", deadly)
        self.actions = self.steps = 0

    def now_ms(self) -> int:
        """Ms since 1970 UTC."""
        return T0_MS + int(self.clock * 1000)

    def now(self) -> Now:
        """Both clocks."""
        return Now(at=self.clock, utc_ms=self.now_ms())

    def received(self) -> dict[tuple[Any, Lane], NumberSet]:
        """The received sets that are committed."""
        rows = self.connection.execute("SELECT epoch, lane, numbers::text FROM received").fetchall()
        return {(epoch, Lane(lane)): NumberSet.parse(numbers) for epoch, lane, numbers in rows}

    def stored(self) -> Counter[int]:
        """How often each observation is stored."""
        return Counter(int(row[0]) for row in self.connection.execute("SELECT value FROM reading").fetchall())

    def set_aside(self) -> set[int]:
        """Observations that went raw to the poison store."""
        return set().union(*(told for _, _, told in self.poison()))

    def poison(self) -> list[tuple[str, str, set[int]]]:
        """Code, message and observations of what was set aside."""
        found = []
        for code, message, raw in self.connection.execute("SELECT code, message, payload FROM poison").fetchall():
            payload = RawPayload()
            payload.ParseFromString(bytes(raw))
            found.append((code, message, values_in(payload)))
        return found

    def marked(self) -> set[str]:
        """What a worker opens alone at this moment, or has not yet told that it survived."""
        rows = self.connection.execute("SELECT message FROM attempt WHERE tries > 0").fetchall()
        return {message for (message,) in rows}

    def lost(self) -> dict[tuple[Any, Lane], NumberSet]:
        """The view of losses: numbers that were given, are not stored, and that no newest birth holds."""
        rows = self.connection.execute("SELECT epoch, lane, missing::text FROM delivery").fetchall()
        return {(epoch, Lane(lane)): NumberSet.parse(missing) for epoch, lane, missing in rows}


def values_in(payload: RawPayload) -> set[int]:
    """The observations of a message, raw."""
    return {int(metric.double_value) for metric in payload.metrics}


def replay(world: World, trace: str) -> None:
    """The actions of `trace`, ``name(a,b)`` or ``name`` each, and then the good network."""
    machine = Delivery.on(world)()
    machine.begin()
    try:
        for name, a, b in re.findall(r"(\w+)(?:\((\d+),(\d+)\))?", trace):
            machine.happens(name, int(a or 0), int(b or 0))
    finally:
        machine.teardown()


class Delivery(RuleBasedStateMachine):
    """Up to two gateways (the second one with a copy of the first one's card), two workers, one database."""

    world: ClassVar[World]

    @classmethod
    def on(cls, world: World) -> type[Delivery]:
        """The machine on `world`."""
        return type("Delivery", (cls,), {"world": world})

    @initialize()
    def begin(self) -> None:
        world = self.world
        world.backups.put_back(world.empty)
        self.folder = Path(tempfile.mkdtemp(prefix="delivery-"))
        self.up: list[Publish] = []
        self.down: list[Publish] = []
        self.late: list[Publish] = []
        self.meanings: dict[tuple[Any, Lane, int], Meaning] = {}
        self.ever: dict[tuple[Any, Lane], NumberSet] = {}
        self.excused: set[int] = set()
        self.observed = 0
        self.early: list[str] = []
        self.forked = self.rolled_back = False
        self.fallen: Counter[str] = Counter()  # by message, how often a worker died of something else under its mark
        world.deadly.clear()
        self.backup: Backup = world.empty
        self.card: tuple[Path, set[int]] | None = None
        self.gateways: list[Gateway] = []
        self.holder = state_holder.StateHolder(HOST)
        self.state: Publish | None = None
        self.will: Publish | None = None
        self.workers = [self.new_worker(), self.new_worker()]
        self.come_online()
        self.add_gateway("gw-1")

    def teardown(self) -> None:
        if not hasattr(self, "gateways"):
            return
        try:
            self.drain()
        finally:
            for gateway in self.gateways:
                gateway.end()
            for worker in self.workers:
                worker.database.close()
            shutil.rmtree(self.folder)

    @rule(what=st.sampled_from(ACTIONS), a=st.integers(0, 11), b=st.integers(0, 11))
    def happens(self, what: str, a: int, b: int) -> None:
        """One action of the adversary; what `a` and `b` choose is the action's affair."""
        self.world.actions += 1
        getattr(self, f"do_{what}")(a, b)

    # On the gateways.

    def do_observe(self, a: int, b: int) -> None:
        self.observed += 1
        one = self.one(a)
        if b % 2:
            one.bulk(self.observed)
        else:
            one.urgent(self.observed)

    def do_flush(self, a: int, b: int) -> None:
        self.one(a).flush()

    def do_send(self, a: int, b: int) -> None:
        self.run_uplink(self.one(a))

    def do_timeout(self, a: int, b: int) -> None:
        self.world.clock += (1, 3, 12, 40)[b % 4]
        self.run_uplink(self.one(a))

    def do_birth(self, a: int, b: int) -> None:
        """The connection breaks, and there is a new one."""
        self.one(a).lose_connection()
        self.run_uplink(self.one(a))

    def do_merge(self, a: int, b: int) -> None:
        """A minute of flushes with nobody to hear them, and the housekeeping that follows."""
        for number in range(2 + b % 3):
            self.do_observe(a, 2 * number + 1)
            self.one(a).flush()
            self.world.clock += 40
        self.one(a).tend()

    def do_quota(self, a: int, b: int) -> None:
        """There is room for a part of what is there."""
        self.one(a).run_short((0.9, 0.6, 0.3)[b % 3])

    def do_thin(self, a: int, b: int) -> None:
        """Many values of a minute or two while nobody hears them, and a quota that is near."""
        for _ in range(3):
            for _ in range(3 + b % 4):
                self.do_observe(a, 1)
            self.one(a).flush()
        self.one(a).thin()

    def do_killer(self, a: int, b: int) -> None:
        """An observation that kills each worker that opens it."""
        if len(self.world.deadly) < MOST_KILLERS:
            self.world.deadly.add(self.observed + 1)
            self.do_observe(a, b)
            self.one(a).flush()

    def do_kill(self, a: int, b: int) -> None:
        self.one(a).close()
        self.one(a).open()

    def do_copy(self, a: int, b: int) -> None:
        copy = self.folder / "card.db"
        self.one(a).copy_disk(copy)
        self.card = copy, set(self.one(a).on_disk)

    def do_power(self, a: int, b: int) -> None:
        """A disk that had lied, or a card from the drawer: what the file had since is nobody's to keep."""
        if self.card is not None:
            self.replace_file(self.one(a), *self.card)

    def do_corrupt(self, a: int, b: int) -> None:
        """The file is not readable any more: it is set aside, and a new one begins."""
        broken = self.folder / "broken.db"
        broken.write_bytes(b"no database at all" * 100)
        self.replace_file(self.one(a), broken, set())
        assert self.one(a).outbox.was_set_aside is not None

    def do_clone(self, a: int, b: int) -> None:
        """A copied card in a second gateway."""
        if self.card is not None and len(self.gateways) == 1:
            self.forked = True
            copy, kept = self.card
            self.add_gateway("gw-2", copy, kept)
            self.excused -= kept

    # Between them.

    def do_deliver(self, a: int, b: int) -> None:
        for _ in range(1 + b % 4):
            if self.up:
                self.deliver(self.up.pop(0 if b % 3 else a % len(self.up)), BROUGHT_TO[a % 3])

    def do_drop(self, a: int, b: int) -> None:
        if self.up:
            self.up.pop(a % len(self.up))

    def do_dup(self, a: int, b: int) -> None:
        if self.up:
            self.up.append(self.up[a % len(self.up)])

    def do_hold(self, a: int, b: int) -> None:
        if self.up:
            self.late.append(self.up.pop(a % len(self.up)))

    def do_late(self, a: int, b: int) -> None:
        if self.late:
            self.deliver(self.late.pop(b % len(self.late)), BROUGHT_TO[a % 3])

    def do_cmd(self, a: int, b: int) -> None:
        if self.down:
            self.hear(self.down.pop(b % len(self.down)))

    def do_cmd_drop(self, a: int, b: int) -> None:
        if self.down:
            self.down.pop(b % len(self.down))

    def do_cmd_dup(self, a: int, b: int) -> None:
        if self.down:
            self.down.append(self.down[b % len(self.down)])

    def do_second_host(self, a: int, b: int) -> None:
        """Another cloud on the same broker says that it has everything."""
        one = self.one(a)
        if one.newest_birth is not None:
            lane = tuple(Lane)[b % 2]
            everything = NumberSet([(1, 1000)])
            birth = one.newest_birth
            ack = Acknowledgement(host="other", birth=birth, epoch=birth.epoch, lane=lane, received=everything)
            metric = Metric(name=OUTBOX_ACK, alias=OUTBOX_ACK_ALIAS, datatype=DataType.STRING, value=str(ack))
            self.down.append(command((GROUP, one.node), None, (metric,), self.world.now()))

    # In the cloud.

    def do_work(self, a: int, b: int) -> None:
        self.run_worker(a % 2)

    def do_bad_commit(self, a: int, b: int) -> None:
        """The transaction after some others ends badly: that of a group, or the worker's own bookkeeping."""
        database = self.workers[a % 2].database
        database.outcome, database.passes = tuple(Outcome)[1 + b % 4], b // 4
        self.run_worker(a % 2)
        database.outcome, database.passes = Outcome.COMMITS, 0

    def do_worker_crash(self, a: int, b: int) -> None:
        self.replace_worker(a % 2)

    def do_cloud_restart(self, a: int, b: int) -> None:
        self.replace_worker(0)
        self.replace_worker(1)
        self.come_online()

    def do_backup(self, a: int, b: int) -> None:
        self.backup = self.world.backups.take()

    def do_restore(self, a: int, b: int) -> None:
        """Last night's backup, or nothing at all. The cloud runs on and notices, or had been stopped for it."""
        self.check_once()
        self.rolled_back = True
        for key, numbers in self.world.received().items():
            self.ever[key] = self.ever.get(key, NumberSet()) | numbers
        self.world.backups.put_back(self.world.empty if b % 4 == 0 else self.backup)
        if a % 2:
            self.do_cloud_restart(a, b)

    def do_good(self, a: int, b: int) -> None:
        """For once everything passes, in order."""
        self.pass_everything()

    # How it is done.

    def add_gateway(self, node: str, card: Path | None = None, on_disk: set[int] | None = None) -> None:
        made = Gateway(self.folder / node, node, self.up.append, self.world.now_ms, self.meanings)
        if card is not None:
            made.put_disk(card)
        made.on_disk = set(on_disk or ())
        made.open()
        self.gateways.append(made)

    def one(self, a: int) -> Gateway:
        return self.gateways[a // 4 % len(self.gateways)]

    def replace_file(self, one: Gateway, source: Path, kept: set[int]) -> None:
        self.forked = True
        one.close()
        one.put_disk(source)
        before, one.on_disk = one.on_disk, set(kept)
        self.excused |= before - set().union(*(other.on_disk for other in self.gateways))
        self.excused -= kept
        one.open()

    def run_uplink(self, gateway: Gateway) -> None:
        self.world.steps += 1
        if gateway.connected:
            gateway.step()
        else:
            gateway.connect(self.state)

    def new_worker(self) -> Worker:
        return Worker(self.world.dsn, self.answer, self.bounce)

    def replace_worker(self, number: int, *, poisoned: bool = False) -> None:
        """kill -9, and a new one. Its connections are gone before anybody looks."""
        dead = self.workers[number].database
        if not poisoned:
            self.fallen.update(self.world.marked())
        dead.close()
        gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %s)"
        for _ in range(1000):
            if self.world.connection.execute(gone, (dead.name,)).fetchone() == (True,):
                break
            time.sleep(0.002)
        self.workers[number] = self.new_worker()

    def run_worker(self, worker: int) -> None:
        self.world.steps += 1
        try:
            self.workers[worker].work()
        except Killed as death:
            self.replace_worker(worker, poisoned=isinstance(death, Poisoned))

    def answer(self, message: Publish) -> None:
        """What a worker says to a gateway; an acknowledgement speaks only of what was committed."""
        ack = acknowledged_by(message)
        if ack is not None:
            key = (ack.epoch, ack.lane)
            committed = self.world.received().get(key, NumberSet()) | self.ever.get(key, NumberSet())
            if ack.received - committed:  # not raised here: a worker goes on after whatever is raised in it
                self.early.append(str(ack))
        self.down.append(message)

    def deliver(self, said: Publish, workers: tuple[int, ...]) -> None:
        heard = Heard(said.topic, said.payload, False, self.world.clock, self.world.now_ms())
        for number in workers:
            self.workers[number].bring(heard)

    def hear(self, said: Publish) -> None:
        topic = topics.parse(said.topic)
        for gateway in self.gateways:
            if isinstance(topic, topics.StateTopic) or topic.node == gateway.node:
                gateway.hear(said)

    def come_online(self) -> None:
        """The holder of STATE died, if there was one (the broker says its will), and connects again."""
        if self.holder.online and self.will is not None:
            self.say_state(self.will)
        self.will = self.holder.connect(self.world.now_ms())
        for action in self.holder.subscribed():
            assert isinstance(action, Publish)
            self.say_state(action)

    def bounce(self) -> None:
        """A worker found its database restored."""
        for action in self.holder.bounce(self.world.now_ms()):
            if isinstance(action, Publish):
                self.say_state(action)
            else:
                assert isinstance(action, Disconnect)
                self.holder.disconnected()
        self.come_online()

    def say_state(self, said: Publish) -> None:
        self.state = said
        self.hear(said)

    def pass_everything(self) -> None:
        for _ in range(4):
            for gateway in self.gateways:
                self.run_uplink(gateway)
            while self.up:
                self.deliver(self.up.pop(0), (0, 1))
            for number in range(len(self.workers)):
                while not self.workers[number].idle and self.workers[number].may_work(self.world.clock):
                    self.run_worker(number)
                self.run_worker(number)
            while self.down:
                self.hear(self.down.pop(0))

    def check_once(self) -> None:
        regrouped = any(gateway.regrouped for gateway in self.gateways)
        assert self.forked or not regrouped, "what was sent was merged, though no file was copied or rolled back"
        assert not self.early, f"acknowledged before the commit: {self.early}"
        twice = [number for number, count in self.world.stored().items() if count > 1]
        assert not twice, f"stored twice: {twice}"
        for code, message, told in self.world.poison():
            if code != KILLED:
                assert self.forked, "set aside though no file was copied or rolled back"
            elif not told & self.world.deadly:
                assert self.fallen[message] >= MOST_TRIES, "set aside as a killer, and workers survived it"
        assert not self.world.deadly & self.world.stored().keys(), "a killer was opened, and somebody survived it"

    def drain(self) -> None:
        """The network is good from now on, and life goes on."""
        self.up += self.late
        for gateway in self.gateways:
            gateway.sends.clear()
            if gateway.given_up:
                gateway.lose_connection()  # the next birth tells what is held now
            self.observed += 2
            gateway.urgent(self.observed)
            gateway.bulk(self.observed - 1)
            gateway.flush()
        for _ in range(ROUNDS):
            self.pass_everything()
            if not self.missing() and all(gateway.born and not gateway.waits() for gateway in self.gateways):
                break
            self.world.clock += 5
        self.check_once()
        missing = self.missing()
        assert not missing, f"lost: {sorted(missing)}"
        assert not any(gateway.waits() for gateway in self.gateways), "it never drains"
        self.check_declared()
        for gateway in self.gateways:
            often = {message: count for message, count in gateway.sends.items() if count > MOST_SENDS}
            assert not often, f"sent without end: {often}"

    def check_declared(self) -> None:
        """What gateways had to give up and the cloud never got is in the view of losses, number by number."""
        if self.forked or self.rolled_back:
            return  # who holds what of a copied file, and what a database knew that is gone, is not decided by this
        received, lost = self.world.received(), self.world.lost()
        for gateway in self.gateways:
            for key, numbers in gateway.given_up.items():
                hidden = numbers - received.get(key, NumberSet()) - lost.get(key, NumberSet())
                assert not hidden, f"given up and not in the view: {key} {hidden}"

    def missing(self) -> set[int]:
        on_disk = set().union(*(gateway.on_disk - gateway.thinned for gateway in self.gateways))
        return on_disk - self.excused - self.world.stored().keys() - self.world.set_aside()
