"""The STATE payload, and the one who says it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.sparkplug.actions import Disconnect, Malformed, Publish, Subscribe
from protocols.sparkplug.state import HostState, decode_state, encode_state
from protocols.sparkplug.state_holder import StateHolder

TOPIC = "spBv1.0/STATE/liandong"


def said(online: bool, timestamp_ms: int) -> Publish:
    return Publish(
        topic=TOPIC, payload=encode_state(HostState(online=online, timestamp_ms=timestamp_ms)), qos=1, retain=True
    )


def state(online: bool, timestamp_ms: int) -> bytes:
    return encode_state(HostState(online=online, timestamp_ms=timestamp_ms))


def test_bytes() -> None:
    """tck-id-host-topic-phid-birth-payload."""
    assert state(True, 1486144502122) == b'{"online":true,"timestamp":1486144502122}'
    spaced = b' { "timestamp" : 5, "online" : false, "more": [1] } '
    assert decode_state(spaced) == HostState(online=False, timestamp_ms=5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ONLINE",
        b"[]",
        b"{}",
        b'{"online":1,"timestamp":5}',
        b'{"online":true}',
        b'{"online":true,"timestamp":"5"}',
        b'{"online":true,"timestamp":true}',
        b'{"online":true,"timestamp":-1}',
        b'{"online":true,"timestamp":1e3}',
        b'{"online":true,"timestamp":9007199254740992}',
        b"[" * 4000,
        b"\xff{",
    ],
)
def test_no_state(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_state(data)


@given(st.binary(max_size=60))
def test_garbage_raises_nothing_but_protocol_error(data: bytes) -> None:
    with suppress(ProtocolError):
        decode_state(data)


def online_at(ms: int) -> StateHolder:
    holder = StateHolder("liandong")
    holder.connect(ms)
    holder.connected()
    holder.subscribed()
    return holder


def test_session() -> None:
    """Will with the birth's timestamp, own STATE subscribed before the birth, and the time of the stop at the end."""
    holder = StateHolder("liandong")
    # tck-id-payloads-state-will-message, tck-id-payloads-state-will-message-qos
    # tck-id-payloads-state-will-message-retain, tck-id-payloads-state-will-message-payload
    # tck-id-host-topic-phid-death-payload-timestamp-connect
    assert holder.connect(1000) == said(False, 1000)
    # tck-id-host-topic-phid-birth-sub-required, tck-id-payloads-state-subscribe, tck-id-host-topic-phid-birth-message
    # tck-id-message-flow-phid-sparkplug-subscription
    assert holder.connected() == [Subscribe(filters=(TOPIC,), qos=1)]
    # tck-id-host-topic-phid-birth-payload-timestamp, tck-id-host-topic-phid-birth-qos
    # tck-id-host-topic-phid-birth-retain
    # tck-id-host-topic-phid-birth-required, tck-id-operational-behavior-host-application-connect-birth
    # tck-id-message-flow-phid-sparkplug-state-publish, tck-id-conformance-primary-host
    # tck-id-intro-sparkplug-host-state, tck-id-components-ph-state
    # tck-id-operational-behavior-primary-application-state-with-multiple-servers-state
    assert holder.subscribed() == [said(True, 1000)]
    assert holder.online
    # tck-id-host-topic-phid-death-payload-timestamp-disconnect-clean
    # tck-id-operational-behavior-host-application-termination
    # tck-id-operational-behavior-host-application-disconnect-intentional
    assert holder.stop(5000) == [said(False, 5000), Disconnect(reason="stopped", reconnect=False)]
    assert holder.received(state(False, 5000), retained=False) == []


def test_own_birth_is_no_news() -> None:
    assert online_at(1000).received(state(True, 1000), retained=False) == []


def test_retained_death_of_the_predecessor_is_ignored() -> None:
    """After kill -9 the successor reads the predecessor's retained death: eclipse-sparkplug/sparkplug#547."""
    holder = online_at(2000)
    assert holder.received(state(False, 1000), retained=True) == []
    assert holder.online


def test_death_before_our_birth_is_ignored() -> None:
    holder = StateHolder("liandong")
    holder.connect(2000)
    holder.connected()
    assert holder.received(state(False, 9000), retained=True) == []


@pytest.mark.parametrize(("timestamp_ms", "retained"), [(1000, False), (2000, True), (7000, True)])
def test_newer_or_live_death_means_a_new_connection(timestamp_ms: int, retained: bool) -> None:
    """The deviation from tck-id-message-flow-hid-sparkplug-state-message-delivered that version 4 made the rule."""
    holder = online_at(2000)
    assert holder.received(state(False, timestamp_ms), retained=retained) == [
        Disconnect(reason="own-state-offline", reconnect=True)
    ]
    assert holder.received(state(False, timestamp_ms), retained=retained) == []  # once
    holder.disconnected()
    assert holder.connect(2000) == said(False, max(2001, timestamp_ms + 1))


def test_clock_that_goes_back_does_not_take_the_timestamp_with_it() -> None:
    holder = online_at(2000)
    holder.disconnected()
    assert holder.connect(1500) == said(False, 2001)


def test_restored_database_makes_everybody_birth() -> None:
    holder = online_at(2000)
    assert holder.bounce(3000) == [said(False, 3000), Disconnect(reason="restored", reconnect=True)]
    holder.disconnected()
    assert holder.connect(3000) == said(False, 3001)
    holder.connected()
    assert holder.received(state(False, 3000), retained=True) == []
    assert holder.subscribed() == [said(True, 3001)]
    assert holder.received(state(False, 3000), retained=True) == []


def test_malformed_state_is_left_alone() -> None:
    holder = online_at(2000)
    assert [type(action) for action in holder.received(b"OFFLINE", retained=True)] == [Malformed]
    assert holder.online
