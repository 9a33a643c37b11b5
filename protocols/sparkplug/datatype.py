"""Sparkplug data types, and how their values travel (Sparkplug 3.0.0, chapter 6, "Datatype Details").

Signed integers travel as two's complement of their own width in an unsigned field. Writers differ (some extend the sign
to 32 or 64 bits, some put a UInt32 into the 64-bit field), so reading accepts every integer field and either form.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

Scalar = int | float | bool | str | bytes


class DataType(IntEnum):
    """The data types by their number on the wire."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


SIGNED: Final = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
"""Signed integer types and their width in bits."""
UNSIGNED: Final = {
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
    DataType.DATETIME: 64,
}
"""Unsigned integer types and their width in bits; DateTime is milliseconds since 1970-01-01 UTC."""

_LONG = frozenset({DataType.INT64, DataType.UINT64, DataType.DATETIME})
_TEXT = frozenset({DataType.STRING, DataType.TEXT, DataType.UUID})
_BYTES = frozenset({DataType.BYTES, DataType.FILE}) | frozenset(t for t in DataType if t >= DataType.INT8_ARRAY)
_MESSAGE = {DataType.DATASET: "dataset_value", DataType.TEMPLATE: "template_value"}
_INTEGER_FIELDS = frozenset({"int_value", "long_value"})
_NUMBER_FIELDS = frozenset({"int_value", "long_value", "float_value", "double_value"})


def _fields() -> dict[DataType, str]:
    table = {t: "long_value" if t in _LONG else "int_value" for t in (*SIGNED, *UNSIGNED)}
    table |= dict.fromkeys(_TEXT, "string_value") | dict.fromkeys(_BYTES, "bytes_value") | _MESSAGE
    return table | {
        DataType.FLOAT: "float_value",
        DataType.DOUBLE: "double_value",
        DataType.BOOLEAN: "boolean_value",
    }


FIELDS: Final = _fields()
"""The value field that a metric of a type is written to."""


def to_wire(value: Scalar, datatype: DataType) -> Scalar:
    """What goes into ``FIELDS[datatype]`` for `value`; an array goes in as its packed bytes (see `arrays`).

    Raises ValueError for a value that the type cannot hold (range, kind of value, or a type without values of its own).
    """
    if datatype not in FIELDS:
        raise ValueError(datatype.name)
    if bits := SIGNED.get(datatype) or UNSIGNED.get(datatype):
        return _integer_to_wire(value, bits, signed=datatype in SIGNED)
    if datatype is DataType.BOOLEAN and isinstance(value, bool):
        return value
    if datatype in (DataType.FLOAT, DataType.DOUBLE) and isinstance(value, int | float) and not isinstance(value, bool):
        return _float_to_wire(value, datatype)
    if isinstance(value, str) and datatype in _TEXT:
        value.encode("utf-8")
        return value
    if isinstance(value, bytes) and datatype in _BYTES:
        return value
    raise ValueError(value)


def _float_to_wire(value: float, datatype: DataType) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(value) from error
    if datatype is DataType.FLOAT and math.isfinite(number) and abs(number) >= 2.0**128:
        raise ValueError(value)
    return number


def _integer_to_wire(value: Scalar, bits: int, *, signed: bool) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(value)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise ValueError(value)
    return value & ((1 << bits) - 1)


def from_wire(value: Scalar, field: str, datatype: DataType) -> Scalar:
    """The value of type `datatype` that `field` of the message carries as `value`.

    Raises ValueError when the field cannot carry that type or the number is outside of its range.
    """
    if datatype in SIGNED or datatype in UNSIGNED:
        if field not in _INTEGER_FIELDS or not isinstance(value, int):
            raise ValueError(field)
        return _signed(value, SIGNED[datatype]) if datatype in SIGNED else _unsigned(value, UNSIGNED[datatype])
    if datatype in (DataType.FLOAT, DataType.DOUBLE):
        if field not in _NUMBER_FIELDS or not isinstance(value, int | float):
            raise ValueError(field)
        return float(value)
    if datatype is DataType.BOOLEAN and field in _INTEGER_FIELDS and value in (0, 1):
        return bool(value)
    if FIELDS.get(datatype) == field:
        return value
    raise ValueError(field)


def _signed(value: int, bits: int) -> int:
    low = value & ((1 << bits) - 1)
    number = low - (1 << bits) if low >> (bits - 1) else low
    if value not in (low, number & 0xFFFF_FFFF, number & 0xFFFF_FFFF_FFFF_FFFF):
        raise ValueError(value)
    return number


def _unsigned(value: int, bits: int) -> int:
    if value >> bits:
        raise ValueError(value)
    return value
