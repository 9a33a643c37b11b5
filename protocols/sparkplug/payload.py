"""Sparkplug B payloads as values: `encode` and `decode`, and `decode_raw` for whoever reads a message in bulk.

Source: Eclipse Sparkplug 3.0.0, chapter 6. Timestamps are milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from google.protobuf.message import DecodeError

from protocols.errors import ProtocolError
from protocols.sparkplug import sparkplug_b_pb2 as pb
from protocols.sparkplug.datatype import FIELDS, DataType, Scalar, from_wire, to_wire

RawPayload = pb.Payload
RawMetric = pb.Payload.Metric

QUALITY_BAD: Final = 0
QUALITY_GOOD: Final = 192
QUALITY_STALE: Final = 500
QUALITY: Final = "Quality"
"""The one property key that Sparkplug names; its value is an Int32 of 0, 192 or 500."""
UNIT: Final = "engUnit"
"""The property key that hosts in the field read as the engineering unit."""

UINT64_MAX: Final = (1 << 64) - 1
Property = int | float | bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One value. Births carry `name`, `alias` and `datatype`, data carries the alias only.

    Decoded without a known datatype `value` is what the field holds: a signed integer then shows as two's complement
    (see `typed`). DataSets and Templates are bytes (the serialized message), arrays the packed little-endian bytes.
    """

    name: str | None = None
    alias: int | None = None
    datatype: DataType | None = None
    value: Scalar | None = None
    timestamp_ms: int | None = None
    is_null: bool = False
    is_historical: bool = False
    is_transient: bool = False
    quality: int | None = None
    unit: str | None = None
    properties: Mapping[str, Property | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One message. `seq` is absent from NDEATH, NCMD and DCMD; `uuid` says which message of an outbox it is."""

    timestamp_ms: int | None = None
    metrics: tuple[Metric, ...] = ()
    seq: int | None = None
    uuid: str | None = None
    body: bytes | None = None


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
    _encode_properties(raw, metric)
    if metric.value is None:
        raw.is_null = True
        return
    if metric.datatype is None:
        raise ValueError("datatype")
    _encode_value(raw, metric.value, metric.datatype)


def _encode_value(raw: RawMetric, value: Scalar, datatype: DataType) -> None:
    wire = to_wire(value, datatype)
    if datatype is DataType.DATASET and isinstance(wire, bytes):
        raw.dataset_value.MergeFromString(wire)
        raw.dataset_value.SetInParent()
    elif datatype is DataType.TEMPLATE and isinstance(wire, bytes):
        raw.template_value.MergeFromString(wire)
        raw.template_value.SetInParent()
    else:
        setattr(raw, FIELDS[datatype], wire)


def _encode_properties(raw: RawMetric, metric: Metric) -> None:
    if metric.quality is not None:
        raw.properties.keys.append(QUALITY)
        raw.properties.values.add(type=DataType.INT32, int_value=metric.quality)
    if metric.unit is not None:
        raw.properties.keys.append(UNIT)
        raw.properties.values.add(type=DataType.STRING, string_value=metric.unit)
    for key, value in metric.properties.items():
        raw.properties.keys.append(key)
        slot = raw.properties.values.add()
        if value is None:
            slot.type, slot.is_null = DataType.STRING, True
        elif isinstance(value, bool):
            slot.type, slot.boolean_value = DataType.BOOLEAN, value
        elif isinstance(value, int):
            slot.type, slot.long_value = DataType.INT64, value & UINT64_MAX
        elif isinstance(value, float):
            slot.type, slot.double_value = DataType.DOUBLE, value
        else:
            slot.type, slot.string_value = DataType.STRING, value


def decode_raw(data: bytes) -> RawPayload:
    """The protobuf message itself, without a copy into Python values. Raises ProtocolError for what is no payload.

    Text fields that are not UTF-8 come out as bytes; `decode` refuses them.
    """
    try:
        return RawPayload.FromString(data)
    except DecodeError as error:
        raise ProtocolError("protocols.sparkplug.undecodable", size=len(data), what=str(error)) from error


def decode(data: bytes) -> Payload:
    """The payload that `data` says.

    Raises ProtocolError for what is no payload, naming the metric where one is at fault.
    """
    return read(decode_raw(data))


def read(raw: RawPayload) -> Payload:
    """`raw` as values. Raises ProtocolError as `decode`."""
    uuid = _text(raw.uuid, "uuid") if raw.HasField("uuid") else None
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
    quality, unit, properties = _read_properties(raw) if raw.HasField("properties") else (None, None, {})
    value = read_value(raw, datatype)
    return Metric(
        name=_utf8(raw.name) if raw.HasField("name") else None,
        alias=raw.alias if raw.HasField("alias") else None,
        datatype=datatype,
        value=value,
        timestamp_ms=raw.timestamp if raw.HasField("timestamp") else None,
        is_null=value is None,
        is_historical=raw.is_historical,
        is_transient=raw.is_transient,
        quality=quality,
        unit=unit,
        properties=properties,
    )


def read_value(raw: RawMetric, datatype: DataType | None) -> Scalar | None:
    """The value of one metric as `datatype`, or as its field holds it when the type is not known; None for null.

    Raises ValueError when the field cannot carry that type.
    """
    which = raw.WhichOneof("value")
    if raw.is_null or which is None:
        return None
    if which in ("dataset_value", "template_value", "extension_value"):
        value: Scalar = getattr(raw, which).SerializeToString()
    else:
        value = getattr(raw, which)
    if which == "string_value":
        value = _utf8(value)
    if datatype is None or datatype is DataType.UNKNOWN:
        return value
    return from_wire(value, which, datatype)


def typed(metric: Metric, *, name: str, datatype: DataType) -> Metric:
    """A metric that came by alias, with the name and the type that its birth gave it.

    Raises ProtocolError when the value cannot be of that type.
    """
    if metric.value is None or metric.datatype is not None:
        return replace(metric, name=name, datatype=metric.datatype or datatype)
    for which in _fields_of(metric.value):
        try:
            return replace(metric, name=name, datatype=datatype, value=from_wire(metric.value, which, datatype))
        except ValueError:
            continue
    raise ProtocolError("protocols.sparkplug.bad-metric", at=name, what=f"{datatype.name}: {metric.value!r}")


def _fields_of(value: Scalar) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("boolean_value",)
    if isinstance(value, int):
        return ("long_value",)
    if isinstance(value, float):
        return ("double_value",)
    return ("string_value",) if isinstance(value, str) else ("bytes_value", "dataset_value", "template_value")


def _read_properties(raw: RawMetric) -> tuple[int | None, str | None, dict[str, Property | None]]:
    quality: int | None = None
    unit: str | None = None
    rest: dict[str, Property | None] = {}
    if len(raw.properties.keys) != len(raw.properties.values):
        raise ValueError("properties: keys and values differ in number")
    for raw_key, slot in zip(raw.properties.keys, raw.properties.values, strict=True):
        key = _utf8(raw_key)
        value = _read_property(slot)
        if key.lower() == "quality" and isinstance(value, int):
            quality = value
        elif key == UNIT and isinstance(value, str):
            unit = value
        else:
            rest[key] = value
    return quality, unit, rest


def _read_property(slot: pb.Payload.PropertyValue) -> Property | None:
    which = slot.WhichOneof("value")
    if slot.is_null or which is None or which in ("propertyset_value", "propertysets_value", "extension_value"):
        return None
    value: Scalar = getattr(slot, which)
    if which == "string_value":
        return _utf8(value)
    try:
        value = from_wire(value, which, DataType(slot.type))
    except ValueError:
        value = getattr(slot, which)
    return value if isinstance(value, int | float | str) else None


def _utf8(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text is not UTF-8")
    return value


def _text(value: object, at: str) -> str:
    try:
        return _utf8(value)
    except ValueError as error:
        raise ProtocolError("protocols.sparkplug.bad-metric", at=at, what=str(error)) from error
