"""Sparkplug B payloads as values: `encode` and `decode`, and `decode_raw` for whoever reads a message in bulk.

Source: Eclipse Sparkplug 3.0.0, chapter 6. Timestamps are milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from google.protobuf.message import DecodeError

from protocols.errors import ProtocolError
from protocols.sparkplug import sparkplug_b_pb2 as pb
from protocols.sparkplug.arrays import ARRAYS, pack, unpack
from protocols.sparkplug.datatype import FIELDS, DataType, Scalar, from_wire, to_wire
from protocols.sparkplug.properties import read_properties, utf8, write_properties
from protocols.sparkplug.structures import (
    read_dataset,
    read_metadata,
    read_parameter,
    write_dataset,
    write_metadata,
    write_parameter,
)
from protocols.sparkplug.values import (
    QUALITY,
    QUALITY_BAD,
    QUALITY_GOOD,
    QUALITY_STALE,
    UNIT,
    UNITS,
    DataSet,
    MetaData,
    Metric,
    Parameter,
    Payload,
    Property,
    Template,
    Value,
)

__all__ = [
    "MOST_METRICS",
    "QUALITY",
    "QUALITY_BAD",
    "QUALITY_GOOD",
    "QUALITY_STALE",
    "UNIT",
    "UNITS",
    "DataSet",
    "MetaData",
    "Metric",
    "Parameter",
    "Payload",
    "Property",
    "RawMetric",
    "RawPayload",
    "Template",
    "Value",
    "decode",
    "decode_raw",
    "encode",
    "read",
    "read_metric",
    "read_value",
    "typed",
]

MOST_METRICS: Final = 50_000
"""Of one message: an empty metric takes two bytes on the wire, deflated next to none, and some hundred to look at."""
RawPayload = pb.Payload
RawMetric = pb.Payload.Metric


def encode(payload: Payload, *, brief: bool = False) -> bytes:
    """The bytes of `payload`.

    `brief` is the form of data and commands: no datatypes, and no name where there is an alias
    (tck-id-payloads-alias-data-cmd-requirement, tck-id-payloads-metric-datatype-not-req).
    Raises ProtocolError for a value that its type or field cannot hold, or a value whose type is not given.
    """
    raw = RawPayload()
    try:
        if payload.timestamp_ms is not None:
            raw.timestamp = payload.timestamp_ms
        if payload.seq is not None:
            raw.seq = payload.seq
        if payload.uuid is not None:
            raw.uuid = payload.uuid
        if payload.body is not None:
            raw.body = payload.body
    except (ValueError, TypeError) as error:
        raise ProtocolError("protocols.sparkplug.unencodable", at="payload", what=str(error)) from error
    for index, metric in enumerate(payload.metrics):
        try:
            _encode_metric(raw.metrics.add(), metric, brief=brief)
        except (ValueError, TypeError, DecodeError) as error:
            at = f"metrics[{index}] {metric.name or metric.alias}"
            raise ProtocolError("protocols.sparkplug.unencodable", at=at, what=str(error)) from error
    return raw.SerializeToString()


def _encode_metric(raw: RawMetric, metric: Metric, *, brief: bool) -> None:
    if metric.name is not None and not (brief and metric.alias is not None):
        raw.name = metric.name
    if metric.alias is not None:
        raw.alias = metric.alias
    if metric.timestamp_ms is not None:
        raw.timestamp = metric.timestamp_ms
    if metric.datatype is not None and not brief:
        raw.datatype = int(metric.datatype)
    if metric.is_historical:
        raw.is_historical = True
    if metric.is_transient:
        raw.is_transient = True
    if metric.metadata is not None:
        write_metadata(raw.metadata, metric.metadata)
    if metric.quality is not None or metric.unit is not None or metric.properties:
        write_properties(raw.properties, metric)
    if metric.value is None:
        raw.is_null = True
        return
    if metric.datatype is None:
        raise ValueError("datatype")
    _encode_value(raw, metric.value, metric.datatype)


def _encode_value(raw: RawMetric, value: Value, datatype: DataType) -> None:
    if isinstance(value, DataSet) and datatype is DataType.DATASET:
        raw.dataset_value.SetInParent()
        write_dataset(raw.dataset_value, value)
    elif isinstance(value, Template) and datatype is DataType.TEMPLATE:
        _encode_template(raw.template_value, value)
    elif isinstance(value, tuple) and datatype in ARRAYS:
        raw.bytes_value = pack(value, datatype)
    elif isinstance(value, DataSet | Template | tuple) or datatype in ARRAYS:
        raise ValueError(f"{type(value).__name__} as {datatype.name}")
    else:
        setattr(raw, FIELDS.get(datatype, ""), to_wire(value, datatype))


def _encode_template(raw: pb.Payload.Template, template: Template) -> None:
    """Members keep their names and types, also in data: a definition says nothing about aliases."""
    raw.is_definition = template.is_definition
    if template.ref is not None:
        raw.template_ref = template.ref
    if template.version is not None:
        raw.version = template.version
    for member in template.metrics:
        _encode_metric(raw.metrics.add(), member, brief=False)
    for parameter in template.parameters:
        write_parameter(raw.parameters.add(), parameter)


def decode_raw(data: bytes) -> RawPayload:
    """The protobuf message itself, without a copy into Python values. Raises ProtocolError for what is no payload.

    Text fields that are not UTF-8 come out as bytes; `decode` refuses them.
    """
    try:
        raw = RawPayload.FromString(data)
    except DecodeError as error:
        raise ProtocolError("protocols.sparkplug.undecodable", size=len(data), what=str(error)) from error
    if len(raw.metrics) > MOST_METRICS:
        what = f"{len(raw.metrics)} metrics > {MOST_METRICS}"
        raise ProtocolError("protocols.sparkplug.undecodable", size=len(data), what=what)
    return raw


def decode(data: bytes) -> Payload:
    """The payload that `data` says.

    Raises ProtocolError for what is no payload, naming the metric where one is at fault.
    """
    return read(decode_raw(data))


def read(raw: RawPayload) -> Payload:
    """`raw` as values. Raises ProtocolError as `decode`."""
    try:
        uuid = utf8(raw.uuid) if raw.HasField("uuid") else None
    except ValueError as error:
        raise ProtocolError("protocols.sparkplug.bad-metric", at="uuid", what=str(error)) from error
    return Payload(
        timestamp_ms=raw.timestamp if raw.HasField("timestamp") else None,
        metrics=tuple(_read_at(index, metric) for index, metric in enumerate(raw.metrics)),
        seq=raw.seq if raw.HasField("seq") else None,
        uuid=uuid,
        body=raw.body if raw.HasField("body") else None,
    )


def _read_at(index: int, raw: RawMetric) -> Metric:
    try:
        return read_metric(raw)
    except ValueError as error:
        raise ProtocolError("protocols.sparkplug.bad-metric", at=f"metrics[{index}]", what=str(error)) from error


def read_metric(raw: RawMetric) -> Metric:
    """One metric as a value. Raises ValueError for a field that does not say what it should."""
    datatype = DataType(raw.datatype) if raw.HasField("datatype") else None
    quality, unit, properties = read_properties(raw.properties) if raw.HasField("properties") else (None, None, {})
    value = read_value(raw, datatype)
    return Metric(
        name=utf8(raw.name) if raw.HasField("name") else None,
        alias=raw.alias if raw.HasField("alias") else None,
        datatype=datatype,
        value=value,
        timestamp_ms=raw.timestamp if raw.HasField("timestamp") else None,
        is_null=value is None,
        is_historical=raw.is_historical,
        is_transient=raw.is_transient,
        metadata=read_metadata(raw.metadata) if raw.HasField("metadata") else None,
        quality=quality,
        unit=unit,
        properties=properties,
    )


def read_value(raw: RawMetric, datatype: DataType | None) -> Value | None:
    """The value of one metric as `datatype`, or as its field holds it when the type is not known; None for null.

    Raises ValueError when the field cannot carry that type.
    """
    which = raw.WhichOneof("value")
    if raw.is_null or which is None:
        return None
    if which == "extension_value":
        raise ValueError(which)
    if which == "dataset_value" or which == "template_value":
        if FIELDS.get(datatype or DataType.UNKNOWN, which) != which:
            raise ValueError(which)
        return read_dataset(raw.dataset_value) if which == "dataset_value" else _read_template(raw.template_value)
    value: Scalar = getattr(raw, which)
    if which == "string_value":
        value = utf8(value)
    return _of_type(value, which, datatype)


def _of_type(value: Scalar, which: str, datatype: DataType | None) -> Value:
    if datatype is None or datatype is DataType.UNKNOWN:
        return value
    if datatype in ARRAYS and isinstance(value, bytes):
        return unpack(value, datatype)
    return from_wire(value, which, datatype)


def _read_template(raw: pb.Payload.Template) -> Template:
    return Template(
        is_definition=raw.is_definition,
        ref=utf8(raw.template_ref) if raw.HasField("template_ref") else None,
        version=utf8(raw.version) if raw.HasField("version") else None,
        metrics=tuple(read_metric(member) for member in raw.metrics),
        parameters=tuple(read_parameter(parameter) for parameter in raw.parameters),
    )


def typed(metric: Metric, *, name: str, datatype: DataType) -> Metric:
    """A metric that came by alias, with the name and the type that its birth gave it.

    Raises ProtocolError when the value cannot be of that type.
    """
    value = metric.value
    if value is None or metric.datatype is not None:
        return replace(metric, name=name, datatype=metric.datatype or datatype)
    try:
        return replace(metric, name=name, datatype=datatype, value=_typed_value(value, datatype))
    except ValueError as error:
        what = f"{datatype.name}: {value!r}"
        raise ProtocolError("protocols.sparkplug.bad-metric", at=name, what=what) from error


def _typed_value(value: Value, datatype: DataType) -> Value:
    if isinstance(value, DataSet | Template | tuple):
        if datatype is not (DataType.DATASET if isinstance(value, DataSet) else DataType.TEMPLATE):
            raise ValueError(datatype.name)
        return value
    return _of_type(value, _field_of(value), datatype)


def _field_of(value: Scalar) -> str:
    if isinstance(value, bool):
        return "boolean_value"
    if isinstance(value, int):
        return "long_value"
    if isinstance(value, float):
        return "double_value"
    return "string_value" if isinstance(value, str) else "bytes_value"
