"""One gateway of a fleet: a Sparkplug session with an outbox in memory. No socket and no clock.

It is what an agent is to the cloud: births that declare what is held, numbered messages in two lanes, a window, a
message sent again when it is not acknowledged in time. Its outbox does not outlive the process.
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.delivery import Declaration, Lane, MessageId, NumberSet, Window
from protocols.events import EVENT_METRIC, Event
from protocols.sparkplug.actions import Now
from protocols.sparkplug.births import BD_SEQ, OUTBOX_BIRTH, OUTBOX_LANE, OutboxState
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.edge_node import Acknowledged, Action, Born, EdgeNode, Stage
from protocols.sparkplug.payload import Metric
from simulators.fleet.plan import Plan

MOST_HELD: Final = 500
"""Messages that wait for an acknowledgement at most; beyond, the gateway measures nothing."""
_OWN: Final = (BD_SEQ, OUTBOX_BIRTH, *OUTBOX_LANE.values())
_FIRST_ALIAS: Final = 10
_READING_BYTES: Final = 20
_STEP_MS: Final = 10


@dataclass(frozen=True, slots=True)
class Told:
    """A reading or an event as the ledger knows it; `number` is its place among those of its device and metric."""

    device: str
    metric: str
    number: int
    value: float | str
    at_ms: int


@dataclass(slots=True)
class _Held:
    device: str
    metrics: tuple[Metric, ...]
    size: int
    made_at: float


@dataclass(slots=True)
class Counts:
    """Of one process, since its start."""

    births: int = 0
    messages: int = 0
    readings: int = 0
    events: int = 0
    again: int = 0
    acknowledged: int = 0
    held_back: int = 0
    reconnects: int = 0


class Session:
    """Calls come from one thread. `node` is the state machine; what it wants done is returned, in order."""

    def __init__(self, plan: Plan, number: int, counts: Counts, waits: deque[float]) -> None:
        """`waits` gets the seconds from each message's making to its acknowledgement."""
        self.group, self.name = plan.group(number), plan.node(number)
        self._plan = plan
        self._counts = counts
        self._waits = waits
        self._random = random.Random(f"{plan.prefix}/{number}")
        self._devices = tuple(f"sensor-{index:02}" for index in range(plan.devices))
        self._metrics = tuple(f"channel-{index}" for index in range(plan.metrics))
        self._epoch = uuid.uuid4()
        self._given = dict.fromkeys(Lane, 0)
        self._told: dict[str, int] = {}
        self._held: dict[MessageId, _Held] = {}
        self._queues: dict[Lane, deque[MessageId]] = {lane: deque() for lane in Lane}
        self._window = Window()
        self._turn = self._random.randrange(plan.devices)
        self._last_ms = 0
        self._bdseq = -1
        self.node = EdgeNode(group=self.group, node=self.name, view=self, primary_host=plan.host)

    # What the state machine asks of its agent (`NodeView`)

    def node_metrics(self) -> Sequence[Metric]:
        """It measures nothing itself."""
        return ()

    def live_devices(self) -> Sequence[str]:
        """All of them, always."""
        return self._devices

    def device_metrics(self, device: str) -> Sequence[Metric]:
        """Numbers, and the metric that carries events."""
        found = [Metric(name=name, datatype=DataType.DOUBLE, value=20.0) for name in self._metrics]
        return [*found, Metric(name=EVENT_METRIC, datatype=DataType.STRING, value=None)]

    def alias(self, device: str | None, name: str) -> int:
        """By the place of the device and of the metric."""
        if device is None:
            return 2 + _OWN.index(name)
        index = self._metrics.index(name) if name != EVENT_METRIC else len(self._metrics)
        return _FIRST_ALIAS + self._devices.index(device) * (len(self._metrics) + 1) + index

    def outbox(self) -> OutboxState:
        """What waits for an acknowledgement."""
        held: dict[Lane, list[tuple[int, int]]] = {lane: [] for lane in Lane}
        for message in self._held:
            held[message.lane].append((message.first, message.last))
        lanes = {
            lane: (Declaration(epoch=self._epoch, held=NumberSet(held[lane]), last_given=self._given[lane]),)
            for lane in Lane
        }
        return OutboxState(epoch=self._epoch, lanes=lanes)

    # What the fleet does with it

    @property
    def waiting(self) -> int:
        """Messages that are not acknowledged."""
        return len(self._held)

    @property
    def born(self) -> bool:
        """Whether it may send data."""
        return self.node.stage is Stage.BORN

    @property
    def settled(self) -> bool:
        """Whether its birth has been answered and nothing waits."""
        return self.born and self.node.answered and not self._held

    def next_bdseq(self) -> int:
        """For the next CONNECT."""
        self._bdseq = (self._bdseq + 1) % 256
        return self._bdseq

    def measure(self, now: Now) -> list[Told]:
        """Make the next message of readings of one device, and now and then an event; what the ledger is to know."""
        if len(self._held) >= MOST_HELD:
            self._counts.held_back += 1
            return []
        device = self._devices[self._turn % len(self._devices)]
        self._turn += 1
        samples = -(-self._plan.batch // len(self._metrics))
        first_ms = max(now.utc_ms, self._last_ms + _STEP_MS)
        self._last_ms = first_ms + samples * _STEP_MS
        metrics, told = [], []
        for index in range(self._plan.batch):
            name, at_ms = self._metrics[index % len(self._metrics)], first_ms + index // len(self._metrics) * _STEP_MS
            value = round(20 + self._random.gauss(0, 1), 1)
            metrics.append(Metric(name=name, datatype=DataType.DOUBLE, value=value, timestamp_ms=at_ms))
            told.append(self._tell(device, name, value, at_ms))
        self._keep(Lane.BULK, device, metrics, now)
        self._counts.readings += len(metrics)
        if self._plan.urgent_every and self._turn % self._plan.urgent_every == 0:
            told.append(self._event(device, now))
        return told

    def send(self, now: Now) -> list[Action]:
        """What may go now."""
        actions: list[Action] = []
        if not self.born:
            return actions
        for late in self._window.expired(now.at):
            if late in self._held:
                self._queues[late.lane].appendleft(late)
                self._counts.again += 1
        for lane in (Lane.URGENT, Lane.BULK):
            queue = self._queues[lane]
            while queue:
                held = self._held.get(queue[0])
                if held is not None and not self._window.may_send(lane, held.size):
                    break
                message = queue.popleft()
                if held is not None and message not in self._window:
                    self._window.sent(message, held.size, now.at)
                    actions += self.node.data(held.device, held.metrics, now, message=message)
        return actions

    def done(self, action: Action, now: Now) -> None:
        """Something that the state machine told: births, acknowledgements."""
        if isinstance(action, Born):
            self._counts.births += 1
        elif isinstance(action, Acknowledged):
            received, lane = action.ack.received, action.ack.lane
            for message in [one for one in self._held if one.lane is lane]:
                if action.ack.epoch == self._epoch and received.contains(message.first, message.last):
                    self._window.acknowledged(message, now.at)
                    self._waits.append(now.at - self._held.pop(message).made_at)
                    self._counts.acknowledged += 1

    def cut_off(self) -> None:
        """The connection is gone: everything that is held goes again, in order."""
        self.node.disconnected()
        self._counts.again += len(self._window.reset())
        for lane, queue in self._queues.items():
            queue.clear()
            queue.extend(sorted(message for message in self._held if message.lane is lane))

    def _event(self, device: str, now: Now) -> Told:
        text = Event(device="", kind="access.granted", at_ms=now.utc_ms, data={"card": self._turn}).to_json()
        metric = Metric(name=EVENT_METRIC, datatype=DataType.STRING, value=text, timestamp_ms=now.utc_ms)
        self._keep(Lane.URGENT, device, [metric], now)
        self._counts.events += 1
        return self._tell(device, EVENT_METRIC, str(self._turn), now.utc_ms)

    def _tell(self, device: str, metric: str, value: float | str, at_ms: int) -> Told:
        key = f"{device}/{metric}"
        self._told[key] = number = self._told.get(key, 0) + 1
        return Told(f"{self.group}/{self.name}/{device}", metric, number, value, at_ms)

    def _keep(self, lane: Lane, device: str, metrics: Sequence[Metric], now: Now) -> None:
        self._given[lane] += 1
        number = self._given[lane]
        message = MessageId(epoch=self._epoch, lane=lane, first=number, last=number)
        size = 120 + sum(_READING_BYTES if isinstance(one.value, float) else 100 for one in metrics)
        self._held[message] = _Held(device, tuple(metrics), size, now.at)
        self._queues[lane].append(message)
        self._counts.messages += 1
