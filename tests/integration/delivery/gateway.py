"""A gateway without a network or a clock of its own: the real outbox file, session machine, window and uplink."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from edge.board import Board, DeviceCondition
from edge.config import GatewayTable, UplinkTable
from edge.identity.register import Register
from edge.outbox.gather import Gather, blocks
from edge.outbox.quota import Quota
from edge.outbox.store import LANES, START, Block, Commit, Outbox
from edge.uplink.sending import Outgoing, Sending
from edge.uplink.signals import Connected, Disconnected, Message, Subscribed
from edge.uplink.uplink import Uplink
from edge.uplink.view import AgentView
from protocols.catalog import DEVICE_TYPES, NODE_TYPE
from protocols.delivery import BirthId, Lane, MessageId, NumberSet
from protocols.errors import StorageError
from protocols.events import Reading
from protocols.sparkplug.actions import Publish, Subscribe
from protocols.sparkplug.edge_node import Stage
from tests.unit.edge.outbox_file import messages_in

GROUP: Final = "peach-garden"
DEVICE: Final = "meter-1"
METRIC: Final = "power"
EVERYTHING: Final = Quota(total=1 << 30, acknowledged=1 << 30)

Meaning = tuple[int, int, tuple[int, ...]]
"""First and last number of the message that a number went out with, and the observations in it."""


class Wire:
    """What stands in the place of a connection to the broker."""

    def __init__(self, publish: Callable[[Publish], None], will: Publish) -> None:
        self._publish, self.will = publish, will

    def publish(self, message: Publish) -> int:
        """Into the bag of messages."""
        self._publish(message)
        return 0

    def subscribe(self, wanted: Subscribe) -> None:
        """The world knows what gateways want."""

    def close(self) -> None:
        """Nothing is held."""


class CheckedSending(Sending):
    """The order of sending, with what must hold at each message that goes out."""

    def __init__(self, outbox: Outbox, unreadable: Callable[[Block, StorageError], None], gateway: Gateway) -> None:
        super().__init__(outbox, unreadable)
        self._gateway = gateway

    def sent(self, outgoing: Outgoing, now: float) -> None:
        """Bulk goes only when urgent cannot, and a number always means the same."""
        message = outgoing.block.id
        urgent = self.head(Lane.URGENT)
        if message.lane is Lane.BULK and urgent is not None:
            assert not self.window.may_send(Lane.URGENT, urgent.size), "bulk went before urgent"
        told = tuple(int(o.value) for o in outgoing.observations if isinstance(o, Reading) and o.value is not None)
        self._gateway.goes_out(message, told)
        super().sent(outgoing, now)


class Gateway:
    """One agent. `publish` takes what it says; `meanings`, shared by all gateways: what every number went out with."""

    def __init__(
        self,
        folder: Path,
        node: str,
        publish: Callable[[Publish], None],
        now_ms: Callable[[], int],
        meanings: dict[tuple[Any, Lane, int], Meaning],
    ) -> None:
        folder.mkdir()
        self.node, self.path, self.folder = node, folder / "outbox.db", folder
        self._publish, self._now_ms, self._meanings = publish, now_ms, meanings
        self.register = Register(folder / "names.db", now_ms=now_ms())
        self.on_disk: set[int] = set()
        self.sends: dict[MessageId, int] = {}
        self.thinned: set[int] = set()
        self.given_up: dict[tuple[Any, Lane], NumberSet] = {}
        self.regrouped = False

    def open(self) -> None:
        """The agent starts."""
        self.gather = Gather(flush_s=1.0, flush_bytes=65536)
        self.outbox = Outbox(
            self.path, now_ms=self._now_ms(), quota=EVERYTHING, monotonic=lambda: self._now_ms() / 1000
        )
        self.board = Board({DEVICE: DeviceCondition(driver="d", type="power-meter", online=True)}, {})
        types = {"": NODE_TYPE, DEVICE: DEVICE_TYPES["power-meter"]}
        view = AgentView(outbox=self.outbox, register=self.register, board=self.board, types=types, acknowledged=True)
        self.uplink = Uplink(
            gateway=GatewayTable(group=GROUP, node=self.node),
            settings=UplinkTable(host="nowhere", primary_host="cloud"),
            bdseq=self.register.next_bdseq,
            outbox=self.outbox,
            board=self.board,
            view=view,
            lost=self._lost,
            commanded=lambda command: None,
            now_ms=self._now_ms,
            steady=lambda: self._now_ms() / 1000,
        )
        self.uplink._sending = CheckedSending(self.outbox, self.uplink._unreadable, self)

    def close(self) -> None:
        """The process is gone; the broker says so for it."""
        self.lose_connection()
        self.outbox.close()

    def end(self) -> None:
        """Nobody needs it any more."""
        self.close()
        self.register.close()

    # What drivers and the pipeline do.

    def urgent(self, number: int) -> None:
        """A change of state, on the disk at once."""
        self._store(Lane.URGENT, [self._reading(number)])

    def bulk(self, number: int) -> None:
        """Telemetry, in RAM until `flush`."""
        self.gather.add([self._reading(number)], 0.0)

    def flush(self) -> None:
        """The gathered group goes to the disk."""
        if len(self.gather):
            self._store(Lane.BULK, self.gather.take())

    def tend(self) -> None:
        """Housekeeping: what was never sent is merged."""
        while self.outbox.tend():
            pass

    def run_short(self, share: float) -> None:
        """The quota is `share` of what is there: confirmed blocks go, then bulk, then urgent, and losses tell of it."""
        before, unsent = messages_in(self.path), self._unsent()
        self.outbox.set_quota(Quota(total=int(self.outbox.totals.size * share), acknowledged=1 << 30))
        losses = self.outbox.append(Commit())
        self.outbox.append(Commit(told=losses))
        self.outbox.set_quota(EVERYTHING)
        after = messages_in(self.path)
        gone: dict[tuple[Any, Lane], NumberSet] = {}
        for message in before.keys() - after.keys():
            key = (message.epoch, message.lane)
            gone[key] = gone.get(key, NumberSet()).add(message.first, message.last)
        told: dict[tuple[Any, Lane], NumberSet] = {}
        for loss in losses:
            assert loss.reason == "quota"
            told[loss.epoch, loss.lane] = told.get((loss.epoch, loss.lane), NumberSet()).add(loss.first, loss.last)
        lost = {key: numbers & unsent[key] for key, numbers in gone.items() if numbers & unsent[key]}
        assert told == lost, "not everything that went was told, or more than that"
        urgent = {key for key in lost if key[1] is Lane.URGENT}
        assert not urgent or not any(message.lane is Lane.BULK for message in after), "urgent went before bulk"
        for key, numbers in lost.items():
            self.given_up[key] = self.given_up.get(key, NumberSet()) | numbers
        self.on_disk -= _told(before) - _told(after)

    def thin(self) -> None:
        """The quota is near: what is confirmed goes, then what was never sent is thinned, and a loss tells how much."""
        before, confirmed = messages_in(self.path), messages_in(self.path, "acknowledged = 1")
        self.outbox.set_quota(Quota(total=int(self.outbox.totals.size / 0.97), acknowledged=1 << 30))
        self.tend()
        self.outbox.set_quota(EVERYTHING)
        losses = self.outbox.append(Commit())
        self.outbox.append(Commit(told=losses))
        after = messages_in(self.path)
        assert _told(after) <= _told(before), "a value was invented"
        left_out = _told(before) - _told(after) - _told(confirmed)
        assert all(loss.reason == "thinned" for loss in losses)
        assert sum(loss.count for loss in losses) == len(left_out), "thinned in silence"
        self.thinned |= left_out
        self.on_disk -= _told(before) - _told(after)

    def _unsent(self) -> dict[tuple[Any, Lane], NumberSet]:
        opening = self.outbox._opening
        return {
            (name, lane): opening.holdings.of(row, lane).unsent for name, row in opening.rows.items() for lane in LANES
        }

    def _reading(self, number: int) -> Reading:
        return Reading(device=DEVICE, metric=METRIC, value=float(number), at_ms=self._now_ms() + number)

    def _store(self, lane: Lane, readings: list[Any]) -> None:
        self.outbox.append(Commit(blocks=blocks(lane, readings)))
        self.board.stored(readings)
        self.on_disk |= {int(reading.value) for reading in readings}

    # The uplink.

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self.uplink._link is not None

    @property
    def born(self) -> bool:
        """Whether the birth is out."""
        return self.uplink._node.stage is Stage.BORN

    @property
    def newest_birth(self) -> BirthId | None:
        """What acknowledgements must name."""
        return self.uplink._node._watch._birth

    def connect(self, state: Publish | None) -> None:
        """CONNECT, SUBSCRIBE; `state` is the retained STATE of the primary host."""
        node = self.uplink._node
        will = node.connect(self.register.next_bdseq(), self.uplink._now())
        self.uplink._link = Wire(self._publish, will)  # type: ignore[assignment]
        for signal in (Connected(), Subscribed()):
            self.uplink._signals.put(signal)
        if state is not None:
            self.hear(state)
        self.step()

    def hear(self, message: Publish) -> None:
        """Something from the broker, for the next step."""
        if self.connected:
            self.uplink._signals.put(Message(topic=message.topic, payload=message.payload))

    def step(self) -> None:
        """One round of the uplink: send what may go, hear what came, send again."""
        for _ in range(2):
            if not self.connected:
                return
            self.uplink._signals.ring()
            if not self.uplink._converse():
                self.uplink._leave()

    def lose_connection(self) -> None:
        """Without a goodbye: the broker publishes the will."""
        if self.connected:
            wire: Any = self.uplink._link
            self._publish(wire.will)
            self.uplink._signals.drain()
            self.uplink._signals.put(Disconnected(why="cut"))
            assert not self.uplink._converse()
            self.uplink._leave()

    def waits(self) -> bool:
        """Whether anything waits for the cloud."""
        return any(self.outbox.queued(lane, START, 1) for lane in LANES)

    def goes_out(self, message: MessageId, told: tuple[int, ...]) -> None:
        """Check what a number means. It goes out with the same content, and but for copies in the same message."""
        self.sends[message] = self.sends.get(message, 0) + 1
        meaning = (message.first, message.last, told)
        for number in range(message.first, message.last + 1):
            key = (message.epoch, message.lane, number)
            known = self._meanings.setdefault(key, meaning)
            if known != meaning:  # a copy of the file has it as it was before, or after, it was merged
                self.regrouped = True
                small, large = sorted((known, meaning), key=lambda one: one[1] - one[0])
                assert set(small[2]) - self.thinned <= set(large[2]), f"{key} means two things"

    def _lost(self, block: Block, error: StorageError) -> None:
        raise AssertionError(f"unreadable {block.id}: {error}")

    # The disk.

    def copy_disk(self, target: Path) -> None:
        """A consistent copy of the outbox file, as an fsync that was the last true one left it."""
        target.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)

    def put_disk(self, source: Path) -> None:
        """Another file in the place of this one."""
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copy(source, self.path)


def _told(messages: Mapping[MessageId, tuple[int, ...]]) -> set[int]:
    return {one for told in messages.values() for one in told}
