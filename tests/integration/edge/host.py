"""A minimal host: STATE, names and types from births, and acknowledgements of what it has."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from protocols.delivery import Acknowledgement, BirthId, Lane, MessageId, NumberSet, declarations_from_text
from protocols.sparkplug.births import BD_SEQ, OUTBOX_ACK_ALIAS, OUTBOX_BIRTH, OUTBOX_LANE, REBIRTH
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric, Payload, decode, encode, typed
from protocols.sparkplug.state import HostState, encode_state
from protocols.sparkplug.topics import MessageType, Topic, node_topic, parse, state_topic

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Seen:
    type: MessageType
    device: str | None
    payload: Payload
    raw: bytes
    qos: int
    retain: bool

    @property
    def values(self) -> dict[str, Any]:
        return {metric.name or "": metric.value for metric in self.payload.metrics}


@dataclass
class Host:
    """Set `answering` to False and it keeps silent, set `online` with `state`."""

    port: int
    name: str = "liandong"
    answering: bool = True
    seen: list[Seen] = field(default_factory=list)
    received: dict[tuple[UUID, Lane], NumberSet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._names: dict[tuple[str | None, int], tuple[str, DataType]] = {}
        self.birth: BirthId | None = None
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"host-{self.name}")
        self._online: bytes | None = None
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def state(self, *, online: bool) -> None:
        payload = encode_state(HostState(online=online, timestamp_ms=time.time_ns() // 1_000_000))
        self._online = payload if online else None
        self._client.publish(state_topic(self.name), payload, 1, retain=True).wait_for_publish(PATIENCE_S)

    def command(self, group: str, node: str, *metrics: Metric) -> None:
        payload = encode(Payload(timestamp_ms=time.time_ns() // 1_000_000, metrics=metrics), brief=True)
        self._client.publish(node_topic(group, MessageType.NCMD, node), payload, 0)

    def ask_rebirth(self, group: str, node: str) -> None:
        self.command(group, node, Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=True))

    def until(self, holds: Callable[[Host], Any], what: str = "") -> Any:
        with self._changed:
            seen = [(seen.type, seen.device) for seen in self.seen]
            assert self._changed.wait_for(lambda: holds(self), PATIENCE_S), (what, seen)
            return holds(self)

    def of(self, kind: MessageType, device: str | None = None) -> list[Seen]:
        return [seen for seen in list(self.seen) if seen.type is kind and device in (None, seen.device)]

    def data(self) -> list[Seen]:
        return [s for s in list(self.seen) if s.type in (MessageType.NDATA, MessageType.DDATA)]

    def values(self, device: str | None, metric: str) -> list[Any]:
        """Every value of `metric` in data, each message counted once, in the order of arrival."""
        once: dict[str | None, Seen] = {}
        for seen in self.of(MessageType.DDATA, device) if device else self.of(MessageType.NDATA):
            once.setdefault(seen.payload.uuid, seen)
        return [m.value for seen in once.values() for m in seen.payload.metrics if m.name == metric]

    def acknowledge(self, group: str, node: str, epoch: UUID, lane: Lane) -> None:
        assert self.birth is not None
        received = self.received.get((epoch, lane), NumberSet())
        ack = Acknowledgement(host=self.name, birth=self.birth, epoch=epoch, lane=lane, received=received)
        self.command(group, node, Metric(alias=OUTBOX_ACK_ALIAS, datatype=DataType.STRING, value=str(ack)))

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe("spBv1.0/#", 1)
        if self._online is not None:
            client.publish(state_topic(self.name), self._online, 1, retain=True)

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        topic = parse(message.topic)
        if not isinstance(topic, Topic) or topic.type in (MessageType.NCMD, MessageType.DCMD):
            return
        payload = self._named(topic, decode(bytes(message.payload)))
        with self._changed:
            self.seen.append(
                Seen(topic.type, topic.device, payload, bytes(message.payload), message.qos, message.retain)
            )
            if self.answering:
                self._answer(topic, payload)
            self._changed.notify_all()

    def _named(self, topic: Topic, payload: Payload) -> Payload:
        metrics: list[Metric] = []
        for metric in payload.metrics:
            if topic.type in (MessageType.NBIRTH, MessageType.DBIRTH):
                if metric.alias is not None and metric.name is not None and metric.datatype is not None:
                    self._names[topic.device, metric.alias] = metric.name, metric.datatype
            elif metric.alias is not None:
                name, datatype = self._names[topic.device, metric.alias]
                metric = typed(metric, name=name, datatype=datatype)
            metrics.append(metric)
        values = {metric.name: metric.value for metric in metrics}
        if topic.type is MessageType.NBIRTH and isinstance(birth := values.get(OUTBOX_BIRTH), str):
            self.birth = BirthId.parse(birth)
        return Payload(timestamp_ms=payload.timestamp_ms, metrics=tuple(metrics), seq=payload.seq, uuid=payload.uuid)

    def _answer(self, topic: Topic, payload: Payload) -> None:
        if topic.type is MessageType.NBIRTH:
            values = {metric.name: metric.value for metric in payload.metrics}
            for lane, name in OUTBOX_LANE.items():
                for declared in declarations_from_text(str(values.get(name) or "")):
                    self.acknowledge(topic.group, topic.node, declared.epoch, lane)
        elif payload.uuid is not None:
            message = MessageId.parse(payload.uuid)
            key = message.epoch, message.lane
            self.received[key] = self.received.get(key, NumberSet()).add(message.first, message.last)
            self.acknowledge(topic.group, topic.node, *key)


def bdseq(seen: Seen) -> Any:
    return seen.values[BD_SEQ]
