"""Payload bytes, by hand and by chance."""

from __future__ import annotations

import math
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.sparkplug import sparkplug_b_pb2 as pb
from protocols.sparkplug.datatype import SIGNED, UNSIGNED, DataType, Scalar
from protocols.sparkplug.payload import Metric, Payload, decode, decode_raw, encode, typed

EXAMPLE = bytes.fromhex(
    "08 eaf2f5a8a02b"  # timestamp = 1486144502122
    "12 1c"  # metrics[0], 28 bytes
    "0a 09 4d79204d6574726963"  # name = "My Metric"
    "10 01"  # alias = 1
    "18 a2828395862b"  # timestamp = 1479123452194
    "20 0c"  # datatype = 12, String
    "7a 04 54657374"  # string_value = "Test"
    "18 02"  # seq = 2
)


def test_example_of_the_specification() -> None:
    """Chapter 6, "Payload Metric Naming Convention", the payload with values."""
    metric = Metric(name="My Metric", alias=1, timestamp_ms=1479123452194, datatype=DataType.STRING, value="Test")
    payload = Payload(timestamp_ms=1486144502122, metrics=(metric,), seq=2)
    assert encode(payload) == EXAMPLE
    assert decode(EXAMPLE) == payload


def test_data_carries_the_alias_only() -> None:
    """tck-id-payloads-alias-data-cmd-requirement, tck-id-payloads-metric-datatype-not-req."""
    metric = Metric(name="a", alias=300, timestamp_ms=1, datatype=DataType.INT32, value=-2, is_historical=True)
    data = encode(Payload(timestamp_ms=1, metrics=(metric,), seq=0, uuid="u"), brief=True)
    assert data == bytes.fromhex("08 01 12 0d 10 ac02 18 01 28 01 50 feffffff0f 18 00 22 01 75")


def test_name_stays_where_there_is_no_alias() -> None:
    """tck-id-payloads-name-requirement."""
    data = encode(Payload(metrics=(Metric(name="a", datatype=DataType.BOOLEAN, value=True),)), brief=True)
    assert data == bytes.fromhex("12 05 0a 01 61 70 01")


@pytest.mark.parametrize(
    ("datatype", "value", "field"),
    [
        (DataType.INT8, -23, "50 e901"),  # 0xe9, as in the specification's Int8Array example
        (DataType.INT16, -30000, "50 d09502"),  # 0x8ad0
        (DataType.INT32, -1, "50 ffffffff0f"),
        (DataType.INT64, -1, "58 ffffffffffffffffff01"),
        (DataType.UINT8, 255, "50 ff01"),
        (DataType.UINT32, 4294967295, "50 ffffffff0f"),
        (DataType.UINT64, 18446744073709551615, "58 ffffffffffffffffff01"),
        (DataType.FLOAT, 1.5, "65 0000c03f"),
        (DataType.DOUBLE, -2.0, "69 00000000000000c0"),
        (DataType.BOOLEAN, False, "70 00"),
        (DataType.STRING, "桃", "7a 03 e6a183"),
        (DataType.TEXT, "", "7a 00"),
        (DataType.UUID, "x", "7a 01 78"),
        (DataType.DATETIME, 1486144502122, "58 eaf2f5a8a02b"),
        (DataType.BYTES, b"\x00\xff", "8201 02 00ff"),
        (DataType.FILE, b"", "8201 00"),
        (DataType.INT16_ARRAY, struct.pack("<2h", -30000, 30000), "8201 04 d08a3075"),
        (DataType.INT8_ARRAY, struct.pack("<2b", -23, 123), "8201 02 e97b"),
    ],
)
def test_bytes_of_each_type(datatype: DataType, value: Scalar, field: str) -> None:
    """Chapter 6, "Datatype Details" (whose Int8 example says 0xEF for -23; -23 is 0xE9)."""
    body = bytes([0x20, datatype]) + bytes.fromhex(field)
    data = b"\x12" + bytes([len(body)]) + body
    assert encode(Payload(metrics=(Metric(datatype=datatype, value=value),))) == data
    assert decode(data).metrics[0] == Metric(datatype=datatype, value=value)


@pytest.mark.parametrize("datatype", [DataType.DATASET, DataType.TEMPLATE])
def test_datasets_and_templates_pass_as_bytes(datatype: DataType) -> None:
    dataset = pb.Payload.DataSet(num_of_columns=1, columns=["a"], types=[3])
    template = pb.Payload.Template(version="1", is_definition=True)
    inner = dataset if datatype is DataType.DATASET else template
    metric = Metric(name="t", datatype=datatype, value=inner.SerializeToString())
    assert decode(encode(Payload(metrics=(metric,)))).metrics == (metric,)
    empty = Metric(name="t", datatype=datatype, value=b"")
    assert decode(encode(Payload(metrics=(empty,)))).metrics == (empty,)


def test_quality_is_an_int32_property() -> None:
    """tck-id-payloads-propertyset-quality-value-type, tck-id-payloads-propertyset-quality-value-value."""
    metric = Metric(
        name="a", datatype=DataType.DOUBLE, value=1.0, quality=500, unit="°C", properties={"Time": "estimated"}
    )
    raw = decode_raw(encode(Payload(metrics=(metric,)))).metrics[0]
    assert list(raw.properties.keys) == ["Quality", "engUnit", "Time"]
    assert (raw.properties.values[0].type, raw.properties.values[0].int_value) == (3, 500)
    assert decode(encode(Payload(metrics=(metric,)))).metrics[0] == metric


def test_null_has_a_flag_and_no_value() -> None:
    """tck-id-operational-behavior-data-publish-nbirth-values."""
    raw = decode_raw(encode(Payload(metrics=(Metric(name="a", datatype=DataType.INT64),)))).metrics[0]
    assert raw.is_null
    assert raw.WhichOneof("value") is None
    assert decode(encode(Payload(metrics=(Metric(name="a", datatype=DataType.INT64),)))).metrics[0].is_null


@pytest.mark.parametrize(
    ("datatype", "field", "value", "meaning"),
    [
        (DataType.INT8, "int_value", 0xFFFF_FFFF, -1),  # sign extended to 32 bits, as the reference writes it
        (DataType.INT32, "long_value", 0xFFFF_FFFF_FFFF_FFFE, -2),  # in the wide field
        (DataType.INT64, "int_value", 7, 7),
        (DataType.UINT32, "long_value", 4294967295, 4294967295),
        (DataType.DOUBLE, "float_value", 1.5, 1.5),
        (DataType.DOUBLE, "int_value", 3, 3.0),
        (DataType.BOOLEAN, "int_value", 1, True),
    ],
)
def test_other_writers_are_understood(datatype: DataType, field: str, value: float, meaning: Scalar) -> None:
    raw = pb.Payload()
    metric = raw.metrics.add(datatype=datatype)
    setattr(metric, field, value)
    found = decode(raw.SerializeToString()).metrics[0].value
    assert (found, type(found)) == (meaning, type(meaning))


@pytest.mark.parametrize(
    ("datatype", "field", "value"),
    [
        (DataType.INT8, "int_value", 300),
        (DataType.UINT8, "int_value", 256),
        (DataType.INT32, "string_value", "1"),
        (DataType.STRING, "int_value", 1),
        (DataType.BOOLEAN, "int_value", 2),
        (DataType.DOUBLE, "string_value", "1.0"),
    ],
)
def test_value_that_its_type_cannot_be(datatype: DataType, field: str, value: int | str) -> None:
    raw = pb.Payload()
    raw.metrics.add(name="good", datatype=DataType.BOOLEAN, boolean_value=True)
    setattr(raw.metrics.add(datatype=datatype), field, value)
    with pytest.raises(ProtocolError) as caught:
        decode(raw.SerializeToString())
    assert caught.value.params["at"] == "metrics[1]"


@pytest.mark.parametrize(
    "metric",
    [
        Metric(name="a", datatype=DataType.INT8, value=128),
        Metric(name="a", datatype=DataType.UINT16, value=-1),
        Metric(name="a", datatype=DataType.INT32, value=True),
        Metric(name="a", datatype=DataType.INT32, value=1.0),
        Metric(name="a", datatype=DataType.FLOAT, value=1e39),
        Metric(name="a", datatype=DataType.BOOLEAN, value=1),
        Metric(name="a", datatype=DataType.STRING, value=b"x"),
        Metric(name="a", datatype=DataType.STRING, value="\ud800"),
        Metric(name="a", datatype=DataType.UNKNOWN, value=1),
        Metric(name="a", datatype=DataType.DATASET, value=b"\xff"),
        Metric(name="a", value=1),
        Metric(name="a", alias=-1, datatype=DataType.INT32, value=1),
        Metric(name="a", alias=1 << 64, datatype=DataType.INT32, value=1),
    ],
)
def test_what_cannot_be_written(metric: Metric) -> None:
    with pytest.raises(ProtocolError, match="metrics\\[0\\] a"):
        encode(Payload(metrics=(metric,)))


def test_text_that_is_not_utf8() -> None:
    for data in (b"\x22\x02\xff\xfe", b"\x12\x04\x0a\x02\xff\xfe", b"\x12\x05\x20\x0c\x7a\x01\xff"):
        with pytest.raises(ProtocolError):
            decode(data)


def test_typed_by_the_birth() -> None:
    (metric,) = decode(
        encode(Payload(metrics=(Metric(alias=9, datatype=DataType.INT16, value=-5),)), brief=True)
    ).metrics
    assert metric.value == 0xFFFB
    assert typed(metric, name="t", datatype=DataType.INT16).value == -5
    assert typed(metric, name="t", datatype=DataType.UINT16).value == 0xFFFB
    with pytest.raises(ProtocolError):
        typed(metric, name="t", datatype=DataType.STRING)
    with pytest.raises(ProtocolError):
        typed(metric, name="t", datatype=DataType.INT8)


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
        return st.text(st.characters(codec="utf-8"), max_size=20)
    return st.binary(max_size=20)


_TYPES = [
    datatype
    for datatype in DataType
    if datatype
    not in (DataType.UNKNOWN, DataType.DATASET, DataType.TEMPLATE, DataType.PROPERTY_SET, DataType.PROPERTY_SET_LIST)
]
_U64 = st.integers(0, (1 << 64) - 1)
_METRICS = st.sampled_from(_TYPES).flatmap(
    lambda datatype: st.builds(
        Metric,
        name=st.none() | st.text(st.characters(codec="utf-8"), max_size=10),
        alias=st.none() | _U64,
        datatype=st.just(datatype),
        value=_values(datatype),
        timestamp_ms=st.none() | _U64,
        is_historical=st.booleans(),
        is_transient=st.booleans(),
        quality=st.sampled_from([None, 0, 192, 500]),
        unit=st.sampled_from([None, "kWh"]),
        properties=st.dictionaries(
            st.sampled_from(["a", "b", "c"]),
            st.none()
            | st.integers(-(1 << 63), (1 << 63) - 1)
            | st.booleans()
            | st.floats(allow_nan=False)
            | st.text(max_size=4),
            max_size=3,
        ),
    )
)
_PAYLOADS = st.builds(
    Payload,
    timestamp_ms=st.none() | _U64,
    metrics=st.lists(_METRICS, max_size=5).map(tuple),
    seq=st.none() | st.integers(0, 255),
    uuid=st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
    body=st.none() | st.binary(max_size=8),
)


@given(_PAYLOADS)
def test_round_trip(payload: Payload) -> None:
    assert decode(encode(payload)) == payload


def test_nan_survives() -> None:
    value = decode(encode(Payload(metrics=(Metric(datatype=DataType.DOUBLE, value=math.nan),)))).metrics[0].value
    assert isinstance(value, float)
    assert math.isnan(value)


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_protocol_error(data: bytes) -> None:
    with suppress(ProtocolError):
        decode(data)


@given(_PAYLOADS, st.data())
def test_damaged_payload_raises_nothing_but_protocol_error(payload: Payload, data: st.DataObject) -> None:
    good = bytearray(encode(payload))
    for _ in range(3):
        if good:
            good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        decode(bytes(good))
