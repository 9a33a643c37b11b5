"""A data message as columns: readings, texts and events of known channels, and what could not be read.

Times are ms since 1970 UTC: the metric's, else the payload's, else that of the arrival. A time that no calendar holds
gets that of the arrival, with quality uncertain. A number that is not finite is an unknown value of bad quality.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloud.ingest.channels import Channel, Kind, Table
from cloud.storage.readings import MAX_MS
from protocols.errors import ProtocolError
from protocols.events import Event, Quality, event_from_json
from protocols.sparkplug.payload import QUALITY, RawMetric, RawPayload, read_value

GOOD: Final = 192
UNCERTAIN: Final = 64
BAD: Final = 0
UNKNOWN_ALIAS: Final = "cloud.ingest.unknown-alias"
BAD_VALUE: Final = "cloud.ingest.bad-value"
_A_NUMBER: Final = Kind.NUMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something in a message that could not be read: a code, and what its sentence names."""

    code: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A value that is text."""

    channel: Channel
    at_ms: int
    value: str | None
    quality: int


@dataclass(slots=True)
class Columns:
    """What a message says. The four lists of readings have equal length; a value of NaN is unknown."""

    channel: list[Channel] = field(default_factory=list)
    at_ms: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def decode(payload: RawPayload, table: Table, received_ms: int) -> Columns:
    """The columns of `payload`, whose metrics `table` explains. What cannot be read becomes a fault; never raises."""
    columns = Columns()
    fallback_ms = _in_calendar(payload.timestamp) or received_ms
    by_alias, by_name, isfinite = table.by_alias, table.by_name, math.isfinite
    channels, times, values, qualities = columns.channel, columns.at_ms, columns.value, columns.quality
    for metric in payload.metrics:
        alias = metric.alias
        channel = by_alias.get(alias) if alias or metric.HasField("alias") else by_name.get(metric.name)
        if channel is not None and channel.kind is _A_NUMBER and channel.field == "double_value":
            # Nearly all metrics are this: what is not 0 is there, and calls cost more than all the rest.
            value, at_ms = metric.double_value, metric.timestamp
            if value and isfinite(value) and 0 < at_ms <= MAX_MS and not metric.HasField("properties"):
                channels.append(channel)
                times.append(at_ms)
                values.append(value)
                qualities.append(GOOD)
                continue
        if channel is None:
            params = {"device": table.station.code, "metric": metric.alias or _printable(metric.name)}
            columns.faults.append(Fault(code=UNKNOWN_ALIAS, params=params))
        elif channel.kind is Kind.NUMBER or channel.kind is Kind.BOOLEAN:
            _number(columns, channel, metric, fallback_ms, received_ms)
        elif channel.kind is not Kind.NONE:
            _other(columns, channel, metric, fallback_ms, received_ms)
    return columns


def quality_word(quality: int) -> Quality:
    """OPC's number (Sparkplug: 0 bad, 192 good, 500 stale) as a word."""
    if GOOD <= quality < 256:
        return "good"
    return "uncertain" if UNCERTAIN <= quality < GOOD else "bad"


def _number(columns: Columns, channel: Channel, metric: RawMetric, fallback_ms: int, received_ms: int) -> None:
    quality = _quality(metric) if metric.HasField("properties") else GOOD
    if channel.field == "double_value" and metric.HasField("double_value"):
        value = metric.double_value
    else:
        try:
            read = read_value(metric, channel.datatype)
        except ValueError as error:
            columns.faults.append(_bad_value(channel, error))
            return
        value = math.nan if read is None else float(read)
    if not math.isfinite(value):
        value, quality = math.nan, BAD if quality == GOOD else quality
    at_ms = metric.timestamp
    if not 0 < at_ms <= MAX_MS:
        at_ms, quality = _replaced(metric, quality, fallback_ms, received_ms)
    columns.channel.append(channel)
    columns.at_ms.append(at_ms)
    columns.value.append(value)
    columns.quality.append(quality)


def _other(columns: Columns, channel: Channel, metric: RawMetric, fallback_ms: int, received_ms: int) -> None:
    quality = _quality(metric) if metric.HasField("properties") else GOOD
    at_ms = metric.timestamp
    if not 0 < at_ms <= MAX_MS:
        at_ms, quality = _replaced(metric, quality, fallback_ms, received_ms)
    try:
        value = read_value(metric, channel.datatype)
        if channel.kind is Kind.EVENT:
            if value is not None:
                columns.events.append(_event(str(value), channel, at_ms))
            return
    except ProtocolError as error:
        columns.faults.append(Fault(code=error.code, params=dict(error.params)))
        return
    except ValueError as error:
        columns.faults.append(_bad_value(channel, error))
        return
    columns.texts.append(Text(channel, at_ms, None if value is None else str(value), quality))


def _event(text: str, channel: Channel, at_ms: int) -> Event:
    event = event_from_json(text, device=channel.station.code, at_ms=at_ms)
    try:
        return replace(event, kind=_storable(event.kind), data=_storable(event.data))
    except RecursionError as error:
        raise ProtocolError("protocols.event.unreadable", device=event.device, why="depth") from error


def _storable(value: Any) -> Any:
    """`value` without what JSON or PostgreSQL cannot hold: NUL, half surrogates, infinite numbers."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def _replaced(metric: RawMetric, quality: int, fallback_ms: int, received_ms: int) -> tuple[int, int]:
    """The time for a metric that has none, or one that no calendar holds."""
    if not metric.timestamp:
        return fallback_ms, quality
    return received_ms, min(quality, UNCERTAIN)


def _in_calendar(at_ms: int) -> int | None:
    return at_ms if 0 < at_ms <= MAX_MS else None


def _quality(metric: RawMetric) -> int:
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=False):
        if key in (QUALITY, QUALITY.lower()):
            number = value.int_value or value.long_value
            return number if 0 <= number <= 1000 else BAD
    return GOOD


def _bad_value(channel: Channel, error: ValueError) -> Fault:
    params = {"device": channel.station.code, "metric": channel.name, "why": str(error)[:200]}
    return Fault(code=BAD_VALUE, params=params)


def _printable(name: object) -> str:
    return name[:100] if isinstance(name, str) else repr(name)[:100]
