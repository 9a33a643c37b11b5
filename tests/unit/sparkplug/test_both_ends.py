"""An Edge Node and a Host over a network that loses and swaps: when it is quiet again, the Host knows all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from protocols.sparkplug.actions import Now, Publish
from protocols.sparkplug.births import OutboxState
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.edge_node import Action as NodeAction
from protocols.sparkplug.edge_node import EdgeNode
from protocols.sparkplug.host import Action as HostAction
from protocols.sparkplug.host import BirthMetric, Data, DeviceBorn, Host, NodeBorn
from protocols.sparkplug.payload import Metric, read_metric, typed


@dataclass
class View:
    aliases: dict[tuple[str | None, str], int] = field(default_factory=dict)

    def node_metrics(self) -> Sequence[Metric]:
        return [Metric(name="CPU", datatype=DataType.DOUBLE)]

    def live_devices(self) -> Sequence[str]:
        return ["a", "b"]

    def device_metrics(self, device: str) -> Sequence[Metric]:
        return [Metric(name=f"Level {device}", datatype=DataType.INT16)]

    def alias(self, device: str | None, name: str) -> int:
        return self.aliases.setdefault((device, name), len(self.aliases) + 2)

    def outbox(self) -> OutboxState | None:
        return None


class Street:
    """One gateway, one host, and what is between them; a second passes per step."""

    def __init__(self, seed: int, loss: float) -> None:
        self.random = random.Random(seed)
        self.loss = loss
        self.node = EdgeNode(group="estate", node="gw1", view=View(), primary_host=None)
        self.host = Host(reorder_timeout=2)
        self.second = 0
        self.air: list[Publish] = []
        self.born: dict[str | None, tuple[BirthMetric, ...]] = {}
        self.values: list[tuple[str | None, str | None, object]] = []
        self.node.connect(0, self.now)
        self.node.connected()
        self.send(self.node.subscribed(self.now))

    @property
    def now(self) -> Now:
        return Now(at=self.second, utc_ms=self.second * 1000)

    def send(self, actions: Sequence[NodeAction]) -> None:
        self.air += [action for action in actions if isinstance(action, Publish) and self.random.random() >= self.loss]

    def step(self) -> None:
        self.second += 1
        if self.loss and self.random.random() < 0.3:
            self.random.shuffle(self.air)
        air, self.air = self.air, []
        for message in air:
            self.hear(self.host.received(message.topic, message.payload, self.now))
        self.hear(self.host.tick(self.now))

    def hear(self, actions: Sequence[HostAction]) -> None:
        for action in actions:
            if isinstance(action, Publish):
                self.send(self.node.received(action.topic, action.payload, self.now))
            if isinstance(action, NodeBorn):
                self.born = {None: action.metrics}
            elif isinstance(action, DeviceBorn):
                self.born[action.device] = action.metrics
            if not isinstance(action, Data):
                continue
            aliases = {metric.alias: metric for metric in self.born[action.device]}
            for raw in action.payload.metrics:
                known = aliases[raw.alias]
                metric = typed(read_metric(raw), name=known.name, datatype=known.datatype)
                self.values.append((action.device, metric.name, metric.value))


@pytest.mark.parametrize("seed", range(20))
def test_host_recovers(seed: int) -> None:
    street = Street(seed, loss=0.2)
    for number in range(200):
        device = street.random.choice(["a", "b"])
        metric = Metric(name=f"Level {device}", datatype=DataType.INT16, value=-number)
        street.send(street.node.data(device, [metric], street.now))
        street.step()
    assert {(device, name) for device, name, _ in street.values} == {("a", "Level a"), ("b", "Level b")}
    assert len(street.values) == len({value for *_, value in street.values})
    street.loss = 0
    for _ in range(1300):
        street.step()
        street.send(street.node.data("a", [Metric(name="Level a", datatype=DataType.INT16, value=1)], street.now))
    street.values.clear()
    for number in range(10):
        for device in ("a", "b"):
            metric = Metric(name=f"Level {device}", datatype=DataType.INT16, value=-1000 - number)
            street.send(street.node.data(device, [metric], street.now))
        street.step()
    new = [value for value in street.values if value[2] != 1]
    assert new == [(device, f"Level {device}", -1000 - number) for number in range(10) for device in ("a", "b")]
