"""A tiny gateway on a real broker, whose every message the test decides: births, data, numbers, deaths."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from protocols.delivery import Acknowledgement, BirthId, Declaration, Lane, MessageId, NumberSet, declarations_to_text
from protocols.events import EVENT_METRIC, Event
from protocols.sparkplug.births import BD_SEQ, OUTBOX_ACK, OUTBOX_BIRTH, OUTBOX_LANE, REBIRTH
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric, Payload, decode, encode

WAIT_S = 60.0


def wait_for(condition: Callable[[], object], what: str = "") -> None:
    """Poll until `condition` holds. Raises AssertionError when it does not in time."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not in {WAIT_S} s: {what}"
        time.sleep(0.01)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Gateway:
    """Publishes what it is told to. `acks` and `rebirths_asked` are what the cloud said to it."""

    def __init__(
        self, port: int, node: str = "gw-1", *, group: str = "peach-garden", acknowledged: bool = True
    ) -> None:
        self.group, self.node = group, node
        self.acknowledged = acknowledged
        self.epoch = uuid.uuid4()
        self.births = 0
        self.seq = 0
        self.bdseq = 0
        self.acks: list[Acknowledgement] = []
        self.rebirths_asked = 0
        self.lock = threading.Lock()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=f"{group}-{node}", clean_session=True)
        death = Payload(timestamp_ms=now_ms(), metrics=(Metric(name=BD_SEQ, datatype=DataType.INT64, value=0),))
        self.client.will_set(self._topic("NDEATH"), encode(death), qos=1)
        subscribed = threading.Event()
        self.client.on_message = self._heard
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_socket_open = _send_at_once
        self.client.connect("127.0.0.1", port, 30)
        self.client.subscribe(self._topic("NCMD"))
        self.client.loop_start()
        assert subscribed.wait(WAIT_S)

    @property
    def birth_id(self) -> BirthId:
        return BirthId(epoch=self.epoch, count=self.births)

    def close(self) -> None:
        """Leave without a death, as a test that is over does."""
        self.client.disconnect()
        self.client.loop_stop()

    def die(self) -> None:
        """The connection breaks: the broker publishes the will."""
        sock: Any = self.client.socket()
        self.client._reconnect_on_failure = False
        sock.close()
        self.client.loop_stop()

    def birth(
        self,
        metrics: tuple[Metric, ...] = (),
        *,
        devices: dict[str, tuple[Metric, ...]] | None = None,
        last_given: int = 0,
        held: NumberSet | None = None,
    ) -> None:
        """NBIRTH with `metrics` (the node's own), then a DBIRTH for each device."""
        self.births += 1
        self.seq = 0
        own = [
            Metric(name=BD_SEQ, datatype=DataType.INT64, value=self.bdseq),
            Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=False),
        ]
        if self.acknowledged:
            declared = declarations_to_text(
                [Declaration(epoch=self.epoch, held=held or NumberSet(), last_given=last_given)]
            )
            own.append(Metric(name=OUTBOX_ACK, alias=1, datatype=DataType.STRING, value=None))
            own.append(Metric(name=OUTBOX_BIRTH, datatype=DataType.STRING, value=str(self.birth_id)))
            own += [Metric(name=OUTBOX_LANE[lane], datatype=DataType.STRING, value=declared) for lane in Lane]
        self.publish("NBIRTH", (*own, *metrics), brief=False)
        for device, its_metrics in (devices or {}).items():
            self.publish("DBIRTH", its_metrics, device=device, brief=False)

    def data(
        self,
        number: int | tuple[int, int] | None,
        metrics: tuple[Metric, ...],
        *,
        device: str | None = None,
        lane: Lane = Lane.BULK,
        seq: int | None = None,
    ) -> bytes:
        """NDATA or DDATA; `number` is its place (or places) in the outbox, None for a plain message."""
        identity = None
        if number is not None:
            first, last = number if isinstance(number, tuple) else (number, number)
            identity = str(MessageId(epoch=self.epoch, lane=lane, first=first, last=last))
        return self.publish("NDATA" if device is None else "DDATA", metrics, device=device, identity=identity, seq=seq)

    def publish(
        self,
        kind: str,
        metrics: tuple[Metric, ...],
        *,
        device: str | None = None,
        identity: str | None = None,
        brief: bool = True,
        seq: int | None = None,
    ) -> bytes:
        """A message with the next seq, or with `seq`, which is then not counted."""
        with self.lock:
            number = self.seq if seq is None else seq
            payload = encode(Payload(timestamp_ms=now_ms(), metrics=metrics, seq=number, uuid=identity), brief=brief)
            if seq is None:
                self.seq = (self.seq + 1) % 256
            self.client.publish(self._topic(kind, device), payload)
        return payload

    def acknowledged_up_to(self, number: int, lane: Lane = Lane.BULK) -> bool:
        """Whether the newest birth was told that 1 … `number` are stored."""
        return any(
            ack.birth == self.birth_id
            and ack.epoch == self.epoch
            and ack.lane is lane
            and ack.received.contains(1, number)
            for ack in list(self.acks)
        )

    def _heard(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        for metric in decode(bytes(message.payload)).metrics:
            if metric.alias == 1:
                self.acks.append(Acknowledgement.parse(str(metric.value)))
            elif metric.name == REBIRTH and metric.value is not None:
                self.rebirths_asked += 1

    def _topic(self, kind: str, device: str | None = None) -> str:
        base = f"spBv1.0/{self.group}/{kind}/{self.node}"
        return base if device is None else f"{base}/{device}"


def _send_at_once(_client: Client, _data: Any, opened: Any) -> None:
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def double(name: str, alias: int, value: float | None, at_ms: int) -> Metric:
    return Metric(name=name, alias=alias, datatype=DataType.DOUBLE, value=value, timestamp_ms=at_ms)


def boolean(name: str, alias: int, value: bool, at_ms: int) -> Metric:
    return Metric(name=name, alias=alias, datatype=DataType.BOOLEAN, value=value, timestamp_ms=at_ms)


def event(alias: int, kind: str, at_ms: int, data: dict[str, Any] | None = None) -> Metric:
    text = Event(device="", kind=kind, at_ms=at_ms, data=data or {}).to_json()
    return Metric(name=EVENT_METRIC, alias=alias, datatype=DataType.STRING, value=text, timestamp_ms=at_ms)
