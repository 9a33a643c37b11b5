"""The packets and the sessions of a simulated fleet, without a socket."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import mqtt
from protocols.delivery import Acknowledgement, Lane, MessageId, NumberSet
from protocols.errors import ProtocolError
from protocols.sparkplug.actions import Now, Publish
from protocols.sparkplug.births import OUTBOX_ACK_ALIAS, OUTBOX_BIRTH
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import command
from protocols.sparkplug.payload import Metric, decode
from protocols.sparkplug.state import HostState, encode_state
from protocols.sparkplug.topics import state_topic
from simulators.fleet.plan import Plan
from simulators.fleet.session import Counts, Session


@given(
    st.lists(st.tuples(st.text("ab/", min_size=1), st.binary(max_size=300), st.sampled_from([0, 1])), max_size=5),
    st.data(),
)
def test_packets_are_found_wherever_the_stream_is_cut(told: list[tuple[str, bytes, int]], data: st.DataObject) -> None:
    stream = b"".join(mqtt.publish(topic, body, qos=qos, number=7) for topic, body, qos in told)
    cut = data.draw(st.integers(0, len(stream)))
    reader = mqtt.Stream()
    found = [mqtt.received(*packet) for part in (stream[:cut], stream[cut:]) for packet in reader.feed(part)]
    assert [(one.topic, one.payload, one.qos) for one in found] == told
    assert all(one.number == (7 if one.qos else 0) for one in found)


def test_a_length_that_is_none_is_refused() -> None:
    with pytest.raises(ProtocolError):
        list(mqtt.Stream().feed(b"\x30\xff\xff\xff\xff\xff"))


@pytest.mark.parametrize("piece", [1 << 18, 3 * mqtt.MOST_BYTES])
def test_a_message_that_is_too_long_is_passed_over_and_what_follows_is_read(piece: int) -> None:
    after = mqtt.publish("a", b"1") + mqtt.publish("a", b"2")
    told = mqtt.publish("a", bytes(mqtt.MOST_BYTES)) + after
    reader = mqtt.Stream()
    parts = [told[at : at + piece] for at in range(0, len(told), piece)]
    found = [mqtt.received(*packet).payload for part in parts for packet in reader.feed(part)]
    assert (found, reader.left_out) == ([b"1", b"2"], 1)
    with pytest.raises(ProtocolError):
        list(mqtt.Stream().feed(mqtt.frame(mqtt.SUBACK << 4, bytes(mqtt.MOST_BYTES + 1))))


def test_connect_as_the_standard_writes_it() -> None:
    """OASIS MQTT 3.1.1, figures 3.2 to 3.6: a clean session with a will of QoS 1, user and password."""
    will = mqtt.Will(topic="t", payload=b"x", qos=1)
    packet = mqtt.connect("c", keepalive_s=30, user="u", password="p", will=will)
    assert packet == bytes.fromhex(
        "10 19 0004 4d515454 04 ce 001e 0001 63 0001 74 0001 78 0001 75 0001 70".replace(" ", "")
    )


@pytest.fixture
def session() -> Session:
    """Born, in front of a host that is online."""
    plan = Plan(brokers=(), gateways=1, devices=2, rate=1.0, seconds=1.0, batch=4)
    made = Session(plan, 0, Counts(), deque())
    made.node.connect(made.next_bdseq(), at(0))
    made.node.connected()
    made.node.subscribed(at(0))
    online = encode_state(HostState(online=True, timestamp_ms=1))
    for action in made.node.received(state_topic("liandong"), online, at(0)):
        made.done(action, at(0))
    return made


def at(seconds: float) -> Now:
    return Now(at=seconds, utc_ms=1_753_000_000_000 + round(1000 * seconds))


def sent(session: Session, now: Now) -> list[str | None]:
    return [decode(action.payload).uuid for action in session.send(now) if isinstance(action, Publish)]


def test_what_is_not_acknowledged_goes_again_and_what_is_does_not(session: Session) -> None:
    for _ in range(3):
        assert len(session.measure(at(1))) == 4
    first = sent(session, at(1))
    assert len(first) == 3
    assert sent(session, at(2)) == []
    mine = MessageId.parse(str(first[0]))
    births = [metric for metric in session.node.birth(at(2)) if isinstance(metric, Publish)]
    birth = next(str(m.value) for m in decode(births[0].payload).metrics if m.name == OUTBOX_BIRTH)
    text = f"liandong/{birth}/{mine.epoch}/{Lane.BULK}/{NumberSet([(1, 2)])}"
    assert str(Acknowledgement.parse(text)) == text
    metric = Metric(name=None, alias=OUTBOX_ACK_ALIAS, datatype=DataType.STRING, value=text)
    answer = command((session.group, session.name), None, (metric,), at(3))
    for action in session.node.received(answer.topic, answer.payload, at(3)):
        session.done(action, at(3))
    assert session.waiting == 1
    assert sent(session, at(60)) == first[2:]


def test_after_a_lost_connection_everything_that_is_held_goes_again_in_order(session: Session) -> None:
    for _ in range(3):
        session.measure(at(1))
    first = sent(session, at(1))
    session.cut_off()
    assert sent(session, at(2)) == []
    session.node.connect(session.next_bdseq(), at(2))
    session.node.connected()
    session.node.subscribed(at(2))
    session.node.received(state_topic("liandong"), encode_state(HostState(online=True, timestamp_ms=1)), at(2))
    assert sent(session, at(2)) == first
