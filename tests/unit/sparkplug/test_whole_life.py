"""Our node and our host through everything that can happen to them, heard by the monitor: it has nothing to say.

That the monitor would say something is shown by `test_monitor.py`, which breaks each of its rules once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from protocols.delivery import Lane, MessageId
from protocols.sparkplug.actions import Disconnect, Now, Publish
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.edge_node import EdgeNode
from protocols.sparkplug.host import Host, command
from protocols.sparkplug.monitor import Connect, Monitor, Violation
from protocols.sparkplug.payload import Metric
from protocols.sparkplug.state_holder import StateHolder
from tests.unit.sparkplug.agent import View
from tests.unit.sparkplug.test_edge_node import EPOCH, acknowledging
from tools.sparkplug_table import read

NODE, HOST = ("estate", "gw1"), "cloud"
BOOK = read()
KEPT = [entry.id for entry in BOOK.entries if entry.id in BOOK.monitored and entry.who not in BOOK.reasons]


class Life:
    """One node and one host on one broker that keeps the order; a second passes with each step."""

    def __init__(self, view: View) -> None:
        self.monitor = Monitor(primary_hosts=[HOST])
        self.violations: list[Violation] = []
        self.messages: list[str] = []
        self.view = view
        self.node = EdgeNode(group=NODE[0], node=NODE[1], view=view, primary_host=HOST)
        self.host = Host(reorder_timeout=0)
        self.holder = StateHolder(HOST)
        self.second = 0
        self.bdseq = 254
        self.stored: Publish | None = None

    @property
    def now(self) -> Now:
        return Now(at=self.second, utc_ms=1_700_000_000_000 + self.second * 1000)

    def do(self, actions: Iterable[object]) -> None:
        self.second += 1
        waiting = list(actions)
        while waiting:
            action = waiting.pop(0)
            if isinstance(action, Publish):
                waiting += self._deliver(action)
            elif isinstance(action, Disconnect):
                self.node.disconnected()

    def node_connects(self) -> None:
        self.bdseq = (self.bdseq + 1) % 256
        will = self.node.connect(self.bdseq, self.now)
        self.violations += self.monitor.node_connected(NODE, Connect(clean=True, will=will), self.now.utc_ms)
        self.node.connected()
        self.do(self.node.subscribed(self.now))
        if self.stored is not None:
            self.do(self.node.received(self.stored.topic, self.stored.payload, self.now))

    def host_connects(self) -> None:
        will = self.holder.connect(self.now.utc_ms)
        self.violations += self.monitor.host_connected(HOST, Connect(clean=True, will=will), self.now.utc_ms)
        self.holder.connected()
        self.do(self.holder.subscribed())

    def _deliver(self, message: Publish) -> list[object]:
        self.messages.append(message.topic.split("/")[2] if "STATE" not in message.topic else "STATE")
        now = self.now
        self.stored = message if message.retain else self.stored
        self.violations += self.monitor.heard(
            message.topic, message.payload, qos=message.qos, retain=False, at_ms=now.utc_ms
        )
        heard: list[object] = [*self.node.received(message.topic, message.payload, now)]
        return [*heard, *self.host.received(message.topic, message.payload, now)]


ENERGY = Metric(name="Energy", datatype=DataType.INT32, value=-7, timestamp_ms=1_700_000_000_000, quality=192, unit="J")


def life(view: View) -> Life:
    """Everything once, and some of it again."""
    view.devices = {
        device: [replace(metric, timestamp_ms=1_700_000_000_000) for metric in metrics]
        for device, metrics in view.devices.items()
    }
    it = Life(view)
    it.node_connects()
    it.host_connects()
    for number in range(300):
        message = MessageId(epoch=EPOCH, lane=Lane.BULK, first=number + 1, last=number + 1)
        it.do(it.node.data("meter", [ENERGY], it.now, message=message))
    it.do(it.node.data(None, [Metric(name="CPU", datatype=DataType.DOUBLE, value=1.0)], it.now))
    it.do([command(NODE, "meter", (_write(view, it.now),), it.now)])
    it.do(it.host.ask_rebirth(NODE, it.now))
    new = Metric(name="Volts", datatype=DataType.FLOAT, value=230.0, timestamp_ms=it.now.utc_ms)
    it.do(it.node.data("meter", [new], it.now))
    view.live.remove("meter")
    it.do(it.node.device_death("meter", it.now))
    it.do(it.node.data("meter", [ENERGY], it.now))
    it.do(it.node.end_backlog(it.now))
    view.live.append("meter")
    it.do(it.node.device_birth("meter", it.now))
    it.do(it.holder.bounce(it.now.utc_ms))
    it.node_connects()
    it.host_connects()
    it.do(it.node.data("door", [Metric(name="Open", datatype=DataType.BOOLEAN, value=True)], it.now))
    it.do(it.node.stop(it.now))
    it.node_connects()
    it.do(it.holder.stop(it.now.utc_ms))
    return it


def _write(view: View, now: Now) -> Metric:
    alias = view.alias("meter", "Energy")
    return Metric(name="Energy", alias=alias, datatype=DataType.INT32, value=1, timestamp_ms=now.utc_ms)


@pytest.fixture(scope="module")
def lives() -> tuple[Life, Life]:
    """With plain and with acknowledged delivery."""
    return life(View()), life(acknowledging())


def test_everything_happened(lives: tuple[Life, Life]) -> None:
    for it in lives:
        assert set(it.messages) == {
            *("STATE", "NBIRTH", "NDEATH", "NDATA", "NCMD", "DBIRTH", "DDEATH", "DDATA", "DCMD"),
        }
        assert it.messages.count("NBIRTH") == 4
        assert it.messages.count("NDEATH") == 3
        assert it.violations == []


@pytest.mark.parametrize("rule", KEPT)
def test_our_node_and_host_keep(rule: str, lives: tuple[Life, Life]) -> None:
    broken = [found for it in lives for found in it.violations if f"tck-id-{rule}" in (found.rule, *found.also)]
    assert not broken
