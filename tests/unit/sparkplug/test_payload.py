"""Payload bytes, by hand and by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from protocols.errors import ProtocolError
from protocols.sparkplug import sparkplug_b_pb2 as pb
from protocols.sparkplug.datatype import DataType, Scalar
from protocols.sparkplug.payload import (
    DataSet,
    Metric,
    Parameter,
    Payload,
    Property,
    Template,
    Value,
    decode,
    decode_raw,
    encode,
    typed,
)

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
        (DataType.INT8_ARRAY, (-23, 123), "8201 02 e97b"),
        (DataType.INT16_ARRAY, (-30000, 30000), "8201 04 d08a3075"),
        (DataType.INT32_ARRAY, (-1, 315338746), "8201 08 ffffffff faafcb12"),
        (
            DataType.INT64_ARRAY,
            (-4270929666821191986, -3601064768563266876),
            "8201 10 ce0672ac189cbac4 c4ba9c18ac7206ce",
        ),
        (DataType.UINT8_ARRAY, (23, 250), "8201 02 17fa"),
        (DataType.UINT16_ARRAY, (30, 52360), "8201 04 1e0088cc"),
        (DataType.UINT32_ARRAY, (52, 3293969225), "8201 08 34000000 49fb55c4"),
        (DataType.UINT64_ARRAY, (52, 16444743074749521625), "8201 10 3400000000000000 d99e02d1b27637e4"),
        (DataType.FLOAT_ARRAY, (1.5, -2.0), "8201 08 0000c03f 000000c0"),
        (DataType.DOUBLE_ARRAY, (1.5,), "8201 08 000000000000f83f"),
        (
            DataType.BOOLEAN_ARRAY,
            (False, False, True, True, False, True, False, False, True, True, False, True),
            "8201 06 0c000000 34d0",
        ),
        (DataType.STRING_ARRAY, ("ABC", "hello"), "8201 0a 41424300 68656c6c6f00"),
        (DataType.DATETIME_ARRAY, (1256102875335, 1656107875000), "8201 10 c7d0907524010000 b8bab89781010000"),
        (DataType.INT8_ARRAY, (), "8201 00"),
        (DataType.STRING_ARRAY, ("",), "8201 01 00"),
    ],
)
def test_bytes_of_each_type(datatype: DataType, value: Value, field: str) -> None:
    """Chapter 6, "Datatype Details": its examples, but for those that its own text contradicts (see `arrays`)."""
    body = bytes([0x20, datatype]) + bytes.fromhex(field)
    data = b"\x12" + bytes([len(body)]) + body
    assert encode(Payload(metrics=(Metric(datatype=datatype, value=value),))) == data
    assert decode(data).metrics[0] == Metric(datatype=datatype, value=value)


def test_arrays_that_are_none() -> None:
    for datatype, data in (
        (DataType.INT16_ARRAY, b"\x00"),
        (DataType.BOOLEAN_ARRAY, b"\x00\x00\x00"),
        (DataType.BOOLEAN_ARRAY, b"\x09\x00\x00\x00\xff"),
        (DataType.BOOLEAN_ARRAY, b"\xff\xff\xff\xff\xff"),
        (DataType.STRING_ARRAY, b"\xff\x00"),
    ):
        raw = pb.Payload()
        raw.metrics.add(datatype=int(datatype), bytes_value=data)
        with pytest.raises(ProtocolError):
            decode(raw.SerializeToString())


def test_a_last_text_without_its_zero_byte_is_read() -> None:
    raw = pb.Payload()
    raw.metrics.add(datatype=int(DataType.STRING_ARRAY), bytes_value=b"a\x00b")
    assert decode(raw.SerializeToString()).metrics[0].value == ("a", "b")


TABLE = DataSet(columns=("at", "who"), types=(DataType.INT16, DataType.STRING), rows=((-2, "x"), (None, None), (3, "")))
PUMP = Template(
    is_definition=False,
    ref="Pump",
    version="1",
    metrics=(
        Metric(name="Speed", datatype=DataType.INT8, value=-1, quality=0),
        Metric(name="Log", datatype=DataType.DATASET, value=TABLE),
        Metric(name="Part", datatype=DataType.TEMPLATE, value=Template(is_definition=True)),
    ),
    parameters=(
        Parameter(name="Size", datatype=DataType.INT32, value=-9),
        Parameter(name="Kind", datatype=DataType.STRING),
    ),
)


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        (DataType.DATASET, TABLE),
        (DataType.DATASET, DataSet(columns=(), types=())),
        (DataType.TEMPLATE, PUMP),
        (DataType.TEMPLATE, Template(is_definition=True)),
    ],
)
def test_datasets_and_templates(datatype: DataType, value: Value) -> None:
    metric = Metric(name="t", datatype=datatype, value=value)
    assert decode(encode(Payload(metrics=(metric,)))).metrics == (metric,)
    by_alias = Metric(alias=2, datatype=datatype, value=value)
    (found,) = decode(encode(Payload(metrics=(by_alias,)), brief=True)).metrics
    assert typed(found, name="t", datatype=datatype).value == value
    with pytest.raises(ProtocolError):
        typed(found, name="t", datatype=DataType.BYTES)


def test_a_dataset_on_the_wire() -> None:
    """tck-id-payloads-dataset-column-size, tck-id-payloads-dataset-types-num."""
    raw = decode_raw(encode(Payload(metrics=(Metric(name="t", datatype=DataType.DATASET, value=TABLE),))))
    said = raw.metrics[0].dataset_value
    assert (said.num_of_columns, list(said.columns), list(said.types)) == (2, ["at", "who"], [2, 12])
    assert said.rows[0].elements[0].int_value == 0xFFFE
    assert said.rows[1].elements[0].WhichOneof("value") is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda said: said.types.pop(),
        lambda said: said.rows[0].elements.pop(),
        lambda said: setattr(said.rows[0].elements[0], "string_value", "x"),
        lambda said: said.rows[0].elements[0].extension_value.SetInParent(),
        lambda said: said.types.__setitem__(0, int(DataType.DATASET)),
        lambda said: said.types.__setitem__(0, 99),
    ],
)
def test_a_dataset_that_is_none(spoil: Callable[[pb.Payload.DataSet], object]) -> None:
    raw = decode_raw(encode(Payload(metrics=(Metric(name="t", datatype=DataType.DATASET, value=TABLE),))))
    spoil(raw.metrics[0].dataset_value)
    with pytest.raises(ProtocolError):
        decode(raw.SerializeToString())


def test_a_parameter_without_a_type_is_what_its_field_holds() -> None:
    parameters = tuple(Parameter(name="p", datatype=None, value=value) for value in (True, 7, 1.5, "x"))
    metric = Metric(name="t", datatype=DataType.TEMPLATE, value=Template(is_definition=False, parameters=parameters))
    assert decode(encode(Payload(metrics=(metric,)))).metrics == (metric,)


TEXT = Property(datatype=DataType.STRING, value="estimated")


def test_quality_is_an_int32_property() -> None:
    """tck-id-payloads-propertyset-quality-value-type, tck-id-payloads-propertyset-quality-value-value."""
    metric = Metric(name="a", datatype=DataType.DOUBLE, value=1.0, quality=500, unit="°C", properties={"Time": TEXT})
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
        Metric(name="a", datatype=DataType.DOUBLE, value=1 << 2000),
        Metric(name="a", datatype=DataType.DATASET, value=b"\xff"),
        Metric(name="a", datatype=DataType.DATASET, value=PUMP),
        Metric(name="a", datatype=DataType.TEMPLATE, value=TABLE),
        Metric(name="a", datatype=DataType.DATASET, value=replace(TABLE, types=())),
        Metric(name="a", datatype=DataType.DATASET, value=replace(TABLE, rows=((1,),))),
        Metric(name="a", datatype=DataType.DATASET, value=replace(TABLE, types=(DataType.INT8, DataType.BYTES))),
        Metric(name="a", datatype=DataType.INT8_ARRAY, value=b"\x01"),
        Metric(name="a", datatype=DataType.INT8_ARRAY, value=(128,)),
        Metric(name="a", datatype=DataType.INT8_ARRAY, value=(True,)),
        Metric(name="a", datatype=DataType.INT8_ARRAY, value=(1.0,)),
        Metric(name="a", datatype=DataType.FLOAT_ARRAY, value=(1e39,)),
        Metric(name="a", datatype=DataType.BOOLEAN_ARRAY, value=(1,)),
        Metric(name="a", datatype=DataType.STRING_ARRAY, value=("a\x00b",)),
        Metric(name="a", datatype=DataType.STRING, value=("a",)),
        Metric(
            name="a",
            datatype=DataType.INT8,
            value=1,
            properties={"p": Property(datatype=DataType.INT8, value=300)},
        ),
        Metric(name="a", datatype=DataType.INT8, value=1, properties={"p": Property(datatype=DataType.INT8, value={})}),
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
