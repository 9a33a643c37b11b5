"""What a Sparkplug payload says, as plain values (Sparkplug 3.0.0, chapter 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from protocols.sparkplug.datatype import DataType, Scalar

QUALITY_BAD: Final = 0
QUALITY_GOOD: Final = 192
QUALITY_STALE: Final = 500
QUALITY: Final = "Quality"
"""The one property key that Sparkplug names; its value is an Int32 of 0, 192 or 500."""
UNIT: Final = "engUnit"
"""The property key that hosts in the field read as the engineering unit, and that we write."""
UNITS: Final = frozenset({"engunit", "engunits", "engineering unit", "engineering units", "unit", "units", "uom"})
"""The property keys, in lower case, that nodes in the field write it under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """The value of one property key. A text, number or boolean; a PropertySet as mapping; a PropertySetList as tuple.

    `datatype` None: the message gave no type, and the value is what its field holds.
    """

    datatype: DataType | None
    value: PropertyContent | None


PropertySet: TypeAlias = Mapping[str, Property]
PropertyContent: TypeAlias = "int | float | bool | str | PropertySet | tuple[PropertySet, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A table. Each row has one cell per column: a number, a boolean, a text, or None where nothing is written."""

    columns: tuple[str, ...]
    types: tuple[DataType, ...]
    rows: tuple[tuple[int | float | bool | str | None, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a Template; the value in a definition is the default."""

    name: str
    datatype: DataType | None
    value: int | float | bool | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A definition (without `ref`) or an instance of the definition that `ref` names."""

    is_definition: bool
    ref: str | None = None
    version: str | None = None
    metrics: tuple[Metric, ...] = ()
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaData:
    """What is said about a value: name, type, size in bytes and MD5 of a file; the number of a part."""

    is_multi_part: bool | None = None
    content_type: str | None = None
    size: int | None = None
    seq: int | None = None
    file_name: str | None = None
    file_type: str | None = None
    md5: str | None = None
    description: str | None = None


Value: TypeAlias = "Scalar | tuple[Scalar, ...] | DataSet | Template"
"""What a metric can hold; arrays are tuples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One value. Births carry `name`, `alias` and `datatype`, data carries the alias only.

    Decoded without a known datatype `value` is what the field holds: a signed integer then shows as two's complement,
    an array as its packed bytes (see `payload.typed`).
    """

    name: str | None = None
    alias: int | None = None
    datatype: DataType | None = None
    value: Value | None = None
    timestamp_ms: int | None = None
    is_null: bool = False
    is_historical: bool = False
    is_transient: bool = False
    metadata: MetaData | None = None
    quality: int | None = None
    unit: str | None = None
    properties: PropertySet = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One message. `seq` is absent from NDEATH, NCMD and DCMD; `uuid` says which message of an outbox it is."""

    timestamp_ms: int | None = None
    metrics: tuple[Metric, ...] = ()
    seq: int | None = None
    uuid: str | None = None
    body: bytes | None = None
