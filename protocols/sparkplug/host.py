"""The Host's view of the Edge Nodes, sans-I/O (Sparkplug 3.0.0, chapters 5 and 6).

In order by seq, at once; a hole waits for the reordering time-out, then goes on and asks for a rebirth. Nothing that
arrives is thrown away here, what no birth explains comes out as `Unexplained`. Payloads stay protobuf messages, so that
the ingest reads their metrics in bulk; an alias that it finds in no birth it reports by `ask_rebirth`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from protocols.errors import ProtocolError
from protocols.sparkplug import topics
from protocols.sparkplug.actions import Malformed, Now, Publish
from protocols.sparkplug.births import BD_SEQ, REBIRTH
from protocols.sparkplug.compressed import unwrapped
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric, Payload, RawPayload, decode_raw, encode
from protocols.sparkplug.rebirth_requests import RebirthRequests
from protocols.sparkplug.topics import MessageType, Topic

REORDER_TIMEOUT: Final = 2.0
"""Seconds. A broker that keeps the order over all topics of a connection (Mosquitto, iotcore) needs none: 0."""
_BEHIND: Final = 128
"""A seq that is ahead by this much is taken for late, so that at most 127 messages per node are held."""
HELD_BYTES: Final = 4_000_000  # of one node; a hole that would hold back more is given up at once
ALL_HELD_BYTES: Final = 64_000_000  # of all nodes together

_DATATYPES: Final = frozenset(int(datatype) for datatype in DataType)

NodeKey = tuple[str, str]
"""Group and node."""


@dataclass(frozen=True, slots=True)
class BirthMetric:
    """What a birth said about one metric."""

    name: str
    datatype: DataType
    alias: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBorn:
    """NBIRTH. All devices of the node are gone until their own births; what was stale may become good again."""

    node: NodeKey
    metrics: tuple[BirthMetric, ...]
    payload: RawPayload
    deviations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceBorn:
    """DBIRTH."""

    node: NodeKey
    device: str
    metrics: tuple[BirthMetric, ...]
    payload: RawPayload


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """NDATA (`device` None) or DDATA. `in_order` is False for what came after its place, or after a hole.

    `raw` are the bytes of `payload`; empty when it was inside of another one. A birth may follow in the same list of
    actions: who keeps what births said takes the actions one by one.
    """

    node: NodeKey
    device: str | None
    payload: RawPayload
    raw: bytes = field(repr=False)
    in_order: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDied:
    """NDEATH of the current session: the node, all of its devices and all of their metrics are stale since `utc_ms`."""

    node: NodeKey
    utc_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDied:
    """DDEATH: the device and its metrics are stale since `utc_ms`, the time in the message (ours, if it has none)."""

    node: NodeKey
    device: str
    utc_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """A message that no birth explains. A rebirth was asked for; an acknowledging node will send it again."""

    node: NodeKey
    device: str | None
    kind: MessageType
    payload: RawPayload


Action = NodeBorn | DeviceBorn | Data | NodeDied | DeviceDied | Unexplained | Publish | Malformed


@dataclass(frozen=True, slots=True)
class _Heard:
    topic: Topic
    payload: RawPayload
    raw: bytes
    size: int


@dataclass(slots=True)
class _Node:
    bdseq: int | None
    expected: int
    devices: dict[str, None] = field(default_factory=dict)  # those born; a set would take three times the memory
    held: dict[int, _Heard] = field(default_factory=dict)
    hole_since: float | None = None


class Host:
    """The sessions of all nodes that one worker listens to. Single-threaded, no locks."""

    def __init__(self, *, reorder_timeout: float = REORDER_TIMEOUT) -> None:
        self._reorder_timeout = reorder_timeout
        self._held_bytes = 0
        self._nodes: dict[NodeKey, _Node] = {}
        self._requests = RebirthRequests()
        self._waiting: set[NodeKey] = set()
        self._wanted: set[NodeKey] = set()

    def received(self, topic: str, data: bytes, now: Now) -> list[Action]:
        """A message from the broker. Never raises for what it says; STATE and commands of other hosts are no news."""
        try:
            parsed = topics.parse(topic)
            if isinstance(parsed, topics.StateTopic) or parsed.type in (MessageType.NCMD, MessageType.DCMD):
                return []
            outer = decode_raw(data)
            payload = unwrapped(outer)
        except ProtocolError as error:
            return [Malformed(topic=topic, code=error.code, what=str(error))]
        key = (parsed.group, parsed.node)
        if parsed.type is MessageType.NBIRTH:
            return self._node_birth(key, topic, payload, now)
        node = self._nodes.get(key)
        if parsed.type is MessageType.NDEATH:
            return self._node_death(key, node, payload, now)
        if node is None:
            unexplained = Unexplained(node=key, device=parsed.device, kind=parsed.type, payload=payload)
            return [unexplained, *self.ask_rebirth(key, now)]
        if payload is outer:
            return self._in_turn(key, node, _Heard(parsed, payload, data, len(data)), now)
        return self._in_turn(key, node, _Heard(parsed, payload, b"", payload.ByteSize()), now)

    def tick(self, now: Now) -> list[Action]:
        """To be called a few times a second: gives up holes that did not fill, asks again where no birth followed."""
        actions: list[Action] = []
        for key in tuple(self._waiting):
            node = self._nodes.get(key)
            if node is None or node.hole_since is None:
                self._waiting.discard(key)
            elif now.at - node.hole_since >= self._reorder_timeout:
                actions += self._give_up_hole(key, node, now)
        for key in tuple(self._wanted):
            actions += self.ask_rebirth(key, now)
        return actions

    def alive(self, node: NodeKey) -> bool:
        """Whether the node is in a session that this host has seen the birth of."""
        return node in self._nodes

    def ask_rebirth(self, node: NodeKey, now: Now) -> list[Action]:
        """A rebirth request, now or (by `tick`) as soon as the node may be asked again; repeated until it births."""
        self._wanted.add(node)
        if not self._requests.may_ask(node, now.at):
            return []
        return [rebirth_request(node, now)]

    def forget(self, nodes: Iterable[NodeKey]) -> None:
        """Another worker listens to these nodes from now on."""
        for node in nodes:
            gone = self._nodes.pop(node, None)
            self._held_bytes -= _size(gone.held.values()) if gone is not None else 0
            self._waiting.discard(node)
            self._wanted.discard(node)
            self._requests.forget(node)

    def _node_birth(self, key: NodeKey, topic: str, payload: RawPayload, now: Now) -> list[Action]:
        try:
            metrics = birth_metrics(payload)
        except ValueError as error:
            bad = Malformed(topic=topic, code="protocols.sparkplug.bad-metric", what=str(error))
            return [bad, *self.ask_rebirth(key, now)]
        before = self._nodes.get(key)
        actions = self._release(key, before, now) if before is not None else []
        expected = (payload.seq + 1) % 256
        node = _Node(bdseq=_bdseq(payload), expected=expected)
        self._nodes[key] = node
        self._waiting.discard(key)
        self._wanted.discard(key)
        deviations = tuple(_deviations(payload, metrics))
        return [*actions, NodeBorn(node=key, metrics=metrics, payload=payload, deviations=deviations)]

    def _node_death(self, key: NodeKey, node: _Node | None, payload: RawPayload, now: Now) -> list[Action]:
        if node is None or _bdseq(payload) != node.bdseq:
            return []
        actions = self._release(key, node, now)
        del self._nodes[key]
        self._waiting.discard(key)
        self._wanted.discard(key)
        return [*actions, NodeDied(node=key, utc_ms=now.utc_ms)]

    def _in_turn(self, key: NodeKey, node: _Node, heard: _Heard, now: Now) -> list[Action]:
        payload = heard.payload
        if not payload.HasField("seq"):
            return self._deliver(key, node, heard, now, in_order=False)
        ahead = (payload.seq - node.expected) % 256
        if ahead >= _BEHIND or payload.seq % 256 in node.held:
            return self._deliver(key, node, heard, now, in_order=False)
        if ahead:
            return self._hold(key, node, heard, now)
        node.expected = (node.expected + 1) % 256
        actions = self._deliver(key, node, heard, now, in_order=True)
        while (following := node.held.pop(node.expected, None)) is not None:
            node.expected = (node.expected + 1) % 256
            self._held_bytes -= following.size
            actions += self._deliver(key, node, following, now, in_order=True)
        node.hole_since = None if not node.held else node.hole_since
        return actions

    def _hold(self, key: NodeKey, node: _Node, held: _Heard, now: Now) -> list[Action]:
        node.held[held.payload.seq % 256] = held
        self._held_bytes += held.size
        if node.hole_since is None:
            node.hole_since = now.at
            self._waiting.add(key)
        full = self._held_bytes > ALL_HELD_BYTES or _size(node.held.values()) > HELD_BYTES
        return self._give_up_hole(key, node, now) if full or self._reorder_timeout <= 0 else []

    def _give_up_hole(self, key: NodeKey, node: _Node, now: Now) -> list[Action]:
        return [*self._release(key, node, now), *self.ask_rebirth(key, now)]

    def _release(self, key: NodeKey, node: _Node, now: Now) -> list[Action]:
        """Everything held, in the order of seq; the next expected is what follows the last."""
        actions: list[Action] = []
        start = node.expected
        held, node.held = node.held, {}
        self._held_bytes -= _size(held.values())
        for seq in sorted(held, key=lambda number: (number - start) % 256):
            node.expected = (seq + 1) % 256
            actions += self._deliver(key, node, held[seq], now, in_order=False)
        node.hole_since = None
        self._waiting.discard(key)
        return actions

    def _deliver(self, key: NodeKey, node: _Node, heard: _Heard, now: Now, *, in_order: bool) -> list[Action]:
        topic, payload, device = heard.topic, heard.payload, heard.topic.device
        if topic.type is MessageType.DBIRTH and device is not None:
            return self._device_birth(key, node, device, payload, now)
        if topic.type is MessageType.DDEATH and device is not None:
            if device not in node.devices:
                return []
            del node.devices[device]
            died_ms = payload.timestamp or now.utc_ms  # 0: a node that does not know the time
            return [DeviceDied(node=key, device=device, utc_ms=died_ms)]
        if device is not None and device not in node.devices:
            unexplained = Unexplained(node=key, device=device, kind=topic.type, payload=payload)
            return [unexplained, *self.ask_rebirth(key, now)]
        return [Data(node=key, device=device, payload=payload, raw=heard.raw, in_order=in_order)]

    def _device_birth(self, key: NodeKey, node: _Node, device: str, payload: RawPayload, now: Now) -> list[Action]:
        try:
            metrics = birth_metrics(payload)
        except ValueError as error:
            topic = topics.node_topic(key[0], MessageType.DBIRTH, key[1], device)
            bad = Malformed(topic=topic, code="protocols.sparkplug.bad-metric", what=str(error))
            return [bad, *self.ask_rebirth(key, now)]
        node.devices[sys.intern(device)] = None
        return [DeviceBorn(node=key, device=device, metrics=metrics, payload=payload)]


def birth_metrics(payload: RawPayload) -> tuple[BirthMetric, ...]:
    """Names, types and aliases of a birth. Raises ValueError for a metric without a readable name."""
    found = []
    for metric in payload.metrics:
        name: object = metric.name
        if not isinstance(name, str) or not name:
            raise ValueError("name")
        datatype = DataType(metric.datatype) if metric.datatype in _DATATYPES else DataType.UNKNOWN
        found.append(BirthMetric(sys.intern(name), datatype, metric.alias if metric.HasField("alias") else None))
    return tuple(found)


def rebirth_request(node: NodeKey, now: Now) -> Publish:
    """The NCMD that asks a node for its whole birth sequence, by name: this metric never has an alias."""
    metric = Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=True, timestamp_ms=now.utc_ms)
    return command(node, None, (metric,), now)


def command(node: NodeKey, device: str | None, metrics: tuple[Metric, ...], now: Now) -> Publish:
    """An NCMD (`device` None) or DCMD: QoS 0, a timestamp, no seq, the alias alone where a metric has one.

    A metric without an alias keeps its name; types are left out (tck-id-payloads-metric-datatype-not-req).
    """
    kind = MessageType.NCMD if device is None else MessageType.DCMD
    payload = encode(Payload(timestamp_ms=now.utc_ms, metrics=metrics), brief=True)
    return Publish(topic=topics.node_topic(node[0], kind, node[1], device), payload=payload)


def _size(held: Iterable[_Heard]) -> int:
    return sum(one.size for one in held)


def _bdseq(payload: RawPayload) -> int | None:
    for metric in payload.metrics:
        if metric.name == BD_SEQ:
            return metric.long_value if metric.HasField("long_value") else metric.int_value
    return None


def _deviations(payload: RawPayload, metrics: tuple[BirthMetric, ...]) -> Iterable[str]:
    """The rules that a birth breaks and we tolerate, by tck id."""
    names = {metric.name: metric for metric in metrics}
    if BD_SEQ not in names:
        yield "tck-id-topics-nbirth-bdseq-included"
    if REBIRTH not in names:
        yield "tck-id-topics-nbirth-rebirth-metric"
    elif names[REBIRTH].alias is not None:
        yield "tck-id-operational-behavior-data-commands-rebirth-name-aliases"
    if payload.seq or not payload.HasField("seq"):
        yield "tck-id-topics-nbirth-seq-num"
    if not payload.HasField("timestamp"):
        yield "tck-id-topics-nbirth-timestamp"
