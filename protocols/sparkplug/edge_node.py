"""The session of an Edge Node, sans-I/O (Sparkplug 3.0.0, chapters 5 and 6). Inputs come in, actions come out.

offline ──connect, connected──→ waiting ──subscribed (and the primary host is online)──→ born
   ↑                                                                                      │
   └──────── disconnected ←── Disconnect ←── NDEATH ←── stop, or the primary host went offline

The caller does the actions in their order, on one connection, and calls `disconnected` whenever that connection ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from protocols.delivery.address import Acknowledgement, BirthId, MessageId
from protocols.delivery.answers import BirthWatch
from protocols.errors import ProtocolError
from protocols.sparkplug import topics
from protocols.sparkplug.actions import Disconnect, Malformed, Now, Publish, Subscribe
from protocols.sparkplug.births import (
    OUTBOX_ACK,
    OUTBOX_ACK_ALIAS,
    REBIRTH,
    NodeView,
    bdseq_metric,
    node_birth_metrics,
    with_alias,
)
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric, Payload, decode, encode, typed
from protocols.sparkplug.state import decode_state
from protocols.sparkplug.topics import MessageType


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A host wants metrics of the node (`device` None) or of a device written, by the names and types of the birth."""

    device: str | None
    metrics: tuple[Metric, ...]
    timestamp_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The primary host has stored what `ack` says, as an answer to the newest birth: to be obeyed.

    `timestamp_ms`: when it said so, by its own clock.
    """

    ack: Acknowledgement
    timestamp_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Born:
    """The whole birth sequence is in the actions before; data may follow. `birth` is None when delivery is plain."""

    birth: BirthId | None


Action = Publish | Subscribe | Disconnect | Malformed | Command | Acknowledged | Born


class Stage(Enum):
    """Where a session stands."""

    OFFLINE = auto()
    WAITING = auto()
    BORN = auto()


class EdgeNode:
    """One Edge Node. `primary_host` None: births as soon as it is connected."""

    def __init__(self, *, group: str, node: str, view: NodeView, primary_host: str | None) -> None:
        self._group = topics.check_id(group)
        self._node = topics.check_id(node)
        self._view = view
        self._host = primary_host
        self._watch = BirthWatch(primary_host or "")
        self._stage = Stage.OFFLINE
        self._subscribed = False
        self._host_online = False
        self._state_seen: int | None = None
        self._online_since: int | None = None
        self._bdseq = 0
        self._seq = 0
        self._births = 0
        self._aliases: dict[int, tuple[str | None, str, DataType]] = {}
        self._known: dict[str | None, dict[str, DataType]] = {}
        self._sent: dict[str | None, dict[str, DataType]] = {}
        self._backlog_only: set[str] = set()

    @property
    def stage(self) -> Stage:
        """Where the session stands."""
        return self._stage

    @property
    def answered(self) -> bool:
        """Whether the cloud has answered everything that the newest birth declared."""
        return self._watch.answered

    def connect(self, bdseq: int, now: Now) -> Publish:
        """The will of the next CONNECT (clean session). `bdseq` comes from storage: from 0 to 255, +1 per CONNECT."""
        self._bdseq = bdseq
        return self._ndeath(now, qos=1)

    def connected(self) -> list[Action]:
        """The broker accepted; what to subscribe to."""
        self._stage = Stage.WAITING
        filters = [
            topics.node_topic(self._group, MessageType.NCMD, self._node),
            f"{topics.NAMESPACE}/{self._group}/{MessageType.DCMD}/{self._node}/+",
        ]
        if self._host is not None:
            filters.append(topics.state_topic(self._host))
        return [Subscribe(filters=tuple(filters))]

    def subscribed(self, now: Now) -> list[Action]:
        """The broker confirmed the subscriptions."""
        self._subscribed = True
        return self._birth_if_ready(now)

    def disconnected(self) -> None:
        """The connection is gone, for whatever reason. The primary host must show itself again in the next one."""
        self._stage = Stage.OFFLINE
        self._subscribed = self._host_online = False
        self._known.clear()
        self._backlog_only.clear()
        self._watch.disconnected()

    def received(self, topic: str, payload: bytes, now: Now) -> list[Action]:
        """A message from the broker. Never raises for what the message says."""
        try:
            parsed = topics.parse(topic)
            if isinstance(parsed, topics.StateTopic):
                return self._state(parsed.host, payload, now)
            mine = (parsed.group, parsed.node) == (self._group, self._node)
            if mine and parsed.type in (MessageType.NCMD, MessageType.DCMD):
                return self._command(topic, parsed.device, decode(payload), now)
        except ProtocolError as error:
            return [Malformed(topic=topic, code=error.code, what=str(error))]
        return []

    def tick(self, now: Now) -> list[Action]:
        """To be called about once a second: repeats a birth that the cloud did not answer in full."""
        return self.birth(now) if self._stage is Stage.BORN and self._watch.must_repeat(now.at) else []

    def stop(self, now: Now) -> list[Action]:
        """A graceful stop: NDEATH, then DISCONNECT."""
        return self._leave(now, reason="stopped", reconnect=False)

    def birth(self, now: Now) -> list[Action]:
        """The whole birth sequence: NBIRTH with seq 0, then a DBIRTH for each device."""
        outbox = self._view.outbox()
        self._births += 1
        birth = None if outbox is None else BirthId(epoch=outbox.epoch, count=self._births)
        self._stage = Stage.BORN
        self._seq = 0
        self._aliases.clear()
        self._known.clear()
        metrics = node_birth_metrics(self._view, bdseq=self._bdseq, birth=birth, outbox=outbox)
        actions: list[Action] = [self._publish_birth(MessageType.NBIRTH, None, metrics, now)]
        live = self._view.live_devices()
        self._backlog_only.difference_update(live)
        actions += [self._device_birth(device, now) for device in (*live, *sorted(self._backlog_only))]
        if outbox is not None and birth is not None:
            declared = [(part.epoch, lane) for lane, parts in outbox.lanes.items() for part in parts]
            self._watch.born(birth, declared, now.at)
        return [*actions, Born(birth=birth)]

    def device_birth(self, device: str, now: Now) -> list[Action]:
        """A device answers again (or for the first time)."""
        if self._stage is not Stage.BORN:
            return []
        self._backlog_only.discard(device)
        return [self._device_birth(device, now)]

    def device_death(self, device: str, now: Now) -> list[Action]:
        """A device is lost."""
        if self._stage is not Stage.BORN or device not in self._known:
            return []
        del self._known[device]
        self._backlog_only.discard(device)
        return [self._publish(MessageType.DDEATH, device, (), now)]

    def data(
        self, device: str | None, metrics: Sequence[Metric], now: Now, *, message: MessageId | None = None
    ) -> list[Action]:
        """Values to send, by name and with datatype and time; before them whatever birth they need.

        A lost device is born with null values, its data marked historical, until `end_backlog` (or its return).
        Raises ProtocolError for a value that its type cannot hold, ValueError when the session is not born.
        """
        if self._stage is not Stage.BORN:
            raise ValueError(self._stage.name)
        actions = self._births_for(device, metrics, now)
        historical = device in self._backlog_only
        named = tuple(
            with_alias(self._view, device, replace(metric, is_historical=metric.is_historical or historical))
            for metric in metrics
        )
        kind = MessageType.NDATA if device is None else MessageType.DDATA
        return [*actions, self._publish(kind, device, named, now, message=message, brief=True)]

    def end_backlog(self, now: Now) -> list[Action]:
        """Nothing is left to send of lost devices: those that were born for their backlog die again."""
        return [action for device in sorted(self._backlog_only) for action in self.device_death(device, now)]

    def _births_for(self, device: str | None, metrics: Sequence[Metric], now: Now) -> list[Action]:
        sent = self._sent.setdefault(device, {})
        for metric in metrics:
            if metric.name is not None and metric.datatype is not None:
                sent[metric.name] = metric.datatype
        known = self._known.get(device)
        if known is not None and all(metric.name in known for metric in metrics):
            return []
        if device is None:
            return self.birth(now)
        if known is None:
            self._backlog_only.add(device)
        return [self._device_birth(device, now)]

    def _device_birth(self, device: str, now: Now) -> Publish:
        metrics = list(self._view.device_metrics(device))
        if device in self._backlog_only:
            metrics = [replace(metric, value=None, timestamp_ms=None) for metric in metrics]
        return self._publish_birth(MessageType.DBIRTH, device, metrics, now)

    def _publish_birth(self, kind: MessageType, device: str | None, metrics: list[Metric], now: Now) -> Publish:
        names = {metric.name for metric in metrics}
        late = self._sent.get(device, {}).items()
        metrics += [Metric(name=name, datatype=datatype) for name, datatype in late if name not in names]
        named = [with_alias(self._view, device, metric) for metric in metrics]
        self._known[device] = {m.name: m.datatype for m in named if m.name is not None and m.datatype is not None}
        for metric in named:
            if metric.alias is not None and metric.name is not None and metric.datatype is not None:
                self._aliases[metric.alias] = (device, metric.name, metric.datatype)
        return self._publish(kind, device, tuple(named), now)

    def _publish(
        self,
        kind: MessageType,
        device: str | None,
        metrics: tuple[Metric, ...],
        now: Now,
        *,
        message: MessageId | None = None,
        brief: bool = False,
    ) -> Publish:
        stamped = tuple(m if m.timestamp_ms is not None else replace(m, timestamp_ms=now.utc_ms) for m in metrics)
        uuid = None if message is None else str(message)
        payload = Payload(timestamp_ms=now.utc_ms, metrics=stamped, seq=self._seq, uuid=uuid)
        topic = topics.node_topic(self._group, kind, self._node, device)
        publish = Publish(topic=topic, payload=encode(payload, brief=brief))
        self._seq = (self._seq + 1) % 256
        return publish

    def _ndeath(self, now: Now, *, qos: int) -> Publish:
        metric = replace(bdseq_metric(self._bdseq), timestamp_ms=now.utc_ms)
        payload = encode(Payload(timestamp_ms=now.utc_ms, metrics=(metric,)))
        return Publish(topic=topics.node_topic(self._group, MessageType.NDEATH, self._node), payload=payload, qos=qos)

    def _leave(self, now: Now, *, reason: str, reconnect: bool) -> list[Action]:
        born, self._stage = self._stage is Stage.BORN, Stage.OFFLINE
        goodbye: list[Action] = [self._ndeath(now, qos=1)] if born else []
        return [*goodbye, Disconnect(reason=reason, reconnect=reconnect)]

    def _birth_if_ready(self, now: Now) -> list[Action]:
        ready = self._subscribed and (self._host is None or self._host_online)
        return self.birth(now) if ready and self._stage is Stage.WAITING else []

    def _state(self, host: str, payload: bytes, now: Now) -> list[Action]:
        if host != self._host:
            return []
        state = decode_state(payload)
        if state.online:
            if self._state_seen is not None and state.timestamp_ms < self._state_seen:
                return []
            self._state_seen = self._online_since = state.timestamp_ms
            self._host_online = True
            return self._birth_if_ready(now)
        if self._online_since is not None and state.timestamp_ms < self._online_since:
            return []
        self._state_seen = max(self._state_seen or 0, state.timestamp_ms)
        self._host_online = False
        return self._leave(now, reason="host-offline", reconnect=True) if self._stage is Stage.BORN else []

    def _command(self, topic: str, device: str | None, payload: Payload, now: Now) -> list[Action]:
        actions: list[Action] = []
        wanted: list[Metric] = []
        rebirth = False
        for metric in payload.metrics:
            try:
                named = self._resolve(device, metric)
                if device is None and named.name == REBIRTH:
                    rebirth = rebirth or named.value is True
                elif device is None and named.name == OUTBOX_ACK:
                    actions += self._acknowledgement(named, payload.timestamp_ms, now)
                else:
                    wanted.append(named)
            except ProtocolError as error:
                actions.append(Malformed(topic=topic, code=error.code, what=str(error)))
        if wanted:
            actions.append(Command(device=device, metrics=tuple(wanted), timestamp_ms=payload.timestamp_ms))
        if rebirth and self._stage is Stage.BORN:
            actions += self.birth(now)
        return actions

    def _resolve(self, device: str | None, metric: Metric) -> Metric:
        if device is None and metric.alias == OUTBOX_ACK_ALIAS:
            return replace(metric, name=OUTBOX_ACK)
        if metric.alias in self._aliases:
            owner, name, datatype = self._aliases[metric.alias]
            if owner == device:
                return typed(metric, name=name, datatype=datatype)
        elif metric.alias is None and metric.name is not None:
            datatype = self._known.get(device, {}).get(metric.name, DataType.UNKNOWN)
            return metric if datatype is DataType.UNKNOWN else typed(metric, name=metric.name, datatype=datatype)
        raise ProtocolError("protocols.sparkplug.unknown-metric", alias=metric.alias, name=metric.name)

    def _acknowledgement(self, metric: Metric, timestamp_ms: int | None, now: Now) -> list[Action]:
        if not isinstance(metric.value, str):
            raise ProtocolError("protocols.delivery.bad-acknowledgement", text=repr(metric.value)[:200])
        ack = Acknowledgement.parse(metric.value)
        return [Acknowledged(ack=ack, timestamp_ms=timestamp_ms)] if self._watch.hear(ack, now.at) else []
