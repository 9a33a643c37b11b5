"""The metrics of births, data and commands, held against what the births of the session promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from protocols.sparkplug.births import BD_SEQ, REBIRTH
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.monitor import rules
from protocols.sparkplug.monitor.content import Templates, check_metric
from protocols.sparkplug.monitor.rules import Broken
from protocols.sparkplug.payload import RawMetric, RawPayload, read_value
from protocols.sparkplug.topics import MessageType

CLOCK_TOLERANCE_MS: Final = 600_000
"""How far a time in a message may be from the monitor's own; the time zones nearest to UTC are half an hour away."""
_EARLIEST_MS: Final = 100_000_000_000
"""March 1973: what is before was written in seconds, or by a clock that was never set."""

_TYPES: Final = frozenset(range(1, 35)) - {DataType.PROPERTY_SET, DataType.PROPERTY_SET_LIST}
_UNALIASED: Final = frozenset({REBIRTH, BD_SEQ})


@dataclass(slots=True)
class Promise:
    """What the births of a session said: per device (None is the node) name → (type, alias); alias → (device, name)."""

    metrics: dict[str | None, dict[str, tuple[int, int | None]]] = field(default_factory=dict)
    aliases: dict[int, tuple[str | None, str]] = field(default_factory=dict)
    templates: Templates = field(default_factory=Templates)


def check_birth(
    kind: MessageType, device: str | None, raw: RawPayload, promise: Promise, at_ms: int
) -> Iterator[Broken]:
    """A birth; `promise` learns what it says."""
    if kind is MessageType.NBIRTH:
        promise.templates.define(raw)
    for alias in [alias for alias, (owner, _) in promise.aliases.items() if owner == device]:
        del promise.aliases[alias]
    known = promise.metrics[device] = {}
    aliased = any(metric.HasField("alias") for metric in raw.metrics)
    for metric in raw.metrics:
        name = _label(metric)
        if not metric.name:
            yield (rules.ALIAS_ONLY_BIRTH if metric.HasField("alias") else rules.NAMELESS), f"alias {metric.alias}"
        elif aliased and not metric.HasField("alias") and name not in _UNALIASED:
            yield rules.ALIAS_ONLY_BIRTH, f"{name} without alias"
        if metric.HasField("alias"):
            owner = promise.aliases.setdefault(metric.alias, (device, name))
            if owner != (device, name):
                yield rules.ALIAS_TWICE, f"alias {metric.alias}: {owner[1]}, {name}"
        known[name] = (metric.datatype, metric.alias if metric.HasField("alias") else None)
        yield from _type(kind, metric, name)
        if (metric.WhichOneof("value") is not None) == metric.is_null:
            yield rules.BIRTH_VALUE[kind], f"{name}: {'null and a value' if metric.is_null else 'no value'}"
    yield from _common(kind, raw, promise, at_ms)
    folded = Counter(name.lower() for name in known)
    if twins := sorted(name for name in known if folded[name.lower()] > 1):
        yield rules.NAMES_DIFFER_IN_CASE, ", ".join(twins)


def check_data(
    kind: MessageType, device: str | None, raw: RawPayload, promise: Promise | None, at_ms: int
) -> Iterator[Broken]:
    """NDATA or DDATA; `promise` None as long as no birth was heard."""
    if not raw.metrics:
        yield rules.DATA_EMPTY[kind], "no metrics"
    for metric in raw.metrics:
        yield from _written_as(metric)
        if promise is not None:
            yield from _promised(kind, device, metric, promise)
    yield from _common(kind, raw, promise, at_ms)


def check_command(kind: MessageType, device: str | None, raw: RawPayload, promise: Promise | None) -> Iterator[Broken]:
    """NCMD or DCMD."""
    if not raw.metrics:
        yield rules.COMMAND_EMPTY[kind], "no metrics"
    for metric in raw.metrics:
        yield from _written_as(metric)
        if metric.name == REBIRTH:
            yield from _rebirth_request(kind, metric)
        elif promise is not None:
            yield from _promised(kind, device, metric, promise)
            datatype = _datatype(device, metric, promise)
            if datatype in _TYPES and not _fits(metric, DataType(datatype)):
                value = metric.WhichOneof("value") or "no value"
                yield rules.COMMAND_VALUE[kind], f"{_label(metric)}: {value} for {DataType(datatype).name}"


def asks_rebirth(raw: RawPayload) -> bool:
    """Whether an NCMD asks for a rebirth."""
    return any(metric.name == REBIRTH and metric.boolean_value for metric in raw.metrics)


def check_node_metrics(raw: RawPayload) -> Iterator[Broken]:
    """The two metrics that every NBIRTH has."""
    by_name = {metric.name: metric for metric in raw.metrics}
    bdseq, rebirth = by_name.get(BD_SEQ), by_name.get(REBIRTH)
    if bdseq is None:
        yield rules.BDSEQ_ABSENT, "no bdSeq"
    elif bdseq.datatype != DataType.INT64:
        yield rules.BDSEQ_TYPE, f"datatype {bdseq.datatype}"
    if rebirth is None:
        yield rules.REBIRTH_ABSENT, f"no {REBIRTH}"
        return
    if rebirth.HasField("alias"):
        yield rules.REBIRTH_ALIAS, f"alias {rebirth.alias}"
    if rebirth.datatype != DataType.BOOLEAN:
        yield rules.REBIRTH_TYPE, f"datatype {rebirth.datatype}"
    elif rebirth.boolean_value or rebirth.is_null:
        yield rules.REBIRTH_VALUE, f"value {rebirth.boolean_value}, null {rebirth.is_null}"


def check_death_metrics(raw: RawPayload) -> Iterator[Broken]:
    """An NDEATH has bdSeq and nothing else."""
    names = [metric.name for metric in raw.metrics]
    if names != [BD_SEQ]:
        yield rules.DEATH_PAYLOAD, f"metrics {names}"
    elif raw.metrics[0].datatype != DataType.INT64:
        yield rules.DEATH_BDSEQ_TYPE, f"datatype {raw.metrics[0].datatype}"


def bdseq_of(raw: RawPayload) -> int | None:
    """The bdSeq of a birth or a death."""
    for metric in raw.metrics:
        if metric.name == BD_SEQ:
            return metric.long_value if metric.HasField("long_value") else metric.int_value
    return None


def _common(kind: MessageType, raw: RawPayload, promise: Promise | None, at_ms: int) -> Iterator[Broken]:
    birth = kind in (MessageType.NBIRTH, MessageType.DBIRTH)
    templates = Templates() if promise is None else promise.templates
    newest: dict[str, int] = {}
    for metric in raw.metrics:
        label = _label(metric)
        if not metric.HasField("timestamp"):
            yield rules.METRIC_TIME, f"{label} without timestamp"
        elif not _EARLIEST_MS <= metric.timestamp <= at_ms + CLOCK_TOLERANCE_MS:
            yield rules.METRIC_UTC, f"{label}: {metric.timestamp}"
        elif not metric.is_historical:
            if metric.timestamp < newest.get(label, 0):
                yield rules.CHRONOLOGY[kind], f"{label}: {metric.timestamp} after {newest[label]}"
            newest[label] = metric.timestamp
        if promise is None and metric.HasField("template_value"):
            continue
        yield from check_metric(metric, templates, birth=birth, node_birth=kind is MessageType.NBIRTH)


def _type(kind: MessageType, metric: RawMetric, name: str) -> Iterator[Broken]:
    if not metric.HasField("datatype"):
        yield rules.TYPE_ABSENT[kind], f"{name} without datatype"
    elif metric.datatype not in _TYPES:
        yield rules.TYPE_UNKNOWN, f"{name}: datatype {metric.datatype}"


def _written_as(metric: RawMetric) -> Iterator[Broken]:
    """By alias or by name, without a type."""
    if not metric.name and not metric.HasField("alias"):
        yield rules.NAMELESS, "neither name nor alias"
    if metric.name and metric.HasField("alias"):
        yield rules.NAME_IN_DATA, f"{metric.name} and alias {metric.alias}"
    if metric.HasField("datatype"):
        if metric.datatype not in _TYPES:
            yield rules.TYPE_UNKNOWN, f"{_label(metric)}: datatype {metric.datatype}"
        yield rules.TYPE_IN_DATA, f"{_label(metric)}: datatype {metric.datatype}"


def _promised(kind: MessageType, device: str | None, metric: RawMetric, promise: Promise) -> Iterator[Broken]:
    known = promise.metrics.get(device)
    if known is None:
        return
    if metric.HasField("alias"):
        if promise.aliases.get(metric.alias, (metric,))[0] != device:
            yield rules.NOT_BORN[kind], f"alias {metric.alias}"
    elif metric.name and metric.name not in known:
        yield rules.NOT_BORN[kind], metric.name
    elif metric.name and known[metric.name][1] is not None:
        yield rules.NAME_IN_DATA, f"{metric.name} has alias {known[metric.name][1]}"


def _rebirth_request(kind: MessageType, metric: RawMetric) -> Iterator[Broken]:
    if kind is MessageType.DCMD:
        yield rules.REBIRTH_REQUEST_VERB, kind.value
    elif not metric.boolean_value:
        yield rules.REBIRTH_REQUEST_VALUE, f"{metric.WhichOneof('value')}"


def _datatype(device: str | None, metric: RawMetric, promise: Promise) -> int:
    known = promise.metrics.get(device, {})
    name = metric.name
    if metric.HasField("alias"):
        owner, name = promise.aliases.get(metric.alias, (None, ""))
        if owner != device:
            return 0
    return known.get(name, (0, None))[0]


def _fits(metric: RawMetric, datatype: DataType) -> bool:
    if metric.is_null:
        return True
    try:
        return read_value(metric, datatype) is not None
    except ValueError:
        return False


def _label(metric: RawMetric) -> str:
    return str(metric.name) if metric.name else f"alias {metric.alias}"
