from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.sparkplug.topics import (
    MessageType,
    StateTopic,
    Topic,
    check_id,
    group_filter,
    node_topic,
    parse,
    state_topic,
)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("spBv1.0/g/NBIRTH/n", Topic(group="g", type=MessageType.NBIRTH, node="n")),  # tck-id-topics-nbirth-topic
        ("spBv1.0/g/NDEATH/n", Topic(group="g", type=MessageType.NDEATH, node="n")),  # tck-id-topics-ndeath-topic
        (
            "spBv1.0/g/DDATA/n/d",
            Topic(group="g", type=MessageType.DDATA, node="n", device="d"),
        ),  # tck-id-topics-ddata-topic
        ("spBv1.0/Grüße 1/DCMD/N.1/桃", Topic(group="Grüße 1", type=MessageType.DCMD, node="N.1", device="桃")),
    ],
)
def test_parse_and_build(text: str, topic: Topic) -> None:
    """tck-id-intro-group-id-string, tck-id-intro-edge-node-id-string, tck-id-intro-device-id-string."""
    assert parse(text) == topic
    assert node_topic(topic.group, topic.type, topic.node, topic.device) == text


def test_state_topic() -> None:
    """tck-id-host-topic-phid-birth-topic."""
    assert state_topic("liandong") == "spBv1.0/STATE/liandong"
    assert parse("spBv1.0/STATE/liandong") == StateTopic(host="liandong")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spBv1.0",
        "spAv1.0/g/NDATA/n",  # tck-id-topic-structure-namespace-a
        "spBv1.0/g/NDATA",
        "spBv1.0/g/NDATA/n/d",  # tck-id-topic-structure-namespace-device-id-non-associated-message-types
        "spBv1.0/g/DDATA/n",  # tck-id-topic-structure-namespace-device-id-associated-message-types
        "spBv1.0/g/XDATA/n",
        "spBv1.0/g/STATE/n",
        "spBv1.0//NDATA/n",
        "spBv1.0/+/NDATA/n",  # tck-id-topic-structure-namespace-valid-group-id
        "spBv1.0/g/NDATA/+",  # tck-id-topic-structure-namespace-valid-edge-node-id
        "spBv1.0/g/DDATA/n/a#",  # tck-id-topic-structure-namespace-valid-device-id
        "spBv1.0/STATE/a/b",
        "STATE/host",  # the form of versions before 3.0
    ],
)
def test_no_topic(text: str) -> None:
    with pytest.raises(ProtocolError, match="no Sparkplug topic"):
        parse(text)


@pytest.mark.parametrize("part", ["", "a/b", "a+", "#"])
def test_build_refuses_what_no_topic_can_carry(part: str) -> None:
    """tck-id-intro-group-id-chars, tck-id-intro-edge-node-id-chars, tck-id-intro-device-id-chars."""
    with pytest.raises(ProtocolError):
        node_topic(part, MessageType.NDATA, "n")
    with pytest.raises(ProtocolError):
        node_topic("g", MessageType.DDATA, "n", part)
    with pytest.raises(ProtocolError):
        node_topic("g", MessageType.NDATA, part)
    with pytest.raises(ProtocolError):
        state_topic(part)


def test_our_ids() -> None:
    """tck-id-case-sensitivity-sparkplug-ids, by allowing one case only."""
    for good in ("a", "7", "peach-garden", "gw-01", "a" * 64):
        assert check_id(good) == good
    for bad in ("", "-a", "a-", "A", "a.b", "a_b", "桃", "a\n", "a" * 65):
        with pytest.raises(ProtocolError):
            check_id(bad)
    assert group_filter("peach-garden") == "spBv1.0/peach-garden/#"


@given(st.text())
def test_garbage_raises_nothing_but_protocol_error(text: str) -> None:
    with suppress(ProtocolError):
        parse(text)
