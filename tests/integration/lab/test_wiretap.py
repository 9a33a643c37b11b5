"""What the lab hears at the broker: which message carried what, what is a repetition of its own, what was missed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from liandong.lab.repeater import Repeater
from liandong.lab.wiretap import Wiretap
from liandong.sparkplug import Heard
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric, Payload, encode
from tests.services.brokers import Broker

PATIENCE_S = 20.0
NODE = "spBv1.0/test-court/%s/gw-1"


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


class Node:
    """An edge node that says what a test wants."""

    def __init__(self, broker: Broker) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2, "node")
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        self.seq = -1

    def say(self, kind: str, *metrics: Metric, device: str = "", uuid: str | None = None) -> None:
        self.seq += 1
        now = time.time_ns() // 1_000_000
        payload = Payload(timestamp_ms=now, metrics=metrics, seq=self.seq, uuid=uuid)
        topic = NODE % kind + (f"/{device}" if device else "")
        data = encode(payload, brief=kind.endswith("DATA"))
        self.client.publish(topic, data, qos=0).wait_for_publish(PATIENCE_S)

    def born(self, bdseq: int = 0) -> None:
        now = time.time_ns() // 1_000_000
        self.seq = -1
        self.say(
            "NBIRTH",
            Metric(name="bdSeq", datatype=DataType.INT64, value=bdseq, timestamp_ms=now),
            Metric(name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=False, timestamp_ms=now),
        )
        total = Metric(name="energy-total", alias=7, datatype=DataType.DOUBLE, value=1.0, timestamp_ms=now)
        self.say("DBIRTH", total, device="meter-1")

    def dies(self, bdseq: int) -> None:
        now = time.time_ns() // 1_000_000
        bd_seq = Metric(name="bdSeq", datatype=DataType.INT64, value=bdseq, timestamp_ms=now)
        data = encode(Payload(timestamp_ms=now, metrics=(bd_seq,), seq=None))
        self.client.publish(NODE % "NDEATH", data, qos=0).wait_for_publish(PATIENCE_S)

    def total(self, value: float, uuid: str) -> None:
        now = time.time_ns() // 1_000_000
        metric = Metric(name=None, alias=7, datatype=DataType.DOUBLE, value=value, timestamp_ms=now)
        self.say("DDATA", metric, device="meter-1", uuid=uuid)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def node(iotcore_broker: Broker) -> Iterator[Node]:
    node = Node(iotcore_broker)
    yield node
    node.close()


@pytest.fixture
def repeater(iotcore_broker: Broker) -> Repeater:
    return Repeater(iotcore_broker.port, "lab", "lab")


@pytest.fixture
def wiretap(iotcore_broker: Broker, repeater: Repeater) -> Iterator[Wiretap]:
    wiretap = Wiretap(iotcore_broker.port, "lab", "lab", repeater, ())
    wiretap.start()
    yield wiretap
    wiretap.close()


def test_it_knows_which_message_carried_what_and_how_often(wiretap: Wiretap, node: Node) -> None:
    node.born()
    node.total(2.0, "e/bulk/1-1")
    node.total(3.0, "e/bulk/2-2")
    node.total(2.0, "e/bulk/1-1")
    key = ("meter-1", "energy-total", 2.0)
    until(lambda: len(wiretap.sendings[key]) == 2)
    (first, message), (again, same) = wiretap.sendings[key]
    ((between, _),) = wiretap.sendings["meter-1", "energy-total", 3.0]
    assert first < between < again
    assert message == same == "e/bulk/1-1"


def test_what_the_repeater_says_is_neither_a_sending_nor_a_broken_rule(
    wiretap: Wiretap, repeater: Repeater, node: Node
) -> None:
    node.born()
    repeater.start()
    time.sleep(0.5)  # it has subscribed
    for number in range(2, 12):
        node.total(float(number), f"e/bulk/{number}-{number}")
    until(lambda: len(wiretap.sendings) == 10)
    until(lambda: repeater.held + repeater.repeated == 10)
    repeater.stop()
    assert repeater.repeated == 10
    node.total(20.0, "e/bulk/20-20")
    until(lambda: wiretap.sendings["meter-1", "energy-total", 20.0])
    assert all(len(said) == 1 for said in wiretap.sendings.values())
    assert [found["rule"] for found in wiretap.report()["violations"] if "seq" in found["rule"]] == []


def test_a_node_that_breaks_a_rule_is_told(wiretap: Wiretap, node: Node) -> None:
    node.born()
    node.seq += 3
    node.total(2.0, "e/bulk/1-1")
    until(lambda: wiretap.report()["violations"])
    assert any("seq" in found["rule"] for found in wiretap.report()["violations"])


@pytest.mark.parametrize(("born_again_as", "blamed"), [(3, 0), (2, 0), (1, 1)])
def test_a_death_is_judged_by_the_birth_after_it(wiretap: Wiretap, node: Node, born_again_as: int, blamed: int) -> None:
    node.born(1)
    # Cut before its birth; the newer will, told by the broker at a takeover; a number that is wrong.
    node.dies(2)
    node.born(born_again_as)
    node.total(4.0, "e/bulk/4-4")
    until(lambda: wiretap.sendings["meter-1", "energy-total", 4.0])
    report = wiretap.report()
    assert [found["rule"] for found in report["violations"] if "ndeath-bdseq" in found["rule"]] == [
        "tck-id-payloads-ndeath-bdseq"
    ] * blamed
    assert report["ended_before_birth"] == 1 - blamed


@pytest.mark.parametrize(("newest", "blamed"), [(1, 0), (2, 1)])
def test_a_birth_after_its_own_will_is_judged_by_the_birth_before(
    wiretap: Wiretap, node: Node, newest: int, blamed: int
) -> None:
    node.born(newest)
    node.dies(2)  # the will of the connection that takes this one's place, or of this one
    node.born(2)
    node.total(4.0, "e/bulk/4-4")
    until(lambda: wiretap.sendings["meter-1", "energy-total", 4.0])
    rules = [found["rule"] for found in wiretap.report()["violations"]]
    assert rules.count("tck-id-topics-nbirth-bdseq-increment") == blamed


@pytest.mark.parametrize(("told", "blamed"), [(2, 0), (1, 1)])
def test_a_birth_with_the_next_number_after_a_rebirth_was_asked_is_a_new_connections_if_its_will_was_told(
    wiretap: Wiretap, node: Node, told: int, blamed: int
) -> None:
    node.born(1)
    now = time.time_ns() // 1_000_000
    ask = Metric(name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True, timestamp_ms=now)
    payload = encode(Payload(timestamp_ms=now, metrics=(ask,), seq=None))
    node.client.publish(NODE % "NCMD", payload, qos=0).wait_for_publish(PATIENCE_S)
    if told == 2:
        node.dies(2)  # the will of the connection that takes this one's place, as iotcore tells it
    node.born(2)
    node.total(4.0, "e/bulk/4-4")
    until(lambda: wiretap.sendings["meter-1", "energy-total", 4.0])
    rules = [found["rule"] for found in wiretap.report()["violations"]]
    assert rules.count("tck-id-operational-behavior-data-commands-rebirth-action-3") == blamed


def test_a_message_that_was_taken_for_a_copy_after_a_gap_is_not_missing(
    wiretap: Wiretap, repeater: Repeater, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.born(1)
    wiretap.gaps.append(time.time_ns() // 1_000_000)
    monkeypatch.setattr(wiretap, "_is_copy", partial(_as_if_copied, wiretap, repeater, wiretap._is_copy))
    for number in range(2, 5):
        node.total(float(number), f"e/bulk/{number}-{number}")
    node.seq += 1  # this one nobody said
    node.total(9.0, "e/bulk/9-9")
    until(lambda: wiretap.sendings["meter-1", "energy-total", 9.0])
    assert not wiretap.sendings["meter-1", "energy-total", 3.0]
    found = [found["found"] for found in wiretap.report()["violations"] if "seq-inc" in found["rule"]]
    assert found == ["seq 6, expected 5"]


def _as_if_copied(wiretap: Wiretap, repeater: Repeater, judge: Callable[[Heard], bool], heard: Heard) -> bool:
    """The repeater has said the second of them once more, and the wiretap does not know which is the original."""
    if b"e/bulk/3-3" in heard.payload:
        repeater.copied.add(hash((heard.topic, heard.payload)))
    return judge(heard)


def test_a_connection_that_breaks_leaves_a_gap(wiretap: Wiretap, iotcore_broker: Broker) -> None:
    before_ms = time.time_ns() // 1_000_000
    iotcore_broker.kill()
    until(lambda: wiretap.gaps)
    assert wiretap.unheard(before_ms, before_ms + 1000)
    assert not wiretap.unheard(before_ms - 3_600_000, before_ms - 3_000_000)
    iotcore_broker.start()
