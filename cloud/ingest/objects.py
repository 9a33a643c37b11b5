"""Values that have no place as a number, as events: arrays, tables, templates, bytes, files, and unknown types.

``{"metric", "type", "value"}``, and where there are such: "quality" (OPC's number), "unit", "metadata", "properties",
"historical", "transient". Bytes are told by size, SHA-256 and the first 64 of them, so a file's content is not kept.
What would be longer than an event may be is told the same way, with the beginning of its text: nothing is cut unseen.
Parts of a multi-part metric are an event each; "metadata" says which. An event is a record, not a history: transient
values are told too, or nobody would learn of them.
"""

from __future__ import annotations

import json
from typing import Any, Final

from cloud.ingest.channels import Channel
from protocols.events import MAX_EVENT_BYTES, Event
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import RawMetric, Template, read_value
from protocols.sparkplug.plain import fingerprint, plain, plain_metadata, plain_properties
from protocols.sparkplug.properties import read_properties
from protocols.sparkplug.structures import read_metadata

OBJECT_EVENT: Final = "sparkplug.value"
MOST_READ: Final = 256 * 1024
"""Bytes of a metric that is read at all: eight truth values fit into a byte, and take a thousand when they are read."""
_WHOLE: Final = frozenset((DataType.BYTES, DataType.FILE))
_GOOD: Final = 192
_HEAD: Final = 1000


def object_event(channel: Channel, metric: RawMetric, at_ms: int, quality: int) -> Event | None:
    """The event that tells a value; None for the definition of a template, which is no observation.

    Raises ValueError for a value that cannot be read.
    """
    data: dict[str, Any]
    if metric.ByteSize() > MOST_READ and channel.datatype not in _WHOLE:
        told = fingerprint(metric.SerializeToString())
        data = {"metric": channel.name, "type": channel.datatype.name, "value": told}
        return Event(device=channel.station.code, kind=OBJECT_EVENT, at_ms=at_ms, data=data)
    value = read_value(metric, channel.datatype)
    if isinstance(value, Template) and value.is_definition:
        return None
    data = {"metric": channel.name, "type": channel.datatype.name, "value": plain(value, fingerprint)}
    if quality != _GOOD:
        data["quality"] = quality
    data |= {word: True for word in ("historical", "transient") if getattr(metric, f"is_{word}")}
    shortest = dict(data)
    if metric.HasField("properties"):
        _, unit, properties = read_properties(metric.properties)
        data |= {"unit": unit} if unit is not None else {}
        data |= {"properties": plain_properties(properties)} if properties else {}
    if metric.HasField("metadata"):
        data["metadata"] = plain_metadata(read_metadata(metric.metadata))
    text = json.dumps(data, ensure_ascii=False)
    if len(text) > MAX_EVENT_BYTES:
        data = {**shortest, "value": {**fingerprint(metric.SerializeToString()), "text": text[:_HEAD]}}
    return Event(device=channel.station.code, kind=OBJECT_EVENT, at_ms=at_ms, data=data)
