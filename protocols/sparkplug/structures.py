"""DataSets, Template parameters and MetaData, written and read (Sparkplug 3.0.0, chapter 6)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from protocols.sparkplug import sparkplug_b_pb2 as pb
from protocols.sparkplug.datatype import FIELDS, DataType, from_wire, to_wire
from protocols.sparkplug.properties import utf8, write_untyped
from protocols.sparkplug.values import DataSet, MetaData, Parameter

BASIC: Final = frozenset(t for t in DataType if DataType.INT8 <= t <= DataType.TEXT)
"""The types of cells and parameters."""
_META: Final = tuple(item.name for item in fields(MetaData))
_Cell = int | float | bool | str


def write_dataset(raw: pb.Payload.DataSet, table: DataSet) -> None:
    """Raises ValueError for a table whose parts do not fit one another, or a cell that its type cannot hold."""
    if len(table.types) != len(table.columns):
        raise ValueError(f"{len(table.columns)} columns, {len(table.types)} types")
    raw.num_of_columns = len(table.columns)
    raw.columns.extend(table.columns)
    raw.types.extend(int(datatype) for datatype in table.types)
    for cells in table.rows:
        if len(cells) != len(table.columns):
            raise ValueError(f"{len(table.columns)} columns, {len(cells)} cells")
        row = raw.rows.add()
        for cell, datatype in zip(cells, table.types, strict=True):
            _write_basic(row.elements.add(), cell, datatype)


def read_dataset(raw: pb.Payload.DataSet) -> DataSet:
    """Raises ValueError for what `write_dataset` would not write."""
    columns = tuple(utf8(name) for name in raw.columns)
    types = tuple(_basic(number) for number in raw.types)
    if len(types) != len(columns):
        raise ValueError(f"{len(columns)} columns, {len(types)} types")
    rows = tuple(tuple(_read_row(row, types)) for row in raw.rows)
    return DataSet(columns=columns, types=types, rows=rows)


def write_parameter(raw: pb.Payload.Template.Parameter, parameter: Parameter) -> None:
    """Raises ValueError for a value that its type cannot hold."""
    raw.name = parameter.name
    if parameter.datatype is not None:
        raw.type = int(parameter.datatype)
        _write_basic(raw, parameter.value, parameter.datatype)
    elif parameter.value is not None:
        write_untyped(raw, parameter.value)


def read_parameter(raw: pb.Payload.Template.Parameter) -> Parameter:
    """Raises ValueError for a value that its type cannot hold. Without a type it is what the field holds."""
    datatype = _basic(raw.type) if raw.HasField("type") else None
    return Parameter(name=utf8(raw.name), datatype=datatype, value=_read_basic(raw, datatype))


def write_metadata(raw: pb.Payload.MetaData, metadata: MetaData) -> None:
    """Only what is there."""
    raw.SetInParent()
    for name in _META:
        value = getattr(metadata, name)
        if value is not None:
            setattr(raw, name, value)


def read_metadata(raw: pb.Payload.MetaData) -> MetaData:
    """Raises ValueError for text that is no UTF-8."""
    found: dict[str, Any] = {name: getattr(raw, name) for name in _META if raw.HasField(name)}
    read: dict[str, Any] = {name: utf8(value) if isinstance(value, bytes) else value for name, value in found.items()}
    return MetaData(**read)


def _basic(number: int) -> DataType:
    datatype = DataType(number)
    if datatype not in BASIC:
        raise ValueError(f"{datatype.name} is no basic type")
    return datatype


def _write_basic(raw: Any, value: _Cell | None, datatype: DataType) -> None:
    if datatype not in BASIC:
        raise ValueError(f"{datatype.name} is no basic type")
    if value is not None:
        setattr(raw, FIELDS[datatype], to_wire(value, datatype))


def _read_row(row: pb.Payload.DataSet.Row, types: tuple[DataType, ...]) -> list[_Cell | None]:
    if len(row.elements) != len(types):
        raise ValueError(f"{len(types)} columns, {len(row.elements)} cells")
    return [_read_basic(cell, datatype) for cell, datatype in zip(row.elements, types, strict=True)]


def _read_basic(raw: Any, datatype: DataType | None) -> _Cell | None:
    which = raw.WhichOneof("value")
    if which is None:
        return None
    if which == "extension_value":
        raise ValueError(which)
    value: Any = getattr(raw, which)
    if which == "string_value":
        value = utf8(value)
    read: Any = value if datatype is None else from_wire(value, which, datatype)
    cell: _Cell = read
    return cell
