"""What a monitor lives through beside a street: hosts that restart and change, outboxes, strangers, and any bytes."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.delivery import Acknowledgement, BirthId, Lane, NumberSet
from protocols.sparkplug.actions import Now
from protocols.sparkplug.births import OUTBOX_ACK_ALIAS, OUTBOX_BIRTH
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import command
from protocols.sparkplug.monitor import Monitor, Violation, rules
from protocols.sparkplug.monitor import monitor as implementation
from protocols.sparkplug.payload import Metric, Payload, encode
from protocols.sparkplug.state import HostState, encode_state
from tests.unit.sparkplug.monitored import NOW, Step, nbirth, ndeath, script
from tests.unit.sparkplug.payloads import PAYLOADS

EPOCH = UUID(int=7)


class Street:
    """A node `gw1`, hosts, and a monitor beside them; times in seconds after `NOW`."""

    def __init__(self, *primary_hosts: str) -> None:
        self.monitor = Monitor(primary_hosts=primary_hosts)
        self.seq = 0

    def state(self, second: float, host: str, online: bool, stamp: float, *, stored: bool = False) -> list[Violation]:
        said = encode_state(HostState(online=online, timestamp_ms=NOW + int(stamp * 1000)))
        return self._heard(f"spBv1.0/STATE/{host}", said, second, qos=1, retain=stored)

    def birth(self, second: float, bdseq: int) -> list[Violation]:
        self.seq = 0
        return self._heard("spBv1.0/estate/NBIRTH/gw1", nbirth(int(second * 1000), bdseq).SerializeToString(), second)

    def death(self, second: float, bdseq: int) -> list[Violation]:
        return self._heard("spBv1.0/estate/NDEATH/gw1", ndeath(bdseq).SerializeToString(), second, qos=1)

    def data(self, second: float) -> list[Violation]:
        self.seq += 1
        stamp = NOW + int(second * 1000)
        metric = Metric(alias=2, datatype=DataType.DOUBLE, value=1.0, timestamp_ms=stamp)
        payload = Payload(timestamp_ms=stamp, seq=self.seq % 256, metrics=(metric,))
        return self._heard("spBv1.0/estate/NDATA/gw1", encode(payload, brief=True), second)

    def _heard(self, topic: str, data: bytes, second: float, *, qos: int = 0, retain: bool = False) -> list[Violation]:
        return self.monitor.heard(topic, data, qos=qos, retain=retain, at_ms=NOW + int(second * 1000))


def test_a_host_that_stops_and_returns() -> None:
    it = Street("a")
    found = [*it.state(0, "a", True, 0), *it.birth(1, 0), *it.data(2)]
    found += [*it.state(60, "a", False, 60), *it.data(61), *it.death(62, 0)]
    found += [*it.state(90, "a", True, 90), *it.birth(91, 1), *it.data(92), *it.data(1000)]
    assert found == []


def test_a_host_that_is_killed_and_whose_will_comes_after_its_successor() -> None:
    it = Street("a")
    found = [*it.state(0, "a", True, 0), *it.birth(1, 0), *it.data(2)]
    found += [*it.state(30, "a", True, 30), *it.state(45, "a", False, 0)]
    found += [*it.data(46), *it.data(60), *it.birth(61, 0), *it.data(62)]
    assert found == []


def test_a_host_that_is_killed_and_whose_will_comes_first() -> None:
    it = Street("a")
    found = [*it.state(0, "a", True, 0), *it.birth(1, 0), *it.state(45, "a", False, 0), *it.death(46, 0)]
    found += [*it.state(50, "a", True, 50), *it.birth(50.1, 1), *it.data(99)]
    assert found == []


def test_nodes_that_move_to_another_host() -> None:
    """While one of the two is there nobody is to blame; without either everybody is."""
    it = Street("a", "b")
    found = [*it.state(0, "a", True, 0), *it.state(0, "b", True, 0), *it.birth(1, 0), *it.data(2)]
    found += [*it.state(10, "a", False, 10), *it.data(11), *it.death(12, 0), *it.birth(30, 1), *it.data(60)]
    found += it.state(70, "b", False, 70)
    assert found == []
    assert [one.rule for one in (*it.data(90), *it.data(91))] == ["tck-id-" + rules.STAYED.ids[0]]
    assert [one.rule for one in it.birth(92, 1)] == ["tck-id-" + rules.WAITED.ids[0]]


def test_what_was_missed_accuses_nobody() -> None:
    """The broker was away while the host came back; its stored STATE tells it again."""
    it = Street("a")
    found = [*it.state(0, "a", True, 0), *it.birth(1, 0), *it.state(10, "a", False, 10), *it.death(11, 0)]
    it.monitor.lost()
    found += [*it.birth(60, 1), *it.data(61)]
    assert found == []
    assert it.state(62, "a", False, 10, stored=True) == []
    assert it.data(80) != []


def test_an_outbox_is_nothing_unheard_of() -> None:
    """Its metrics in the birth, and acknowledgements by alias 1."""
    it = Street("a")
    it.state(0, "a", True, 0)
    raw = nbirth(1000, 0)
    stamp = NOW + 1000
    raw.metrics.add(name="Node Control/Outbox Ack", alias=1, timestamp=stamp, datatype=DataType.STRING, is_null=True)
    birth = BirthId(epoch=EPOCH, count=1)
    raw.metrics.add(name=OUTBOX_BIRTH, alias=90, timestamp=stamp, datatype=DataType.STRING, string_value=str(birth))
    assert it._heard("spBv1.0/estate/NBIRTH/gw1", raw.SerializeToString(), 1) == []
    ack = Acknowledgement(host="a", birth=birth, epoch=EPOCH, lane=Lane.BULK, received=NumberSet([(1, 9)]))
    metric = Metric(alias=OUTBOX_ACK_ALIAS, datatype=DataType.STRING, value=str(ack))
    ask = command(("estate", "gw1"), None, (metric,), Now(at=2, utc_ms=NOW + 2000))
    assert it._heard(ask.topic, ask.payload, 2) == []


def test_a_flood_of_made_up_names_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implementation, "MOST_REMEMBERED", 100)
    monitor = Monitor()
    for number in range(1000):
        birth = nbirth(1, number % 256).SerializeToString()
        monitor.heard(f"spBv1.0/estate/NBIRTH/gw{number}", birth, qos=0, retain=False, at_ms=NOW + 1)
        online = encode_state(HostState(online=True, timestamp_ms=NOW))
        monitor.heard(f"spBv1.0/STATE/host-{number}", online, qos=1, retain=False, at_ms=NOW + 1)
    assert monitor.nodes == 100
    assert len(monitor.spoken) == 100
    assert monitor.stored_states(monitor.spoken, NOW) == []


TOPICS = sorted({step.topic for step in script()} | {"spBv1.0/estate/NDATA", "x"})


SAID = st.tuples(st.sampled_from(TOPICS), PAYLOADS.map(encode) | st.binary(max_size=60), st.booleans())


@settings(max_examples=30)
@given(st.lists(SAID, max_size=3))
def test_nothing_that_is_said_breaks_it(said: list[tuple[str, bytes, bool]]) -> None:
    monitor = Monitor(primary_hosts=["cloud"])
    for topic, data, retain in said:
        for found in monitor.heard(topic, data, qos=0, retain=retain, at_ms=NOW):
            assert found.rule.startswith("tck-id-")


@given(st.data())
def test_no_damage_breaks_it(data: st.DataObject) -> None:
    monitor = Monitor(primary_hosts=["cloud"])
    steps: list[Step] = script()
    for step in steps:
        spoiled = bytearray(step.payload)
        for _ in range(data.draw(st.integers(0, 3))):
            spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
        monitor.heard(step.topic, bytes(spoiled), qos=step.qos, retain=step.retain, at_ms=step.at_ms)
