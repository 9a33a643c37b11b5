"""The rows of a group: gathered from its messages, births and deaths, written together, and told to the judge."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from cloud.ingest.channels import Channel, Channels, Kind, Station
from cloud.ingest.decode import Columns, Text, quality_word
from cloud.ingest.ids import Ids
from cloud.ingest.port import Fact, Watched
from cloud.registry import births, commands, commissioning, configurations
from cloud.storage import readings
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.storage.readings import Readings, TextReading
from protocols.command import ANSWERS
from protocols.commissioning import KINDS as COMMISSIONING
from protocols.commissioning import PLACED
from protocols.configuration import KINDS as CONFIGURATION
from protocols.events import Event, Observation, Reading, Value

_ABOUT_DEVICE: Final = frozenset({"device.offline", "device.online", PLACED, *ANSWERS})


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a station."""

    station: Station
    event: Event


@dataclass(slots=True, kw_only=True)
class Rows:
    """What a group will write. The four columns of readings have equal length; `transient` are places in them."""

    channel: list[Channel] = field(default_factory=list)
    at_ms: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    transient: list[int] = field(default_factory=list)

    def add(self, columns: Columns, station: Station, channels: Channels) -> None:
        """What a message of `station` says."""
        self.transient += [len(self.channel) + place for place in columns.transient]
        self.channel += columns.channel
        self.at_ms += columns.at_ms
        self.value += columns.value
        self.quality += columns.quality
        self.texts += columns.texts
        self.events += [Happened(_of_whom(event, station, channels), event) for event in columns.events]

    def write(self, tx: Transaction, ids: Ids, received_ms: int) -> tuple[int, int]:
        """Write everything; how many readings and events that was."""
        ids.require(tx, {item.station for item in self.events}, {*self.channel, *(text.channel for text in self.texts)})
        numbers = Readings(
            at_ms=np.array(self.at_ms, dtype=np.int64),
            series=np.array([ids.series(channel) for channel in self.channel], dtype=np.int32),
            value=np.array(self.value, dtype=np.float64),
            quality=np.array(self.quality, dtype=np.int16),
        )
        texts = self._text_readings(ids, [text for text in self.texts if not text.transient])
        passing = self._text_readings(ids, [text for text in self.texts if text.transient])
        readings.append(tx, _without(numbers, self.transient))
        readings.append_texts(tx, texts)
        readings.touch_latest(tx, numbers, [*texts, *passing], received_ms)
        self._write_events(tx, ids, received_ms)
        return len(numbers) + len(texts), len(self.events)

    def _text_readings(self, ids: Ids, texts: list[Text]) -> list[TextReading]:
        return [
            TextReading(series_id=number, at_ms=text.at_ms, value=text.value, quality=text.quality)
            for text in texts
            if (number := ids.series(text.channel)) is not None and text.value is not None
        ]

    def facts(self, tx: Transaction, ids: Ids, watched: Watched) -> list[Fact]:
        """What the judge must see: events and watched readings of devices that hang somewhere, in the order of time."""
        stations = {channel.station for channel in self.channel} | {item.station for item in self.events}
        stations |= {text.channel.station for text in self.texts}
        numbers = {number for station in stations if (number := ids.device(station)) is not None}
        subjects = births.subjects(tx, numbers) if numbers else {}
        by_station = {
            station: subject
            for station in stations
            if (subject := subjects.get(ids.device(station) or 0)) is not None and subject.place_id is not None
        }
        found = [
            _fact(by_station[station], observation) for station, observation in self._observations(by_station, watched)
        ]
        found.sort(key=lambda fact: fact.observation.at_ms)
        return found

    def _observations(
        self, by_station: dict[Station, births.Subject], watched: Watched
    ) -> Iterator[tuple[Station, Observation]]:
        interesting = {
            channel
            for channel in {*self.channel, *(text.channel for text in self.texts)}
            if channel.station in by_station and watched(by_station[channel.station].type, channel.name)
        }
        if interesting:
            for index, channel in enumerate(self.channel):
                if channel in interesting:
                    number = _value(channel, self.value[index])
                    yield channel.station, _reading(channel, number, self.at_ms[index], self.quality[index])
            for text in self.texts:
                if text.channel in interesting:
                    yield text.channel.station, _reading(text.channel, text.value, text.at_ms, text.quality)
        for item in self.events:
            if item.station in by_station:
                yield item.station, item.event

    def _write_events(self, tx: Transaction, ids: Ids, received_ms: int) -> None:
        if not self.events:
            return
        params = {
            "received_ms": received_ms,
            "event_ids": [uuid.UUID(item.event.id) for item in self.events],
            "devices": [ids.device(item.station) for item in self.events],
            "at_ms": [item.event.at_ms for item in self.events],
            "kinds": [item.event.kind for item in self.events],
            "data": [json.dumps(item.event.data, ensure_ascii=False) for item in self.events],
        }
        tx.execute(load("observations")["append_events"], params)
        told = [(ids.device(item.station), item.event) for item in self.events if item.event.kind in ANSWERS]
        commands.take_answers(tx, told, received_ms)
        about = [(ids.device(item.station), item.event) for item in self.events if item.event.kind in CONFIGURATION]
        configurations.take_told(tx, about, received_ms)
        placed = [(ids.device(item.station), item.event) for item in self.events if item.event.kind in COMMISSIONING]
        commissioning.take_told(tx, placed, received_ms)


def _without(numbers: Readings, places: list[int]) -> Readings:
    """`numbers` but for those at `places`."""
    if not places:
        return numbers
    return Readings(
        at_ms=np.delete(numbers.at_ms, places),
        series=np.delete(numbers.series, places),
        value=np.delete(numbers.value, places),
        quality=np.delete(numbers.quality, places),
    )


def _of_whom(event: Event, station: Station, channels: Channels) -> Station:
    """A gateway tells of a lost device in its own name, for a lost device tells nothing; the event is the device's."""
    about: Any = event.data.get("device") if event.kind in _ABOUT_DEVICE and station.code == "" else None
    return channels.station(station.node, about) if isinstance(about, str) and about else station


def _value(channel: Channel, number: float) -> Value | None:
    if number != number:  # NaN: known to be unknown
        return None
    return bool(number) if channel.kind is Kind.BOOLEAN else number


def _reading(channel: Channel, value: Value | None, at_ms: int, quality: int) -> Reading:
    word = quality_word(quality)
    return Reading(device=channel.station.code, metric=channel.name, value=value, at_ms=at_ms, quality=word)


def _fact(subject: births.Subject, observation: Observation) -> Fact:
    assert subject.place_id is not None
    assert subject.place_path is not None
    return Fact(
        device_id=subject.device_id,
        device_code=subject.code,
        device_type=subject.type,
        gateway_id=subject.gateway_id,
        place_id=subject.place_id,
        place_path=subject.place_path,
        observation=observation,
    )
