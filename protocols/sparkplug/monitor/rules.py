"""The rules that can be seen on the wire (Sparkplug 3.0.0), and what a broken one looks like.

The specification states most rules in several places, each under an id of its own. A `Rule` is one statement with all
of its ids; those of a message type stand in tables by `MessageType`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.sparkplug.actions import Publish
from protocols.sparkplug.topics import MessageType

_T = MessageType


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement: its ids without ``tck-id-``, the most specific one first, and whether it is a MUST."""

    ids: tuple[str, ...]
    must: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken rule. `rule` is its id, `also` the ids under which the specification says the same.

    `node` is group/node, or a host id; `message` the type and the device; `found` what was there instead (technical
    words only); `at_ms` when it was heard, milliseconds since 1970-01-01 UTC.
    """

    rule: str
    also: tuple[str, ...]
    must: bool
    node: str
    message: str
    found: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """What a CONNECT said, for who stands where it can be seen. `expiry_s` is that of MQTT 5, None with 3.1.1."""

    clean: bool
    will: Publish | None
    expiry_s: int | None = None


Broken = tuple[Rule, str]
"""A rule and what was found."""


def _rule(*ids: str, must: bool = True) -> Rule:
    return Rule(ids, must)


_EDGE: Final = "message-flow-edge-node-birth-publish"
_DEVICE: Final = "message-flow-device-birth-publish"
_HOST: Final = "operational-behavior-host-application"
_FLOW: Final = "operational-behavior-data-publish"
_COMMAND: Final = "operational-behavior-data-commands"
_WAIT: Final = f"{_EDGE}-phid-wait"

# topics
NAMESPACE: Final = _rule("topic-structure-namespace-a")
STRUCTURE: Final = _rule("topic-structure")
OWN_TOPIC: Final = {
    _T.NBIRTH: ("topics-nbirth-topic", f"{_EDGE}-nbirth-topic"),
    _T.NDATA: ("topics-ndata-topic",),
    _T.NDEATH: ("topics-ndeath-topic", f"{_EDGE}-will-message-topic"),
    _T.NCMD: ("topics-ncmd-topic",),
    _T.DBIRTH: ("topics-dbirth-topic", f"{_DEVICE}-dbirth-topic"),
    _T.DDATA: ("topics-ddata-topic",),
    _T.DDEATH: ("topics-ddeath-topic",),
    _T.DCMD: ("topics-dcmd-topic",),
}
TOPIC: Final = {
    kind: _rule(
        *ids,
        f"topic-structure-namespace-device-id-{'associated' if kind.of_device else 'non-associated'}-message-types",
    )
    for kind, ids in OWN_TOPIC.items()
}
STATE_TOPIC: Final = _rule(
    "host-topic-phid-birth-topic",
    "host-topic-phid-death-topic",
    f"{_HOST}-connect-birth-topic",
    f"{_HOST}-death-topic",
    "topic-structure-namespace-device-id-non-associated-message-types",
)
IDS_DIFFER_IN_CASE: Final = _rule("case-sensitivity-sparkplug-ids", must=False)
NAMES_DIFFER_IN_CASE: Final = _rule("case-sensitivity-metric-names", must=False)

# how a message is published; an NDEATH that is published before DISCONNECT may have any QoS, so it is not judged
QOS: Final = {
    _T.NBIRTH: _rule("payloads-nbirth-qos", "topics-nbirth-mqtt", f"{_EDGE}-nbirth-qos"),
    _T.NDATA: _rule("payloads-ndata-qos", "topics-ndata-mqtt"),
    _T.NCMD: _rule("payloads-ncmd-qos", "topics-ncmd-mqtt"),
    _T.DBIRTH: _rule("payloads-dbirth-qos", "topics-dbirth-mqtt", f"{_DEVICE}-dbirth-qos"),
    _T.DDATA: _rule("payloads-ddata-qos", "topics-ddata-mqtt"),
    _T.DDEATH: _rule("topics-ddeath-mqtt"),
    _T.DCMD: _rule("payloads-dcmd-qos", "topics-dcmd-mqtt"),
}
RETAIN: Final = {
    _T.NBIRTH: _rule("payloads-nbirth-retain", "topics-nbirth-mqtt", f"{_EDGE}-nbirth-retained"),
    _T.NDATA: _rule("payloads-ndata-retain", "topics-ndata-mqtt"),
    _T.NDEATH: _rule("payloads-ndeath-will-message-retain", f"{_EDGE}-will-message-will-retained"),
    _T.NCMD: _rule("payloads-ncmd-retain", "topics-ncmd-mqtt"),
    _T.DBIRTH: _rule("payloads-dbirth-retain", "topics-dbirth-mqtt", f"{_DEVICE}-dbirth-retained"),
    _T.DDATA: _rule("payloads-ddata-retain", "topics-ddata-mqtt"),
    _T.DDEATH: _rule("topics-ddeath-mqtt"),
    _T.DCMD: _rule("payloads-dcmd-retain", "topics-dcmd-mqtt"),
}

# the payload
UNREADABLE: Final = {
    _T.NBIRTH: _rule(f"{_EDGE}-nbirth-payload"),
    _T.NDATA: _rule("topics-ndata-payload"),
    _T.NDEATH: _rule(f"{_EDGE}-will-message-payload"),
    _T.NCMD: _rule("topics-ncmd-payload"),
    _T.DBIRTH: _rule(f"{_DEVICE}-dbirth-payload"),
    _T.DDATA: _rule("topics-ddata-payload"),
    _T.DDEATH: _rule("payloads-ddeath-seq"),
    _T.DCMD: _rule("topics-dcmd-payload"),
}
TIMESTAMP: Final = {
    _T.NBIRTH: _rule("payloads-nbirth-timestamp", "topics-nbirth-timestamp"),
    _T.NDATA: _rule("payloads-ndata-timestamp", "topics-ndata-timestamp"),
    _T.NCMD: _rule("payloads-ncmd-timestamp", "topics-ncmd-timestamp"),
    _T.DBIRTH: _rule("payloads-dbirth-timestamp", "topics-dbirth-timestamp"),
    _T.DDATA: _rule("payloads-ddata-timestamp", "topics-ddata-timestamp"),
    _T.DDEATH: _rule("payloads-ddeath-timestamp"),
    _T.DCMD: _rule("payloads-dcmd-timestamp", "topics-dcmd-timestamp"),
}
UTC: Final = _rule("payloads-timestamp-in-UTC")
METRIC_UTC: Final = _rule("payloads-metric-timestamp-in-UTC")
SEQ_ABSENT: Final = {
    _T.NBIRTH: _rule("payloads-nbirth-seq", "payloads-sequence-num-always-included", "topics-nbirth-seq-num"),
    _T.NDATA: _rule("payloads-ndata-seq", "payloads-sequence-num-always-included", "topics-ndata-seq-num"),
    _T.DBIRTH: _rule("payloads-dbirth-seq", "payloads-sequence-num-always-included", "topics-dbirth-seq"),
    _T.DDATA: _rule("payloads-ddata-seq", "payloads-sequence-num-always-included", "topics-ddata-seq-num"),
    _T.DDEATH: _rule(
        "payloads-ddeath-seq",
        "payloads-sequence-num-always-included",
        "payloads-ddeath-seq-number",
        "topics-ddeath-seq-num",
    ),
}
SEQ_PRESENT: Final = {
    _T.NDEATH: _rule("payloads-ndeath-seq", "topics-ndeath-seq"),
    _T.NCMD: _rule("payloads-ncmd-seq"),
    _T.DCMD: _rule("payloads-dcmd-seq"),
}
SEQ_BIRTH: Final = _rule("topics-nbirth-seq-num")
SEQ_BIRTH_RANGE: Final = _rule(
    "payloads-nbirth-seq", "payloads-sequence-num-req-nbirth", f"{_EDGE}-nbirth-payload-seq", "topics-nbirth-seq-num"
)
SEQ_NEXT: Final = {
    _T.NDATA: _rule("payloads-ndata-seq-inc", "payloads-sequence-num-incrementing", "topics-ndata-seq-num"),
    _T.DBIRTH: _rule(
        "payloads-dbirth-seq-inc",
        "payloads-sequence-num-incrementing",
        "topics-dbirth-seq",
        f"{_DEVICE}-dbirth-payload-seq",
    ),
    _T.DDATA: _rule("payloads-ddata-seq-inc", "payloads-sequence-num-incrementing", "topics-ddata-seq-num"),
    _T.DDEATH: _rule("payloads-ddeath-seq-inc", "payloads-sequence-num-incrementing", "topics-ddeath-seq-num"),
}

# the session
BIRTH_FIRST: Final = {
    _T.NDATA: _rule("payloads-ndata-order", "principles-birth-certificates-order"),
    _T.DDATA: _rule("payloads-ddata-order", "principles-birth-certificates-order"),
    _T.DDEATH: _rule("principles-birth-certificates-order"),
    _T.DBIRTH: _rule(
        f"{_DEVICE}-nbirth-wait",
        f"{_DEVICE}-dbirth-match-edge-node-topic",
        "payloads-dbirth-order",
        "principles-birth-certificates-order",
    ),
}
DEVICE_BIRTH_FIRST: Final = _rule("payloads-ddata-order")
BDSEQ_ABSENT: Final = _rule("payloads-nbirth-bdseq", "topics-nbirth-bdseq-included", f"{_EDGE}-nbirth-payload-bdSeq")
BDSEQ_TYPE: Final = _rule(f"{_EDGE}-nbirth-payload-bdSeq")
BDSEQ_WILL: Final = _rule(
    "payloads-nbirth-bdseq-repeat", "topics-nbirth-bdseq-matching", f"{_EDGE}-nbirth-payload-bdSeq"
)
BDSEQ_STEP: Final = _rule("topics-nbirth-bdseq-increment", f"{_EDGE}-will-message-payload-bdSeq")
BDSEQ_REBIRTH: Final = _rule(f"{_COMMAND}-rebirth-action-3")
REBIRTH_UNANSWERED: Final = _rule(f"{_COMMAND}-rebirth-action-2", f"{_COMMAND}-rebirth-action-1")
DEATH_BDSEQ: Final = _rule("payloads-ndeath-bdseq")
DEATH_PAYLOAD: Final = _rule("topics-ndeath-payload")
DEATH_BDSEQ_TYPE: Final = _rule(f"{_EDGE}-will-message-payload-bdSeq")
REBIRTH_ABSENT: Final = _rule("payloads-nbirth-rebirth-req", "topics-nbirth-rebirth-metric", f"{_COMMAND}-rebirth-name")
REBIRTH_ALIAS: Final = _rule(f"{_COMMAND}-rebirth-name-aliases")
REBIRTH_TYPE: Final = _rule(
    f"{_COMMAND}-rebirth-datatype", "topics-nbirth-rebirth-metric", "payloads-nbirth-rebirth-req"
)
REBIRTH_VALUE: Final = _rule(f"{_COMMAND}-rebirth-value", "topics-nbirth-rebirth-metric", "payloads-nbirth-rebirth-req")
WAITED: Final = _rule(
    _WAIT, f"{_WAIT}-online", f"{_WAIT}-id", f"{_WAIT}-timestamp", "operational-behavior-edge-node-birth-sequence-wait"
)
STAYED: Final = _rule(
    f"{_EDGE}-phid-offline",
    "operational-behavior-edge-node-termination-host-offline",
    "operational-behavior-primary-application-state-with-multiple-servers-walk",
)

# metrics
NAMELESS: Final = _rule("payloads-name-requirement")
ALIAS_ONLY_BIRTH: Final = _rule("payloads-alias-birth-requirement")
ALIAS_TWICE: Final = _rule("payloads-alias-uniqueness")
NAME_IN_DATA: Final = _rule("payloads-alias-data-cmd-requirement")
NOT_BORN: Final = {
    _T.NDATA: _rule(f"{_FLOW}-nbirth", "topics-nbirth-metric-reqs"),
    _T.DDATA: _rule(f"{_FLOW}-dbirth", "topics-dbirth-metric-reqs"),
    _T.NCMD: _rule(f"{_COMMAND}-ncmd-metric-name", must=False),
    _T.DCMD: _rule(f"{_COMMAND}-dcmd-metric-name", must=False),
}
BIRTH_VALUE: Final = {
    _T.NBIRTH: _rule(f"{_FLOW}-nbirth-values", "topics-nbirth-metrics"),
    _T.DBIRTH: _rule(f"{_FLOW}-dbirth-values", "topics-dbirth-metrics"),
}
METRIC_TIME: Final = _rule("payloads-name-birth-data-requirement")
TYPE_ABSENT: Final = {
    _T.NBIRTH: _rule("payloads-metric-datatype-req", "topics-nbirth-metrics"),
    _T.DBIRTH: _rule("payloads-metric-datatype-req", "topics-dbirth-metrics"),
}
TYPE_UNKNOWN: Final = _rule("payloads-metric-datatype-value", "payloads-metric-datatype-value-type")
TYPE_IN_DATA: Final = _rule("payloads-metric-datatype-not-req", must=False)
CHRONOLOGY: Final = {
    _T.NBIRTH: _rule(f"{_FLOW}-nbirth-order"),
    _T.NDATA: _rule(f"{_FLOW}-nbirth-order"),
    _T.DBIRTH: _rule(f"{_FLOW}-dbirth-order"),
    _T.DDATA: _rule(f"{_FLOW}-dbirth-order"),
}
COMMAND_EMPTY: Final = {_T.NCMD: _rule("topics-ncmd-payload"), _T.DCMD: _rule("topics-dcmd-payload")}
DATA_EMPTY: Final = {_T.NDATA: _rule("topics-ndata-payload"), _T.DDATA: _rule("topics-ddata-payload")}
COMMAND_VALUE: Final = {
    _T.NCMD: _rule(f"{_COMMAND}-ncmd-metric-value"),
    _T.DCMD: _rule(f"{_COMMAND}-dcmd-metric-value"),
}
REBIRTH_REQUEST_VALUE: Final = _rule(f"{_COMMAND}-ncmd-rebirth-value")
REBIRTH_REQUEST_VERB: Final = _rule(f"{_COMMAND}-ncmd-rebirth-verb", f"{_COMMAND}-ncmd-verb")

# STATE
STATE_ONLINE: Final = _rule(
    "host-topic-phid-birth-payload",
    "message-flow-phid-sparkplug-state-publish-payload",
    f"{_HOST}-connect-birth-payload",
    "payloads-state-birth-payload",
)
STATE_OFFLINE: Final = _rule(
    "host-topic-phid-death-payload",
    f"{_HOST}-connect-will-payload",
    f"{_HOST}-death-payload",
    "payloads-state-will-message-payload",
)
STATE_SHAPE: Final = Rule(STATE_ONLINE.ids + STATE_OFFLINE.ids)
STATE_QOS: Final = {
    True: _rule("host-topic-phid-birth-qos", f"{_HOST}-connect-birth-qos", "payloads-state-birth"),
    False: _rule(
        "host-topic-phid-death-qos",
        f"{_HOST}-death-qos",
        f"{_HOST}-connect-will-qos",
        "payloads-state-will-message-qos",
    ),
}
STATE_RETAIN: Final = {
    True: _rule("host-topic-phid-birth-retain", f"{_HOST}-connect-birth-retained", "payloads-state-birth"),
    False: _rule(
        "host-topic-phid-death-retain",
        f"{_HOST}-death-retained",
        f"{_HOST}-connect-will-retained",
        "payloads-state-will-message-retain",
    ),
}
STATE_WILL: Final = _rule(
    "host-topic-phid-birth-payload-timestamp",
    "message-flow-phid-sparkplug-state-publish-payload-timestamp",
    "message-flow-phid-sparkplug-state-publish-payload",
    f"{_HOST}-connect-birth-payload",
    "payloads-state-birth-payload",
)
