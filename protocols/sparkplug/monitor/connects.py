"""What a CONNECT must say, for whoever stands where it can be seen (a proxy, a test)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from protocols.errors import ProtocolError
from protocols.sparkplug import topics
from protocols.sparkplug.births import BD_SEQ
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.monitor.rules import Broken, Connect, Rule
from protocols.sparkplug.payload import Metric, decode
from protocols.sparkplug.state import decode_state
from protocols.sparkplug.topics import MessageType

_EDGE: Final = "message-flow-edge-node-birth-publish-will-message"
_HOST: Final = "operational-behavior-host-application-connect-will"

NODE_CLEAN: Final = {
    False: Rule(("principles-persistence-clean-session-311",)),
    True: Rule(("principles-persistence-clean-session-50",)),
}
HOST_CLEAN: Final = {
    False: Rule(("message-flow-phid-sparkplug-clean-session-311",)),
    True: Rule(("message-flow-phid-sparkplug-clean-session-50",)),
}
NODE_WILL: Final = Rule((_EDGE, "payloads-ndeath-will-message"))
NODE_WILL_TOPIC: Final = Rule((f"{_EDGE}-topic", "topics-ndeath-topic"))
NODE_WILL_QOS: Final = Rule((f"{_EDGE}-qos", "payloads-ndeath-will-message-qos"))
NODE_WILL_RETAIN: Final = Rule((f"{_EDGE}-will-retained", "payloads-ndeath-will-message-retain"))
NODE_WILL_PAYLOAD: Final = Rule((f"{_EDGE}-payload",))
NODE_WILL_SEQ: Final = Rule(("payloads-ndeath-seq", "topics-ndeath-seq"))
NODE_WILL_BDSEQ: Final = Rule((f"{_EDGE}-payload-bdSeq", "topics-ndeath-payload"))
NODE_WILL_STEP: Final = Rule((f"{_EDGE}-payload-bdSeq", "topics-nbirth-bdseq-increment"))
HOST_WILL: Final = Rule((_HOST, "host-topic-phid-death-required", "payloads-state-will-message"))
HOST_WILL_TOPIC: Final = Rule((f"{_HOST}-topic", "host-topic-phid-death-topic", "payloads-state-will-message"))
HOST_WILL_QOS: Final = Rule((f"{_HOST}-qos", "host-topic-phid-death-qos", "payloads-state-will-message-qos"))
HOST_WILL_RETAIN: Final = Rule(
    (f"{_HOST}-retained", "host-topic-phid-death-retain", "payloads-state-will-message-retain")
)
HOST_WILL_PAYLOAD: Final = Rule(
    (f"{_HOST}-payload", "host-topic-phid-death-payload", "payloads-state-will-message-payload")
)
HOST_WILL_TIME: Final = Rule(("host-topic-phid-death-payload-timestamp-connect",))


def check_node_connect(key: tuple[str, str], facts: Connect, before: int | None) -> Iterator[Broken]:
    """The CONNECT of an Edge Node; `before` is the bdSeq of its last one, if that is known."""
    yield from _clean(facts, NODE_CLEAN)
    if facts.will is None:
        yield NODE_WILL, "no will"
        return
    if facts.will.topic != topics.node_topic(key[0], MessageType.NDEATH, key[1]):
        yield NODE_WILL_TOPIC, facts.will.topic
    if facts.will.qos != 1:
        yield NODE_WILL_QOS, f"QoS {facts.will.qos}"
    if facts.will.retain:
        yield NODE_WILL_RETAIN, "retain"
    try:
        payload = decode(facts.will.payload)
    except ProtocolError as error:
        yield NODE_WILL_PAYLOAD, str(error)
        return
    if payload.seq is not None:
        yield NODE_WILL_SEQ, f"seq {payload.seq}"
    found = _bdseq(payload.metrics)
    if found is None:
        yield NODE_WILL_BDSEQ, f"metrics {[metric.name for metric in payload.metrics]}"
    elif found > 255 or (before is not None and found != (before + 1) % 256):
        yield NODE_WILL_STEP, f"bdSeq {found} after {before}"


def will_bdseq(facts: Connect) -> int | None:
    """The bdSeq of the will of a node's CONNECT, None where it has none."""
    try:
        return None if facts.will is None else _bdseq(decode(facts.will.payload).metrics)
    except ProtocolError:
        return None


def check_host_connect(host: str, facts: Connect, at_ms: int, tolerance_ms: int) -> Iterator[Broken]:
    """The CONNECT of a Host Application that says STATE."""
    yield from _clean(facts, HOST_CLEAN)
    if facts.will is None:
        yield HOST_WILL, "no will"
        return
    if facts.will.topic != topics.state_topic(host):
        yield HOST_WILL_TOPIC, facts.will.topic
    if facts.will.qos != 1:
        yield HOST_WILL_QOS, f"QoS {facts.will.qos}"
    if not facts.will.retain:
        yield HOST_WILL_RETAIN, "not retained"
    try:
        state = decode_state(facts.will.payload)
    except ProtocolError as error:
        yield HOST_WILL_PAYLOAD, str(error)
        return
    if state.online:
        yield HOST_WILL_PAYLOAD, "online true"
    if abs(state.timestamp_ms - at_ms) > tolerance_ms:
        yield HOST_WILL_TIME, f"timestamp {state.timestamp_ms}"


def will_timestamp(facts: Connect) -> int | None:
    """The timestamp of the will of a host's CONNECT, None where it has none."""
    try:
        return None if facts.will is None else decode_state(facts.will.payload).timestamp_ms
    except ProtocolError:
        return None


def _clean(facts: Connect, rules: dict[bool, Rule]) -> Iterator[Broken]:
    version_5 = facts.expiry_s is not None
    if not facts.clean or facts.expiry_s:
        yield rules[version_5], f"clean {facts.clean}, expiry {facts.expiry_s}"


def _bdseq(metrics: tuple[Metric, ...]) -> int | None:
    if len(metrics) != 1 or metrics[0].name != BD_SEQ or metrics[0].datatype is not DataType.INT64:
        return None
    return metrics[0].value if isinstance(metrics[0].value, int) else None
