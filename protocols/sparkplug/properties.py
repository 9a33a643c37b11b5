"""Property sets of metrics, written and read (Sparkplug 3.0.0, chapter 6, "PropertySet")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from protocols.sparkplug import sparkplug_b_pb2 as pb
from protocols.sparkplug.datatype import FIELDS, DataType, from_wire, to_wire
from protocols.sparkplug.values import QUALITY, UNIT, UNITS, Metric, Property, PropertyContent, PropertySet

_UINT64: Final = (1 << 64) - 1


def write_properties(raw: pb.Payload.PropertySet, metric: Metric) -> None:
    """Quality and unit first, then the others. Raises ValueError for a value that its type cannot hold."""
    if metric.quality is not None:
        _write_one(raw, QUALITY, Property(datatype=DataType.INT32, value=metric.quality))
    if metric.unit is not None:
        _write_one(raw, UNIT, Property(datatype=DataType.STRING, value=metric.unit))
    _write_set(raw, metric.properties)


def read_properties(raw: pb.Payload.PropertySet) -> tuple[int | None, str | None, dict[str, Property]]:
    """The quality, the engineering unit, and what else there is. Raises ValueError for what is no property set."""
    quality: int | None = None
    unit: str | None = None
    rest: dict[str, Property] = {}
    for key, found in _read_set(raw).items():
        folded = key.lower()
        if folded == QUALITY.lower() and isinstance(found.value, int):
            quality = found.value
        elif folded in UNITS and isinstance(found.value, str):
            unit = found.value
        else:
            rest[key] = found
    return quality, unit, rest


def utf8(value: object) -> str:
    """A text field of a message. Raises ValueError for one that is no UTF-8, which comes out as bytes."""
    if not isinstance(value, str):
        raise ValueError("text is not UTF-8")
    return value


def write_untyped(slot: Any, value: float | str) -> None:
    """A value whose type is not given, into the widest field of its kind."""
    if isinstance(value, bool):
        slot.boolean_value = value
    elif isinstance(value, int):
        slot.long_value = value & _UINT64
    elif isinstance(value, float):
        slot.double_value = value
    else:
        slot.string_value = value


def _write_set(raw: pb.Payload.PropertySet, properties: PropertySet) -> None:
    for key, item in properties.items():
        _write_one(raw, key, item)


def _write_one(raw: pb.Payload.PropertySet, key: str, item: Property) -> None:
    raw.keys.append(key)
    slot = raw.values.add()
    if item.datatype is not None:
        slot.type = int(item.datatype)
    value = item.value
    if value is None:
        slot.is_null = True
    elif isinstance(value, Mapping):
        _only(item.datatype, DataType.PROPERTY_SET)
        slot.propertyset_value.SetInParent()
        _write_set(slot.propertyset_value, value)
    elif isinstance(value, tuple):
        _only(item.datatype, DataType.PROPERTY_SET_LIST)
        slot.propertysets_value.SetInParent()
        for one in value:
            _write_set(slot.propertysets_value.propertyset.add(), one)
    elif item.datatype is None:
        write_untyped(slot, value)
    else:
        setattr(slot, FIELDS.get(item.datatype, ""), to_wire(value, item.datatype))


def _only(given: DataType | None, wanted: DataType) -> None:
    if given not in (None, wanted):
        raise ValueError(f"{wanted.name} written as {given!r}")


def _read_set(raw: pb.Payload.PropertySet) -> dict[str, Property]:
    if len(raw.keys) != len(raw.values):
        raise ValueError("properties: keys and values differ in number")
    return {utf8(key): _read_one(slot) for key, slot in zip(raw.keys, raw.values, strict=True)}


def _read_one(slot: pb.Payload.PropertyValue) -> Property:
    which = slot.WhichOneof("value")
    datatype = DataType(slot.type) if slot.HasField("type") else None
    if slot.is_null or which is None:
        return Property(datatype=datatype, value=None)
    if which == "extension_value":
        raise ValueError("properties: extension_value")
    return Property(datatype=datatype, value=_read_value(slot, which, datatype))


def _read_value(slot: pb.Payload.PropertyValue, which: str, datatype: DataType | None) -> PropertyContent:
    if which == "propertyset_value":
        _only(datatype, DataType.PROPERTY_SET)
        return _read_set(slot.propertyset_value)
    if which == "propertysets_value":
        _only(datatype, DataType.PROPERTY_SET_LIST)
        return tuple(_read_set(one) for one in slot.propertysets_value.propertyset)
    value: Any = getattr(slot, which)
    if which == "string_value":
        value = utf8(value)
    read: Any = value if datatype is None else from_wire(value, which, datatype)
    return read if isinstance(read, int | float | str) else str(read)
