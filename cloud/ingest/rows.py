"""The rows of a group: gathered from its messages, births and deaths, written together, and told to the judge."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from cloud.ingest.bulk import Numbers
from cloud.ingest.channels import Channel, Channels, Kind, Station
from cloud.ingest.decode import Columns, Text, quality_word
from cloud.ingest.ids import Ids
from cloud.ingest.port import Fact, Watched
from cloud.registry import births, commands, commissioning, configurations, sets, waiting
from cloud.storage import readings
from cloud.storage.database import Transaction
from cloud.storage.order import by_series_and_time
from cloud.storage.queries import load
from cloud.storage.readings import Readings, TextReading
from protocols.approval import KINDS as APPROVAL
from protocols.command import ANSWERS
from protocols.commissioning import KINDS as COMMISSIONING
from protocols.commissioning import PLACED
from protocols.configuration import KINDS as CONFIGURATION
from protocols.events import Event, Observation, Reading, Value
from protocols.sets import EVENTS as SETS

_ABOUT_DEVICE: Final = frozenset({"device.offline", "device.online", PLACED, *ANSWERS})


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a station."""

    station: Station
    event: Event


@dataclass(slots=True, kw_only=True)
class Rows:
    """What a group will write; `numbers` are those of its messages that are new."""

    channels: Channels
    numbers: Numbers = field(default_factory=Numbers)
    texts: list[Text] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    _named: list[Channel] = field(default_factory=list)

    def add(self, columns: Columns, station: Station) -> None:
        """What a message of `station` says beside numbers."""
        self.texts += columns.texts
        self.events += [Happened(_of_whom(event, station, self.channels), event) for event in columns.events]

    def identify(self, tx: Transaction, ids: Ids) -> None:
        """Find or make the rows that all this belongs to."""
        directory = self.channels.directory
        self._named = [directory.channel(number) for number in directory.distinct(self.numbers.channel).tolist()]
        ids.require(tx, {item.station for item in self.events}, {*self._named, *(text.channel for text in self.texts)})

    def ordered(self, ids: Ids) -> tuple[Readings, Readings]:
        """The numbers by series and time, once identified: all of them, and those that are kept."""
        numbers = self.numbers
        series = ids.series_of(numbers.channel)
        order = by_series_and_time(series, numbers.at_ms)
        told = Readings(at_ms=numbers.at_ms, series=series, value=numbers.value, quality=numbers.quality).at(order)
        return told, told.at(~numbers.transient[order]) if numbers.transient.any() else told

    def write(self, tx: Transaction, ids: Ids, told: Readings, received_ms: int) -> tuple[int, int]:
        """Write the newest values, `told` among them, texts and events; how many readings and events there were."""
        texts = self._text_readings(ids, [text for text in self.texts if not text.transient])
        passing = self._text_readings(ids, [text for text in self.texts if text.transient])
        readings.append_texts(tx, texts)
        readings.touch_latest(tx, told, [*texts, *passing], received_ms)
        self._write_events(tx, ids, received_ms)
        return len(told) + len(texts), len(self.events)

    def _text_readings(self, ids: Ids, texts: list[Text]) -> list[TextReading]:
        return [
            TextReading(series_id=number, at_ms=text.at_ms, value=text.value, quality=text.quality)
            for text in texts
            if (number := ids.series(text.channel)) is not None and text.value is not None
        ]

    def facts(self, tx: Transaction, ids: Ids, watched: Watched) -> list[Fact]:
        """What the judge must see: events and watched readings of devices that hang somewhere, in the order of time."""
        stations = {channel.station for channel in self._named} | {item.station for item in self.events}
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
            for channel in {*self._named, *(text.channel for text in self.texts)}
            if channel.station in by_station and watched(by_station[channel.station].type, channel.name)
        }
        if interesting:
            yield from self._told_by(interesting)
            for text in self.texts:
                if text.channel in interesting:
                    yield text.channel.station, _reading(text.channel, text.value, text.at_ms, text.quality)
        for item in self.events:
            if item.station in by_station:
                yield item.station, item.event

    def _told_by(self, channels: set[Channel]) -> Iterator[tuple[Station, Observation]]:
        """The numbers of some channels, in the order in which they came."""
        directory = self.channels.directory
        wanted = np.zeros(len(directory), np.bool_)
        wanted[[channel.number for channel in channels if channel.number >= 0]] = True
        some = self.numbers.at(wanted[self.numbers.channel])
        told = (some.channel.tolist(), some.value.tolist(), some.at_ms.tolist(), some.quality.tolist())
        for number, value, at_ms, quality in zip(*told, strict=True):
            channel = directory.channel(number)
            yield channel.station, _reading(channel, _value(channel, value), at_ms, quality)

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
        delivered = [(ids.device(item.station), item.event) for item in self.events if item.event.kind in SETS]
        sets.take_told(tx, delivered, received_ms)
        placed = [(ids.device(item.station), item.event) for item in self.events if item.event.kind in COMMISSIONING]
        commissioning.take_told(tx, placed, received_ms)
        heard = [(ids.device(item.station), item.event) for item in self.events if item.event.kind in APPROVAL]
        waiting.take_told(tx, heard, received_ms)


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
