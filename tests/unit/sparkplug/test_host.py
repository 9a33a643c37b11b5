"""The Host's view of the nodes, as scripts in time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.sparkplug.actions import Malformed, Now, Publish
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import (
    ALL_HELD_BYTES,
    HELD_BYTES,
    Action,
    BirthMetric,
    Data,
    DeviceBorn,
    DeviceDied,
    Host,
    NodeBorn,
    NodeDied,
    Unexplained,
    command,
)
from protocols.sparkplug.payload import Metric, Payload, decode, encode
from protocols.sparkplug.rebirth_requests import RebirthRequests

GW = ("estate", "gw1")


def at(seconds: float) -> Now:
    return Now(at=seconds, utc_ms=1_700_000_000_000 + int(seconds * 1000))


def nbirth(bdseq: int = 0, seq: int = 0) -> bytes:
    metrics = (
        Metric(name="bdSeq", datatype=DataType.INT64, value=bdseq),
        Metric(name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=False),
        Metric(name="CPU", alias=2, datatype=DataType.DOUBLE, value=1.0),
    )
    return encode(Payload(timestamp_ms=1, seq=seq, metrics=metrics))


def ndeath(bdseq: int | None) -> bytes:
    metrics = () if bdseq is None else (Metric(name="bdSeq", datatype=DataType.INT64, value=bdseq),)
    return encode(Payload(timestamp_ms=1, metrics=metrics))


def dbirth(seq: int) -> bytes:
    return encode(
        Payload(timestamp_ms=1, seq=seq, metrics=(Metric(name="Energy", alias=7, datatype=DataType.INT32, value=1),))
    )


def data(seq: int | None) -> bytes:
    metrics = (Metric(alias=7, datatype=DataType.INT32, value=1),)
    return encode(Payload(timestamp_ms=1, seq=seq, metrics=metrics), brief=True)


def ddeath(seq: int, timestamp_ms: int | None = 55) -> bytes:
    return encode(Payload(timestamp_ms=timestamp_ms, seq=seq))


def told(actions: Sequence[Action]) -> list[str]:
    """Actions in a word each; data with its seq, late data in brackets."""
    words = []
    for action in actions:
        if isinstance(action, Data):
            words.append(f"data {action.payload.seq}" if action.in_order else f"(data {action.payload.seq})")
        elif isinstance(action, Publish):
            words.append("ask rebirth")
        else:
            words.append(type(action).__name__)
    return words


class Wire:
    """A host, and what the one gateway sends to it."""

    def __init__(self, reorder_timeout: float = 2.0) -> None:
        self.host = Host(reorder_timeout=reorder_timeout)

    def send(self, kind: str, payload: bytes, seconds: float = 0) -> list[str]:
        return told(self.raw(kind, payload, seconds))

    def raw(self, kind: str, payload: bytes, seconds: float = 0) -> list[Action]:
        device = "/meter" if kind.startswith("D") else ""
        return self.host.received(f"spBv1.0/estate/{kind}/gw1{device}", payload, at(seconds))

    def tick(self, seconds: float) -> list[str]:
        return told(self.host.tick(at(seconds)))

    def born(self, bdseq: int = 0) -> Wire:
        assert self.send("NBIRTH", nbirth(bdseq)) == ["NodeBorn"]
        assert self.send("DBIRTH", dbirth(1)) == ["DeviceBorn"]
        return self


def test_births_give_names_and_types() -> None:
    wire = Wire()
    (node,) = wire.raw("NBIRTH", nbirth())
    assert isinstance(node, NodeBorn)
    assert (node.node, node.deviations) == (GW, ())
    (device,) = wire.raw("DBIRTH", dbirth(1))
    assert isinstance(device, DeviceBorn)
    assert device.metrics == (BirthMetric("Energy", DataType.INT32, 7),)
    assert BirthMetric("CPU", DataType.DOUBLE, 2) in node.metrics


def test_the_same_device_id_at_two_nodes() -> None:
    """tck-id-topic-structure-namespace-duplicate-device-id-across-edge-node."""
    host = Host()
    for node in ("gw1", "gw2"):
        host.received(f"spBv1.0/estate/NBIRTH/{node}", nbirth(), at(0))
        host.received(f"spBv1.0/estate/DBIRTH/{node}/meter", dbirth(1), at(0))
    assert told(host.received("spBv1.0/estate/DDEATH/gw1/meter", ddeath(2), at(1))) == ["DeviceDied"]
    assert told(host.received("spBv1.0/estate/DDATA/gw2/meter", data(2), at(1))) == ["data 2"]


def test_in_order_means_at_once() -> None:
    wire = Wire().born()
    assert [wire.send("DDATA", data(seq)) for seq in (2, 3)] == [["data 2"], ["data 3"]]
    assert wire.send("NDATA", data(4)) == ["data 4"]
    assert wire.tick(1000) == []


def test_seq_wraps() -> None:
    """tck-id-payloads-sequence-num-incrementing."""
    wire = Wire().born()
    words = [wire.send("DDATA", data(seq % 256)) for seq in range(2, 600)]
    assert words == [[f"data {seq % 256}"] for seq in range(2, 600)]


def test_reordered_messages_are_put_in_order() -> None:
    """tck-id-operational-behavior-host-reordering-success."""
    wire = Wire().born()
    assert wire.send("DDATA", data(3), 0) == []
    assert wire.send("DDATA", data(4), 0.5) == []
    assert wire.send("DDATA", data(2), 1.0) == ["data 2", "data 3", "data 4"]
    assert wire.tick(1000) == []


def test_hole_is_left_behind_after_the_timeout() -> None:
    """tck-id-operational-behavior-host-reordering-start, tck-id-operational-behavior-host-reordering-rebirth."""
    wire = Wire().born()
    assert wire.send("DDATA", data(5), 0) == []
    assert wire.send("DDATA", data(3), 1) == []
    assert wire.tick(1.9) == []
    assert wire.tick(2.0) == ["(data 3)", "(data 5)", "ask rebirth"]
    assert wire.send("DDATA", data(6), 3) == ["data 6"]
    assert wire.send("DDATA", data(2), 3) == ["(data 2)"]  # late, and not lost
    assert wire.tick(11.9) == []
    assert wire.tick(12) == ["ask rebirth"]  # the request itself may be lost
    assert wire.send("NBIRTH", nbirth(), 13) == ["NodeBorn"]
    assert wire.tick(1000) == []


def test_a_hole_that_holds_back_too_many_bytes_is_given_up_at_once() -> None:
    """One node may hold back so much, and all of them together so much more; what was left behind counts no longer."""

    def big(seq: int) -> bytes:
        text = Metric(alias=8, datatype=DataType.STRING, value="x" * (HELD_BYTES // 4))
        return encode(Payload(timestamp_ms=1, seq=seq, metrics=(text,)), brief=True)

    wire = Wire().born()
    assert [wire.send("DDATA", big(seq), 0) for seq in (3, 4, 5)] == [[], [], []]
    assert wire.send("DDATA", big(6), 0.1) == ["(data 3)", "(data 4)", "(data 5)", "(data 6)", "ask rebirth"]
    assert wire.send("DDATA", data(7), 0.2) == ["data 7"]

    host, held = Host(), 0
    for number in range(ALL_HELD_BYTES // HELD_BYTES * 2):
        topics = [f"spBv1.0/estate/{kind}/gw{number}" for kind in ("NBIRTH", "NDATA")]
        host.received(topics[0], nbirth(), at(0))
        told = [action for seq in (3, 4, 5) for action in host.received(topics[1], big(seq), at(0))]
        held += 0 if told else 3
    assert held * HELD_BYTES // 4 <= ALL_HELD_BYTES < (held + 3) * HELD_BYTES // 4 * 1.05
    nodes = [("estate", f"gw{number}") for number in range(ALL_HELD_BYTES // HELD_BYTES * 2)]
    host.forget(nodes)
    host.received("spBv1.0/estate/NBIRTH/gw1", nbirth(), at(1))
    assert [host.received("spBv1.0/estate/NDATA/gw1", big(seq), at(1)) for seq in (3, 4, 5)] == [[], [], []]


def test_without_a_timeout_nothing_waits() -> None:
    """tck-id-operational-behavior-host-reordering-param: a broker that keeps the order needs no waiting."""
    wire = Wire(reorder_timeout=0).born()
    assert wire.send("DDATA", data(4)) == ["(data 4)", "ask rebirth"]
    assert wire.send("DDATA", data(5)) == ["data 5"]


def test_same_seq_twice_is_handed_on() -> None:
    """Whether it is a copy is for the received sets to say."""
    wire = Wire().born()
    assert wire.send("DDATA", data(2)) == ["data 2"]
    assert wire.send("DDATA", data(2)) == ["(data 2)"]
    assert wire.send("DDATA", data(9)) == []
    assert wire.send("DDATA", data(9)) == ["(data 9)"]


def test_message_without_seq_is_handed_on() -> None:
    wire = Wire().born()
    assert wire.send("DDATA", data(None)) == ["(data 0)"]
    assert wire.send("DDATA", data(2)) == ["data 2"]


def test_seq_that_cannot_be() -> None:
    wire = Wire().born()
    assert wire.send("DDATA", data(1030)) == []
    assert wire.tick(5) == ["(data 1030)", "ask rebirth"]


def test_rebirth_requests_are_rare() -> None:
    """At most one per 10 s and node, doubling, forgotten after ten quiet minutes."""
    requests = RebirthRequests()
    asked = [second for second in range(2000) if requests.may_ask(GW, second)]
    assert asked == [0, 10, 30, 70, 150, 310, 630, 1230, 1830]
    assert requests.may_ask(("estate", "gw2"), 1999)
    assert not requests.may_ask(GW, 2000)
    assert requests.may_ask(GW, 2600)
    assert requests.may_ask(GW, 2610)
    requests.forget(GW)
    assert requests.may_ask(GW, 2611)


def test_requests_of_many_nodes_are_forgotten_in_time() -> None:
    requests = RebirthRequests()
    for number in range(5000):
        assert requests.may_ask(number, number)
    assert len(requests._asked) <= 1300


def test_rebirth_request() -> None:
    wire = Wire()
    unexplained, ask = wire.raw("NDATA", data(5))
    assert isinstance(unexplained, Unexplained)
    assert isinstance(ask, Publish)
    # tck-id-operational-behavior-data-commands-ncmd-rebirth-verb, tck-id-topics-ncmd-mqtt
    assert (ask.topic, ask.qos, ask.retain) == ("spBv1.0/estate/NCMD/gw1", 0, False)
    payload = decode(ask.payload)
    # tck-id-payloads-ncmd-seq, tck-id-payloads-ncmd-timestamp
    assert (payload.seq, payload.timestamp_ms) == (None, at(0).utc_ms)
    (metric,) = payload.metrics
    # tck-id-operational-behavior-data-commands-ncmd-rebirth-name
    # tck-id-operational-behavior-data-commands-ncmd-rebirth-value
    assert (metric.name, metric.alias, metric.value) == ("Node Control/Rebirth", None, True)


def test_device_command() -> None:
    """By alias, with a time.

    tck-id-topics-dcmd-topic, tck-id-payloads-dcmd-seq, tck-id-payloads-alias-data-cmd-requirement,
    tck-id-payloads-name-cmd-requirement, tck-id-operational-behavior-data-commands-dcmd-verb.
    """
    metric = Metric(name="Open", alias=9, datatype=DataType.BOOLEAN, value=True, timestamp_ms=4)
    publish = command(GW, "door", (metric,), at(0))
    assert (publish.topic, publish.qos, publish.retain) == ("spBv1.0/estate/DCMD/gw1/door", 0, False)
    payload = decode(publish.payload)
    assert payload == Payload(timestamp_ms=at(0).utc_ms, metrics=(Metric(alias=9, value=True, timestamp_ms=4),))


def test_data_before_any_birth() -> None:
    wire = Wire()
    assert wire.send("DDATA", data(5), 0) == ["Unexplained", "ask rebirth"]
    assert wire.send("DDATA", data(6), 1) == ["Unexplained"]
    assert wire.send("DDEATH", ddeath(7), 11) == ["Unexplained", "ask rebirth"]
    wire.send("NBIRTH", nbirth(), 12)
    assert wire.send("DDATA", data(1), 12) == ["Unexplained"]  # the node is known, its device is not
    assert not wire.host.alive(("estate", "gw2"))


def test_unknown_alias() -> None:
    wire = Wire().born()
    assert told(wire.host.ask_rebirth(GW, at(0))) == ["ask rebirth"]
    assert told(wire.host.ask_rebirth(GW, at(9))) == []


def test_node_death() -> None:
    """The node and everything of it, by our clock.

    tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-offline
    tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale
    tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-offline
    tck-id-operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale
    """
    wire = Wire().born(bdseq=4)
    assert wire.send("NDEATH", ndeath(3), 7) == []  # the will of the connection before
    assert wire.send("NDEATH", ndeath(None), 7) == []
    assert wire.host.alive(GW)
    assert wire.raw("NDEATH", ndeath(4), 7) == [NodeDied(node=GW, utc_ms=at(7).utc_ms)]
    assert not wire.host.alive(GW)
    assert wire.send("NDEATH", ndeath(4), 8) == []
    assert wire.send("DDATA", data(2), 8) == ["Unexplained", "ask rebirth"]


def test_node_death_hands_on_what_was_held() -> None:
    wire = Wire().born(bdseq=4)
    wire.send("DDATA", data(3))
    assert wire.send("NDEATH", ndeath(4)) == ["(data 3)", "NodeDied"]
    assert wire.tick(1000) == []


def test_rebirth_starts_anew_and_hands_on_what_was_held() -> None:
    wire = Wire().born(bdseq=4)
    wire.send("DDATA", data(3))
    assert wire.send("NBIRTH", nbirth(4)) == ["(data 3)", "NodeBorn"]
    assert wire.send("DDATA", data(2)) == []  # DBIRTH has not come yet
    assert wire.send("DBIRTH", dbirth(1)) == ["DeviceBorn", "data 2"]
    assert wire.tick(1000) == []


def test_device_death() -> None:
    """The device and everything of it, by the time in the message.

    tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-offline
    tck-id-operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale
    """
    wire = Wire().born()
    assert wire.raw("DDEATH", ddeath(2)) == [DeviceDied(node=GW, device="meter", utc_ms=55)]
    assert wire.send("DDATA", data(3)) == ["Unexplained", "ask rebirth"]
    assert wire.send("DBIRTH", dbirth(4)) == ["DeviceBorn"]
    assert wire.raw("DDEATH", ddeath(5, None), 9) == [DeviceDied(node=GW, device="meter", utc_ms=at(9).utc_ms)]
    assert wire.send("DDEATH", ddeath(6)) == []


def test_deviations_of_third_parties_are_tolerated_and_named() -> None:
    wire = Wire()
    named = Metric(name="Node Control/Rebirth", alias=3, datatype=DataType.BOOLEAN, value=False)
    (node,) = wire.raw("NBIRTH", encode(Payload(seq=9, metrics=(named,))))
    assert isinstance(node, NodeBorn)
    assert node.deviations == (
        "tck-id-topics-nbirth-bdseq-included",
        "tck-id-operational-behavior-data-commands-rebirth-name-aliases",
        "tck-id-topics-nbirth-seq-num",
        "tck-id-topics-nbirth-timestamp",
    )
    assert wire.send("NDATA", data(10)) == ["data 10"]
    assert wire.send("NDEATH", ndeath(None)) == ["NodeDied"]
    (node,) = wire.raw("NBIRTH", encode(Payload(seq=0, timestamp_ms=1)))
    assert isinstance(node, NodeBorn)
    assert "tck-id-topics-nbirth-rebirth-metric" in node.deviations


def test_birth_that_cannot_be_read() -> None:
    wire = Wire()
    nameless = encode(Payload(seq=0, metrics=(Metric(alias=1, datatype=DataType.INT32, value=1),)))
    assert wire.send("NBIRTH", nameless) == ["Malformed", "ask rebirth"]
    assert not wire.host.alive(GW)
    wire.send("NBIRTH", nbirth(), 20)
    assert wire.send("DBIRTH", encode(Payload(seq=1, metrics=(Metric(alias=1),))), 20) == ["Malformed", "ask rebirth"]
    assert wire.send("DBIRTH", dbirth(2), 20) == ["DeviceBorn"]


def test_datatype_that_nobody_knows_is_unknown() -> None:
    wire = Wire()
    body = b"\x0a\x01x\x10\x05\x20\x63"
    (node,) = wire.raw("NBIRTH", b"\x12" + bytes([len(body)]) + body + b"\x18\x00")
    assert isinstance(node, NodeBorn)
    assert node.metrics == (BirthMetric("x", DataType.UNKNOWN, 5),)


def test_another_worker_takes_over() -> None:
    wire = Wire().born()
    wire.send("DDATA", data(4))
    wire.host.forget([GW])
    assert not wire.host.alive(GW)
    assert wire.tick(1000) == []


@pytest.mark.parametrize("topic", ["spBv1.0/STATE/cloud", "spBv1.0/estate/NCMD/gw1", "spBv1.0/estate/DCMD/gw1/d"])
def test_what_hosts_say_is_no_news(topic: str) -> None:
    assert Host().received(topic, b"\xff", at(0)) == []


@given(st.sampled_from(["NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDATA", "DDEATH", "x"]), st.binary(max_size=60))
def test_garbage_is_left_alone(kind: str, payload: bytes) -> None:
    wire = Wire().born()
    actions = wire.raw(kind, payload)
    with suppress(ProtocolError):
        decode(payload)
        return
    assert all(not isinstance(action, Malformed) or action.what for action in actions)


@given(st.permutations(list(range(2, 22))), st.sets(st.integers(2, 21), max_size=6))
def test_whatever_the_network_does_each_message_comes_out_once(order: list[int], lost: set[int]) -> None:
    wire = Wire().born()
    words: list[str] = []
    for index, seq in enumerate(seq for seq in order if seq not in lost):
        words += wire.send("DDATA", data(seq), index / 10)
        words += wire.tick(index / 10)
    words += wire.tick(100)
    came = [int(word.strip("()").removeprefix("data ")) for word in words if "data" in word]
    assert sorted(came) == sorted(set(order) - lost)
    if not lost:
        assert came == sorted(came)
