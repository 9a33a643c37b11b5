"""Gateways that exist as bytes: their births and their numbered data, encoded before anything is measured."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from typing import Final

from protocols.delivery import BirthId, Declaration, Lane, MessageId, NumberSet, declarations_to_text
from protocols.events import EVENT_METRIC, Event
from protocols.mqtt import publish
from protocols.sparkplug.births import BD_SEQ, OUTBOX_ACK, OUTBOX_ACK_ALIAS, OUTBOX_BIRTH, OUTBOX_LANE, REBIRTH
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric, Payload, RawPayload, encode
from protocols.sparkplug.topics import MessageType, node_topic

GROUP: Final = "bench"
METRICS: Final = ("temperature", *(f"channel-{number}" for number in range(1, 10)))
"""Ten of each device; rules watch the temperature of cold-chain devices."""
STEP_MS: Final = 100
EVENT_EVERY: Final = 50
"""One message of an event, in the urgent lane, after so many messages of readings."""
_FIRST_ALIAS: Final = 10
_PER_DEVICE: Final = len(METRICS) + 1


class Gateway:
    """A node with its devices, and what it has given numbers to. `packets` are the numbered ones that wait."""

    def __init__(self, name: str, devices: int, group: str = GROUP) -> None:
        self.name = name
        self.group = group
        self.devices = tuple(f"device-{number}" for number in range(devices))
        self.epoch = uuid.uuid4()
        self.given = {Lane.BULK: 0, Lane.URGENT: 0}
        self.packets: list[bytes] = []
        self._seq = 0
        self._random = random.Random(name)
        self._values = [[20.0] * len(METRICS) for _ in self.devices]
        self._turn = 0

    def births(self) -> bytes:
        """NBIRTH and every DBIRTH."""
        self._seq = 0
        declared = declarations_to_text([Declaration(epoch=self.epoch, held=NumberSet(), last_given=0)])
        own = [
            Metric(name=BD_SEQ, datatype=DataType.INT64, value=0),
            Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=False),
            Metric(name=OUTBOX_ACK, alias=OUTBOX_ACK_ALIAS, datatype=DataType.STRING, value=None),
            Metric(name=OUTBOX_BIRTH, datatype=DataType.STRING, value=str(BirthId(epoch=self.epoch, count=1))),
            *(Metric(name=OUTBOX_LANE[lane], datatype=DataType.STRING, value=declared) for lane in Lane),
        ]
        packets = [self._birth(None, own)]
        for index, device in enumerate(self.devices):
            first = _FIRST_ALIAS + index * _PER_DEVICE
            told = [
                Metric(name=name, alias=first + at, datatype=DataType.DOUBLE, value=20.0)
                for at, name in enumerate(METRICS)
            ]
            told.append(Metric(name=EVENT_METRIC, alias=first + len(METRICS), datatype=DataType.STRING, value=None))
            packets.append(self._birth(device, told))
        return b"".join(packets)

    def encode(self, messages: int, readings: int, begin_ms: int) -> None:
        """Add `messages` DDATA of `readings` readings each, the devices in turn, and now and then an event.

        Readings of one metric are `STEP_MS` apart from `begin_ms` on; with fewer than ten readings each is of another
        metric, all of one moment.
        """
        samples = max(1, readings // len(METRICS))
        for count in range(messages):
            index = self._turn % len(self.devices)
            at_ms = begin_ms + (count // len(self.devices)) * samples * STEP_MS
            raw = self._numbered(Lane.BULK, at_ms)
            for at, (alias, value) in zip(range(readings), self._samples(index, samples), strict=False):
                moment = at_ms + at // len(METRICS) * STEP_MS
                raw.metrics.add(alias=alias, timestamp=moment, double_value=value)
            self._keep(raw, self.devices[index])
            self._turn += 1
            if self._turn % EVENT_EVERY == 0:
                self.event(index, "access.granted", at_ms)

    def event(self, index: int, kind: str, at_ms: int) -> None:
        """Add an event of one device."""
        raw = self._numbered(Lane.URGENT, at_ms)
        text = Event(device="", kind=kind, at_ms=at_ms, data={"card": "42:12345"}).to_json()
        alias = _FIRST_ALIAS + index * _PER_DEVICE + len(METRICS)
        raw.metrics.add(alias=alias, timestamp=at_ms, string_value=text)
        self._keep(raw, self.devices[index])

    def _samples(self, index: int, samples: int) -> Iterator[tuple[int, float]]:
        """Sensors that drift by a tenth now and then."""
        values = self._values[index]
        first = _FIRST_ALIAS + index * _PER_DEVICE
        for _ in range(samples):
            for at, value in enumerate(values):
                drifted = round(value + self._random.choice((-0.1, 0.0, 0.0, 0.1)), 1)
                values[at] = drifted if at or drifted < 8 else 4.0  # a cabinet that is never too warm
                yield first + at, values[at]

    def _numbered(self, lane: Lane, at_ms: int) -> RawPayload:
        self.given[lane] += 1
        number = self.given[lane]
        self._seq = (self._seq + 1) % 256
        identity = MessageId(epoch=self.epoch, lane=lane, first=number, last=number)
        return RawPayload(timestamp=at_ms, seq=self._seq, uuid=str(identity))

    def _keep(self, raw: RawPayload, device: str) -> None:
        self.packets.append(publish(self._topic(MessageType.DDATA, device), raw.SerializeToString()))

    def _birth(self, device: str | None, metrics: list[Metric]) -> bytes:
        if device is not None:
            self._seq += 1
        kind = MessageType.NBIRTH if device is None else MessageType.DBIRTH
        payload = Payload(timestamp_ms=now_ms(), metrics=tuple(metrics), seq=self._seq % 256)
        return publish(self._topic(kind, device), encode(payload))

    def _topic(self, kind: MessageType, device: str | None) -> str:
        return node_topic(self.group, kind, self.name, device)


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
