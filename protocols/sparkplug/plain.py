"""Values of metrics as plain JSON, for people and for the event log."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from protocols.sparkplug.values import DataSet, MetaData, Metric, Parameter, Property, Template, Value

HEAD_BYTES: Final = 64
"""How much of bytes `fingerprint` shows."""
Blob = Callable[[bytes], Any]


def fingerprint(data: bytes) -> dict[str, Any]:
    """Bytes by their number, their SHA-256 and the first 64 of them: what says whether two are the same."""
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "head": data[:HEAD_BYTES].hex()}


def plain(value: Value | None, blob: Blob = bytes.hex) -> Any:
    """`value` as JSON. `blob` says what becomes of bytes; numbers that JSON lacks (NaN, infinities) are text."""
    match value:
        case bytes():
            return blob(value)
        case float() if not math.isfinite(value):
            return str(value)
        case tuple():
            return [plain(item, blob) for item in value]
        case DataSet():
            rows = [[plain(cell, blob) for cell in row] for row in value.rows]
            return {"columns": list(value.columns), "types": [_type(item) for item in value.types], "rows": rows}
        case Template():
            return _template(value, blob)
        case _:
            return value


def plain_properties(properties: Mapping[str, Property]) -> dict[str, Any]:
    """Property sets as ``{key: {"type", "value"}}``; sets in them likewise, lists of sets as lists."""
    return {key: {"type": _type(item.datatype), "value": _content(item)} for key, item in properties.items()}


def plain_metadata(metadata: MetaData) -> dict[str, Any]:
    """What is there of it."""
    return {key: value for key, value in asdict(metadata).items() if value is not None}


def _template(template: Template, blob: Blob) -> dict[str, Any]:
    return {
        "definition": template.is_definition,
        "ref": template.ref,
        "version": template.version,
        "metrics": [_member(member, blob) for member in template.metrics],
        "parameters": [_parameter(parameter, blob) for parameter in template.parameters],
    }


def _member(metric: Metric, blob: Blob) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": metric.name,
        "alias": metric.alias,
        "timestamp": metric.timestamp_ms,
        "quality": metric.quality,
        "unit": metric.unit,
        "metadata": None if metric.metadata is None else plain_metadata(metric.metadata),
        "properties": plain_properties(metric.properties) or None,
    }
    told = {key: value for key, value in said.items() if value is not None}
    return {**told, "type": _type(metric.datatype), "value": plain(metric.value, blob)}


def _parameter(parameter: Parameter, blob: Blob) -> dict[str, Any]:
    return {"name": parameter.name, "type": _type(parameter.datatype), "value": plain(parameter.value, blob)}


def _content(item: Property) -> Any:
    if isinstance(item.value, Mapping):
        return plain_properties(item.value)
    if isinstance(item.value, tuple):
        return [plain_properties(one) for one in item.value]
    return plain(item.value)


def _type(datatype: Any) -> str | None:
    return None if datatype is None else datatype.name
