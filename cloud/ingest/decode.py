"""A data message as columns: readings, texts and events of its channels, and what could not be read.

What no birth explains but names itself and its type is read with quality uncertain. What has no place as a number is an
event `sparkplug.value` (see `objects`). Transient values are judged and shown, and kept out of the history: Sparkplug
says "not be stored in a historian" (3.0.0, chapter 6, `is_transient`).

Times are ms since 1970 UTC: the metric's, else the payload's, else that of the arrival. A time that no calendar holds
gets that of the arrival, with quality uncertain. A number that is not finite is an unknown value of bad quality.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloud.ingest.channels import Channel, Kind, Table
from cloud.ingest.objects import object_event
from cloud.storage.readings import MAX_MS
from protocols.errors import ProtocolError
from protocols.events import Event, Quality, event_from_json
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import QUALITY, QUALITY_STALE, RawMetric, RawPayload, read_value

GOOD: Final = 192
UNCERTAIN: Final = 64
BAD: Final = 0
UNKNOWN_ALIAS: Final = "cloud.ingest.unknown-alias"
BAD_VALUE: Final = "cloud.ingest.bad-value"
_NUMERIC: Final = frozenset({Kind.NUMBER, Kind.BOOLEAN})
_DATATYPES: Final = frozenset(int(datatype) for datatype in DataType)


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
    transient: bool = False


@dataclass(slots=True)
class Columns:
    """What a message says. The five lists of readings have equal length; a value of NaN is unknown.

    `place`: where in the message each stands; `transient`: places in these lists of what is not kept. `unborn`: whether
    something was read that no birth explains; `unexplained`: places in the message of what could not be read for want
    of a birth, a fault each.
    """

    channel: list[Channel] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    at_ms: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    transient: list[int] = field(default_factory=list)
    unborn: bool = False
    unexplained: list[int] = field(default_factory=list)


def decode(payload: RawPayload, table: Table, received_ms: int, places: Sequence[int] | None = None) -> Columns:
    """The columns of `payload`, or of its metrics at `places`; `table` explains them.

    What cannot be read becomes a fault; never raises.
    """
    columns = Columns()
    fallback_ms = _in_calendar(payload.timestamp) or received_ms
    for place in range(len(payload.metrics)) if places is None else places:
        metric = payload.metrics[place]
        alias = metric.alias
        channel = table.of_alias(alias) if alias or metric.HasField("alias") else table.named(metric.name)
        best = UNCERTAIN if table.came_after else GOOD
        if channel is None:
            channel, born = _without_alias(table, metric)
            if channel is None:
                columns.unexplained.append(place)
                params = {"device": table.station.code, "metric": metric.alias or _printable(metric.name)}
                columns.faults.append(Fault(code=UNKNOWN_ALIAS, params=params))
                continue
            if not born:
                best, columns.unborn = UNCERTAIN, True
        _take(columns, channel, metric, best, fallback_ms, received_ms)
        columns.place += [place] * (len(columns.channel) - len(columns.place))
    return columns


def _without_alias(table: Table, metric: RawMetric) -> tuple[Channel | None, bool]:
    """What a metric whose alias says nothing is by its name, and whether the birth named it."""
    name: object = metric.name
    if not isinstance(name, str) or not name:
        return None, False
    born = table.named(name)
    if born is not None:
        return born, True
    datatype = DataType(metric.datatype) if metric.HasField("datatype") and metric.datatype in _DATATYPES else None
    return table.unborn(name, datatype), False


def _take(columns: Columns, channel: Channel, metric: RawMetric, best: int, fallback_ms: int, received_ms: int) -> None:
    """One metric into the columns that its channel asks for; its quality is at most `best`."""
    if channel.kind is Kind.NONE:
        return
    if channel.kind is Kind.REFUSED:
        columns.faults.append(_bad_value(channel, ValueError("name")))
        return
    quality = _at_best(_quality(metric), best) if metric.HasField("properties") else best
    at_ms = metric.timestamp
    if not 0 < at_ms <= MAX_MS:
        at_ms, quality = _replaced(metric, quality, fallback_ms, received_ms)
    try:
        if channel.kind in _NUMERIC:
            _number(columns, channel, metric, at_ms, quality)
        else:
            _other(columns, channel, metric, at_ms, quality)
    except ProtocolError as error:
        columns.faults.append(Fault(code=error.code, params=dict(error.params)))
    except ValueError as error:
        columns.faults.append(_bad_value(channel, error))


def quality_word(quality: int) -> Quality:
    """OPC's number as a word. Of Sparkplug's numbers (0, 192, 500) stale is kept as uncertain."""
    if GOOD <= quality < 256:
        return "good"
    return "uncertain" if UNCERTAIN <= quality < GOOD else "bad"


def _number(columns: Columns, channel: Channel, metric: RawMetric, at_ms: int, quality: int) -> None:
    if channel.field == "double_value" and metric.HasField("double_value"):
        value = metric.double_value
    else:
        read: Any = read_value(metric, channel.datatype)
        value = math.nan if read is None else float(read)
        if read is not None and value != read:
            quality = _at_best(quality, UNCERTAIN)  # beyond 2^53 a column of numbers holds only some integers
    if not math.isfinite(value):
        value, quality = math.nan, BAD if quality == GOOD else quality
    if metric.is_transient:
        columns.transient.append(len(columns.channel))
    columns.channel.append(channel)
    columns.at_ms.append(at_ms)
    columns.value.append(value)
    columns.quality.append(quality)


def _other(columns: Columns, channel: Channel, metric: RawMetric, at_ms: int, quality: int) -> None:
    if channel.kind is Kind.OBJECT:
        event = object_event(channel, metric, at_ms, quality)
        if event is not None:
            columns.events.append(_in_store(event))
        return
    value = read_value(metric, channel.datatype)
    if channel.kind is Kind.TEXT:
        text = None if value is None else str(value)
        columns.texts.append(Text(channel, at_ms, text, quality, metric.is_transient))
    elif value is not None:
        columns.events.append(_in_store(event_from_json(str(value), device=channel.station.code, at_ms=at_ms)))


def _in_store(event: Event) -> Event:
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


def _at_best(quality: int, best: int) -> int:
    return min(quality, best) if GOOD <= quality < 256 else quality


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
            if number == QUALITY_STALE:
                return UNCERTAIN
            return number if 0 <= number <= 1000 else BAD
    return GOOD


def _bad_value(channel: Channel, error: ValueError) -> Fault:
    params = {"device": channel.station.code, "metric": channel.name, "why": str(error)[:200]}
    return Fault(code=BAD_VALUE, params=params)


def _printable(name: object) -> str:
    return name[:100] if isinstance(name, str) else repr(name)[:100]
