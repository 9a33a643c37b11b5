"""The monitor itself: one state per node and per host, sans-I/O. Times are milliseconds since 1970-01-01 UTC.

It judges what it heard and nothing else: of a node whose birth it missed it knows no aliases, and after `lost` it knows
no session any more. What only a proxy sees, the CONNECT, may be told by `node_connected` and `host_connected`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from protocols.errors import ProtocolError
from protocols.sparkplug import topics
from protocols.sparkplug.compressed import unwrapped
from protocols.sparkplug.monitor import connects, metrics, rules
from protocols.sparkplug.monitor.metrics import CLOCK_TOLERANCE_MS, Promise
from protocols.sparkplug.monitor.rules import Broken, Connect, Rule, Violation
from protocols.sparkplug.payload import RawPayload, decode_raw
from protocols.sparkplug.state import HostState, decode_state
from protocols.sparkplug.topics import MessageType, StateTopic, Topic

PATIENCE_MS: Final = 10_000
"""How long a node may take to answer a rebirth request, and to leave when its primary host is gone."""
MOST_REMEMBERED: Final = 100_000
"""Nodes, hosts and ids that are remembered at most, each; the oldest are forgotten, and judged as if just met."""

_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")
_COMMANDS: Final = frozenset({MessageType.NCMD, MessageType.DCMD})


@dataclass(slots=True)
class _Node:
    """`alive` is None until a birth or a death was heard. `earlier` are sessions whose death has not been heard."""

    alive: bool | None = None
    bdseq: int | None = None
    will: int | None = None
    earlier: set[int] = field(default_factory=set)
    next_seq: int | None = None
    promise: Promise | None = None
    rebirth_asked_ms: int | None = None
    told_offline: bool = False


@dataclass(slots=True)
class _Host:
    """`doubtful`: something was missed since."""

    online: bool
    timestamp_ms: int
    online_since_ms: int
    heard_ms: int
    doubtful: bool = False


class Monitor:
    """Listens to many nodes and hosts. `primary_hosts`: nodes are held to wait for one of these host ids.

    They are several where nodes are being moved from one to another: no node is to blame while one of them is online.
    """

    def __init__(self, *, primary_hosts: Collection[str] = ()) -> None:
        self._primary_hosts = tuple(primary_hosts)
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._hosts: dict[str, _Host] = {}
        self._wills: dict[str, int | None] = {}
        self._spoken: set[str] = set()
        self._descriptors: dict[str, str] = {}
        self.messages = 0

    @property
    def nodes(self) -> int:
        """How many nodes were heard."""
        return len(self._nodes)

    @property
    def spoken(self) -> frozenset[str]:
        """The hosts that said STATE while we listened."""
        return frozenset(self._spoken)

    def heard(self, topic: str, data: bytes, *, qos: int | None, retain: bool, at_ms: int) -> list[Violation]:
        """A message as a subscriber got it. `qos` None where the broker does not keep it; `retain`: it was stored."""
        self.messages += 1
        try:
            parsed = topics.parse(topic)
        except ProtocolError:
            node, message, broken = _bad_topic(topic)
            return _violations([broken], node, message, at_ms)
        if isinstance(parsed, StateTopic):
            return _violations(self._state(parsed.host, data, qos, retain, at_ms), parsed.host, "STATE", at_ms)
        found = self._message(parsed, data, qos, retain, at_ms)
        message = f"{parsed.type} {parsed.device}" if parsed.device else str(parsed.type)
        return _violations(found, f"{parsed.group}/{parsed.node}", message, at_ms)

    def node_connected(self, key: tuple[str, str], facts: Connect, at_ms: int) -> list[Violation]:
        """An Edge Node (group, node) sent CONNECT."""
        node = self._node(key)
        found = list(connects.check_node_connect(key, facts, node.will))
        node.will = connects.will_bdseq(facts)
        return _violations(found, f"{key[0]}/{key[1]}", "CONNECT", at_ms)

    def host_connected(self, host: str, facts: Connect, at_ms: int) -> list[Violation]:
        """A Host Application sent CONNECT."""
        self._wills[host] = connects.will_timestamp(facts)
        found = connects.check_host_connect(host, facts, at_ms, CLOCK_TOLERANCE_MS)
        return _violations(found, host, "CONNECT", at_ms)

    def stored_states(self, hosts: Collection[str], at_ms: int) -> list[Violation]:
        """Which hosts have a STATE stored on the broker now; every host that spoke should."""
        found: list[Violation] = []
        for host in sorted(self._spoken - set(hosts)):
            rule = rules.STATE_RETAIN[host not in self._hosts or self._hosts[host].online]
            found += _violations([(rule, "not stored by the broker")], host, "STATE", at_ms)
        return found

    def lost(self) -> None:
        """Messages may have been missed: every session is unknown until its next birth."""
        for node in self._nodes.values():
            node.alive = node.bdseq = node.will = node.next_seq = node.promise = node.rebirth_asked_ms = None
            node.earlier.clear()
        for host in self._hosts.values():
            host.doubtful = True

    def _node(self, key: tuple[str, str]) -> _Node:
        found = self._nodes.get(key)
        if found is None:
            _make_room(self._nodes)
            found = self._nodes[key] = _Node()
        return found

    def _message(self, topic: Topic, data: bytes, qos: int | None, retain: bool, at_ms: int) -> Iterator[Broken]:
        kind = topic.type
        yield from self._same_but_case(topic)
        if retain:
            yield rules.RETAIN[kind], "retain"
            return
        if qos and kind in rules.QOS:
            yield rules.QOS[kind], f"QoS {qos}"
        try:
            envelope = decode_raw(data)
            raw = unwrapped(envelope)
        except ProtocolError as error:
            yield rules.UNREADABLE[kind], str(error)
            return
        node = self._node((topic.group, topic.node))
        yield from _envelope(kind, envelope, at_ms)
        yield from self._primary(node, kind, at_ms)
        if kind in _COMMANDS:
            yield from _command(node, topic, raw, at_ms)
        elif kind is MessageType.NDEATH:
            yield from _node_death(node, raw)
        elif kind is MessageType.NBIRTH:
            yield from _node_birth(node, raw, at_ms)
        else:
            yield from _in_session(node, topic, raw, at_ms)

    def _same_but_case(self, topic: Topic) -> Iterator[Broken]:
        written = f"{topic.group}/{topic.node}" + (f"/{topic.device}" if topic.device else "")
        if written.lower() not in self._descriptors:
            _make_room(self._descriptors)
        first = self._descriptors.setdefault(written.lower(), written)
        if first != written:
            yield rules.IDS_DIFFER_IN_CASE, f"{written}, {first}"
            self._descriptors[written.lower()] = written

    def _primary(self, node: _Node, kind: MessageType, at_ms: int) -> Iterator[Broken]:
        known = [host for name in self._primary_hosts if (host := self._hosts.get(name)) is not None]
        gone = [host for host in known if not (host.online or host.doubtful or at_ms - host.heard_ms < PATIENCE_MS)]
        if not gone or len(gone) < len(self._primary_hosts):
            node.told_offline = False
        elif kind is MessageType.NBIRTH:
            yield rules.WAITED, f"{', '.join(self._primary_hosts)} offline"
        elif kind not in _COMMANDS and kind is not MessageType.NDEATH and not node.told_offline:
            node.told_offline = True
            since = max(host.heard_ms for host in gone)
            yield rules.STAYED, f"{', '.join(self._primary_hosts)} offline since {since}"

    def _state(self, host: str, data: bytes, qos: int | None, retain: bool, at_ms: int) -> Iterator[Broken]:
        try:
            state = decode_state(data)
        except ProtocolError as error:
            yield _state_rule(data), str(error)
            return
        if qos == 0:
            yield rules.STATE_QOS[state.online], "QoS 0"
        if not retain:
            if len(self._spoken) < MOST_REMEMBERED:
                self._spoken.add(host)
            if abs(state.timestamp_ms - at_ms) > CLOCK_TOLERANCE_MS and state.online:
                yield rules.STATE_ONLINE, f"timestamp {state.timestamp_ms}"
            will = self._wills.get(host)
            if state.online and will is not None and state.timestamp_ms != will:
                yield rules.STATE_WILL, f"timestamp {state.timestamp_ms}, will {will}"
        self._learn(host, state, at_ms)

    def _learn(self, host: str, state: HostState, at_ms: int) -> None:
        known = self._hosts.get(host)
        since = 0 if known is None else known.online_since_ms
        if not state.online and state.timestamp_ms < since:
            return
        if known is not None and not known.doubtful and not state.online and not known.online:
            return
        if known is None:
            _make_room(self._hosts)
        since = state.timestamp_ms if state.online else since
        self._hosts[host] = _Host(state.online, state.timestamp_ms, since, at_ms)


def _make_room(remembered: dict[_Key, _Kept]) -> None:
    if len(remembered) >= MOST_REMEMBERED:
        del remembered[next(iter(remembered))]


def _state_rule(data: bytes) -> Rule:
    """The rule that an unreadable STATE breaks, by what can be read of it."""
    try:
        document = json.loads(data)
        return {True: rules.STATE_ONLINE, False: rules.STATE_OFFLINE}[document["online"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        return rules.STATE_SHAPE


def _envelope(kind: MessageType, raw: RawPayload, at_ms: int) -> Iterator[Broken]:
    if raw.HasField("timestamp"):
        # The time in a will is that of its CONNECT.
        if kind is not MessageType.NDEATH and abs(raw.timestamp - at_ms) > CLOCK_TOLERANCE_MS:
            yield rules.UTC, f"timestamp {raw.timestamp}"
    elif kind in rules.TIMESTAMP:
        yield rules.TIMESTAMP[kind], "no timestamp"
    if raw.HasField("seq"):
        if kind in rules.SEQ_PRESENT:
            yield rules.SEQ_PRESENT[kind], f"seq {raw.seq}"
    elif kind in rules.SEQ_ABSENT:
        yield rules.SEQ_ABSENT[kind], "no seq"


def _node_birth(node: _Node, raw: RawPayload, at_ms: int) -> Iterator[Broken]:
    if raw.seq > 255:
        yield rules.SEQ_BIRTH_RANGE, f"seq {raw.seq}"
    elif raw.seq:
        yield rules.SEQ_BIRTH, f"seq {raw.seq}"
    yield from metrics.check_node_metrics(raw)
    bdseq = metrics.bdseq_of(raw)
    if bdseq is not None:
        yield from _bdseq(node, bdseq)
        if node.alive and node.bdseq is not None and node.bdseq != bdseq:
            node.earlier.add(node.bdseq)
    node.alive, node.bdseq, node.rebirth_asked_ms = True, bdseq, None
    node.next_seq = (raw.seq + 1) % 256
    node.promise = Promise()
    yield from metrics.check_birth(MessageType.NBIRTH, None, raw, node.promise, at_ms)


def _bdseq(node: _Node, bdseq: int) -> Iterator[Broken]:
    if node.will is not None:
        if bdseq != node.will:
            yield rules.BDSEQ_WILL, f"bdSeq {bdseq}, will {node.will}"
    elif bdseq > 255 or (node.alive is False and bdseq and bdseq == node.bdseq):
        # Zero again is a node that began anew.
        yield rules.BDSEQ_STEP, f"bdSeq {bdseq} after {node.bdseq}"
    elif node.alive and node.rebirth_asked_ms is not None and bdseq != node.bdseq:
        yield rules.BDSEQ_REBIRTH, f"bdSeq {bdseq} after {node.bdseq}"


def _node_death(node: _Node, raw: RawPayload) -> Iterator[Broken]:
    yield from metrics.check_death_metrics(raw)
    bdseq = metrics.bdseq_of(raw)
    if node.alive and node.bdseq is not None and bdseq != node.bdseq:
        if bdseq in node.earlier:
            node.earlier.discard(bdseq)
        elif bdseq is not None and bdseq != node.will:
            yield rules.DEATH_BDSEQ, f"bdSeq {bdseq}, NBIRTH {node.bdseq}"
        return
    if not node.alive:
        node.bdseq = bdseq
    node.alive, node.promise, node.next_seq, node.rebirth_asked_ms = False, None, None, None
    node.earlier.clear()


def _in_session(node: _Node, topic: Topic, raw: RawPayload, at_ms: int) -> Iterator[Broken]:
    """DBIRTH, NDATA, DDATA, DDEATH."""
    kind, device, promise = topic.type, topic.device, node.promise
    if node.alive is False:
        yield rules.BIRTH_FIRST[kind], "no NBIRTH since NDEATH"
    if raw.HasField("seq"):
        if node.next_seq is not None and raw.seq != node.next_seq:
            yield rules.SEQ_NEXT[kind], f"seq {raw.seq}, expected {node.next_seq}"
        node.next_seq = (raw.seq + 1) % 256
    elif node.next_seq is not None:
        node.next_seq = (node.next_seq + 1) % 256
    if kind is MessageType.DBIRTH:
        if promise is not None:
            yield from metrics.check_birth(kind, device, raw, promise, at_ms)
        return
    if kind is MessageType.DDEATH:
        if promise is not None:
            promise.metrics.pop(device, None)
        return
    if promise is not None and device not in promise.metrics:
        yield rules.DEVICE_BIRTH_FIRST, f"no DBIRTH of {device}"
    if node.rebirth_asked_ms is not None and at_ms - node.rebirth_asked_ms > PATIENCE_MS:
        yield rules.REBIRTH_UNANSWERED, f"asked {node.rebirth_asked_ms}"
        node.rebirth_asked_ms = None
    yield from metrics.check_data(kind, device, raw, promise, at_ms)


def _command(node: _Node, topic: Topic, raw: RawPayload, at_ms: int) -> Iterator[Broken]:
    yield from metrics.check_command(topic.type, topic.device, raw, node.promise)
    if topic.type is MessageType.NCMD and node.alive and node.rebirth_asked_ms is None and metrics.asks_rebirth(raw):
        node.rebirth_asked_ms = at_ms


def _bad_topic(topic: str) -> tuple[str, str, Broken]:
    """Who it was, what, and the rule that a topic breaks which is none."""
    parts = topic.split("/")
    if parts[0] == "STATE" or parts[:2] == [topics.NAMESPACE, "STATE"]:
        return parts[-1], "STATE", (rules.STATE_TOPIC, topic)
    kind = parts[2] if len(parts) > 2 else ""
    who = f"{parts[1]}/{parts[3]}" if len(parts) > 3 else topic
    if parts[0] != topics.NAMESPACE:
        return who, kind, (rules.NAMESPACE, topic)
    if kind in MessageType.__members__:
        return who, kind, (rules.TOPIC[MessageType(kind)], topic)
    return who, kind, (rules.STRUCTURE, topic)


def _violations(found: Iterable[Broken], node: str, message: str, at_ms: int) -> list[Violation]:
    return [
        Violation(
            rule=f"tck-id-{rule.ids[0]}",
            also=tuple(f"tck-id-{name}" for name in rule.ids[1:]),
            must=rule.must,
            node=node,
            message=message,
            found=what,
            at_ms=at_ms,
        )
        for rule, what in found
    ]
