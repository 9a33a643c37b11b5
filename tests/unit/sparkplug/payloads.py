"""Payloads by chance: everything that the schema can say, as strategies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from protocols.sparkplug.arrays import ARRAYS
from protocols.sparkplug.datatype import FIELDS, SIGNED, UNSIGNED, DataType, Scalar
from protocols.sparkplug.payload import DataSet, MetaData, Metric, Parameter, Payload, Property, Template, Value
from protocols.sparkplug.structures import BASIC


def _values(datatype: DataType) -> st.SearchStrategy[Scalar]:
    if datatype in SIGNED:
        return st.integers(-(1 << SIGNED[datatype] - 1), (1 << SIGNED[datatype] - 1) - 1)
    if datatype in UNSIGNED:
        return st.integers(0, (1 << UNSIGNED[datatype]) - 1)
    if datatype in (DataType.FLOAT, DataType.DOUBLE):
        return st.floats(width=32 if datatype is DataType.FLOAT else 64, allow_nan=False)
    if datatype is DataType.BOOLEAN:
        return st.booleans()
    if datatype in (DataType.STRING, DataType.TEXT, DataType.UUID):
        return _SHORT
    return st.binary(max_size=20)


def _elements(datatype: DataType) -> st.SearchStrategy[Scalar]:
    element = DataType[datatype.name.removesuffix("_ARRAY")]
    if element is DataType.STRING:
        return st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
    return _values(element)


def _metrics(value_of: Callable[[DataType], st.SearchStrategy[Value]], types: Sequence[DataType]) -> Any:
    return st.sampled_from(types).flatmap(
        lambda datatype: st.builds(
            _metric,
            name=st.none() | _SHORT,
            alias=st.none() | _U64,
            datatype=st.just(datatype),
            value=st.none() | value_of(datatype),
            timestamp_ms=st.none() | _U64,
            is_historical=st.booleans(),
            is_transient=st.booleans(),
            metadata=st.none() | _METADATA,
            quality=st.sampled_from([None, 0, 192, 500]),
            unit=st.sampled_from([None, "kWh"]),
            properties=_PROPERTY_SETS,
        )
    )


def _metric(**fields: Any) -> Metric:
    return Metric(is_null=fields["value"] is None, **fields)


_SHORT: st.SearchStrategy[str] = st.text(st.characters(codec="utf-8"), max_size=8)
_U64 = st.integers(0, (1 << 64) - 1)
_BASIC = sorted(BASIC)
_PLAIN = [t for t in DataType if t in FIELDS and t not in ARRAYS and t not in (DataType.DATASET, DataType.TEMPLATE)]
_METADATA = st.builds(
    MetaData,
    is_multi_part=st.none() | st.booleans(),
    content_type=st.none() | _SHORT,
    size=st.none() | _U64,
    seq=st.none() | _U64,
    file_name=st.none() | _SHORT,
    md5=st.none() | _SHORT,
)
_TYPED = st.sampled_from(_BASIC).flatmap(
    lambda datatype: st.builds(Property, datatype=st.just(datatype), value=st.none() | _values(datatype))
)
_UNTYPED = st.builds(
    Property, datatype=st.none(), value=st.booleans() | _U64 | st.floats(allow_nan=False) | _SHORT | st.none()
)
_PROPERTY_SETS = st.recursive(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), _TYPED | _UNTYPED, max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from(["a", "b"]),
        st.builds(Property, datatype=st.just(DataType.PROPERTY_SET), value=inner)
        | st.builds(
            Property, datatype=st.just(DataType.PROPERTY_SET_LIST), value=st.lists(inner, max_size=2).map(tuple)
        ),
        max_size=2,
    ),
    max_leaves=3,
)
_PARAMETERS = st.sampled_from(_BASIC).flatmap(
    lambda datatype: st.builds(Parameter, name=_SHORT, datatype=st.just(datatype), value=st.none() | _values(datatype))
)
_TABLES = st.lists(st.sampled_from(_BASIC), max_size=3).flatmap(
    lambda types: st.builds(
        DataSet,
        columns=st.tuples(*(_SHORT for _ in types)),
        types=st.just(tuple(types)),
        rows=st.lists(st.tuples(*(st.none() | _values(one) for one in types)), max_size=3).map(tuple),
    )
)
_TEMPLATES = st.recursive(
    st.builds(Template, is_definition=st.booleans(), ref=st.none() | _SHORT, version=st.none() | _SHORT),
    lambda inner: st.builds(
        Template,
        is_definition=st.booleans(),
        metrics=st.lists(_metrics(_values, _PLAIN) | _metrics(lambda _: inner, [DataType.TEMPLATE]), max_size=3).map(
            tuple
        ),
        parameters=st.lists(_PARAMETERS, max_size=2).map(tuple),
    ),
    max_leaves=3,
)
_METRICS = (
    _metrics(_values, _PLAIN)
    | _metrics(lambda datatype: st.lists(_elements(datatype), max_size=9).map(tuple), sorted(ARRAYS))
    | _metrics(lambda _: _TABLES, [DataType.DATASET])
    | _metrics(lambda _: _TEMPLATES, [DataType.TEMPLATE])
)
PAYLOADS = st.builds(
    Payload,
    timestamp_ms=st.none() | _U64,
    metrics=st.lists(_METRICS, max_size=5).map(tuple),
    seq=st.none() | st.integers(0, 255),
    uuid=st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
    body=st.none() | st.binary(max_size=8),
)
