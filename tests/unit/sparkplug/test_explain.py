from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.delivery import Lane, MessageId
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.explain import decode_sparkplug
from protocols.sparkplug.payload import DataSet, MetaData, Metric, Parameter, Payload, Property, Template, encode


def test_payload() -> None:
    message = MessageId(epoch=UUID(int=1), lane=Lane.BULK, first=3, last=4)
    metric = Metric(
        name="Temp",
        alias=7,
        datatype=DataType.INT16,
        value=-20,
        timestamp_ms=0,
        quality=500,
        unit="°C",
        is_historical=True,
    )
    said = decode_sparkplug(encode(Payload(timestamp_ms=1486144502122, seq=2, uuid=str(message), metrics=(metric,))))
    assert (said["kind"], said["ok"], said["findings"]) == ("sparkplug", True, [])
    (frame,) = said["frames"]
    assert (frame["seq"], frame["time"]) == (2, "2017-02-03T17:55:02.122+00:00")
    assert frame["delivery"] == {"epoch": str(UUID(int=1)), "lane": "bulk", "first": 3, "last": 4}
    (found,) = frame["metrics"]
    assert found["raw"] == {"field": "int_value", "value": 65516}
    assert (found["value"], found["datatype"], found["quality"], found["unit"]) == (-20, "INT16", "stale", "°C")


def test_state() -> None:
    said = decode_sparkplug(b'{"online":true,"timestamp":0}')
    assert said["ok"]
    assert said["frames"] == [
        {"type": "STATE", "online": True, "timestamp": 0, "time": "1970-01-01T00:00:00.000+00:00"}
    ]


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"hello", b'{"online":1}', b"\x58\x01"])
def test_nothing_recognised(data: bytes) -> None:
    said = decode_sparkplug(data)
    assert (said["ok"], said["frames"]) == (False, [])
    assert said["findings"][0]["level"] == "error"
    assert said["findings"][0]["what"]


def test_one_bad_metric_does_not_hide_the_others() -> None:
    good = Metric(name="a", datatype=DataType.DOUBLE, value=float("nan"))
    data = encode(Payload(seq=300, metrics=(good, good))) + bytes.fromhex("12 05 20 01 50 ac02 12 00")
    said = decode_sparkplug(data)
    assert not said["ok"]
    assert [(finding["at"], finding["code"]) for finding in said["findings"]] == [
        ("seq", "bad-seq"),
        ("metrics[2]", "bad-metric"),
        ("metrics[2]", "nameless"),
        ("metrics[3]", "nameless"),
    ]
    assert [metric["value"] for metric in said["frames"][0]["metrics"]] == ["nan", "nan", None, None]
    assert said["frames"][0]["metrics"][2]["raw"] == {"field": "int_value", "value": 300}
    json.dumps(said, allow_nan=False)


def test_quality_that_cannot_be() -> None:
    """tck-id-payloads-propertyset-quality-value-value."""
    data = encode(Payload(seq=0, metrics=(Metric(name="a", datatype=DataType.INT8, value=1, quality=7),)))
    assert [finding["code"] for finding in decode_sparkplug(data)["findings"]] == ["bad-quality"]


def test_unknown_fields_are_a_warning() -> None:
    said = decode_sparkplug(b"\x18\x01\x58\x01")
    assert said["ok"]
    assert [finding["code"] for finding in said["findings"]] == ["unknown-fields"]


@given(st.binary(max_size=200))
def test_any_bytes_give_one_json_document(data: bytes) -> None:
    json.dumps(decode_sparkplug(data), allow_nan=False)


def test_everything_that_a_metric_can_say() -> None:
    cells = DataSet(columns=("a",), types=(DataType.DOUBLE,), rows=((float("inf"),),))
    template = Template(
        is_definition=False,
        ref="Pump",
        metrics=(Metric(name="Log", datatype=DataType.DATASET, value=cells),),
        parameters=(Parameter(name="Size", datatype=DataType.INT8, value=-1),),
    )
    tag = Property(datatype=DataType.STRING, value="x")
    inner = Property(datatype=DataType.PROPERTY_SET_LIST, value=({"tag": tag},))
    metrics = (
        Metric(name="t", datatype=DataType.TEMPLATE, value=template, properties={"inner": inner}),
        Metric(name="b", datatype=DataType.BOOLEAN_ARRAY, value=(True, False), is_transient=True),
        Metric(name="f", datatype=DataType.FILE, value=b"\x01", metadata=MetaData(is_multi_part=True, seq=2, md5="00")),
    )
    said = decode_sparkplug(encode(Payload(seq=0, metrics=metrics)))
    assert said["ok"]
    first, second, third = said["frames"][0]["metrics"]
    assert first["value"] == {
        "definition": False,
        "ref": "Pump",
        "version": None,
        "metrics": [
            {
                "name": "Log",
                "type": "DATASET",
                "value": {"columns": ["a"], "types": ["DOUBLE"], "rows": [["inf"]]},
            }
        ],
        "parameters": [{"name": "Size", "type": "INT8", "value": -1}],
    }
    assert first["properties"] == {
        "inner": {"type": "PROPERTY_SET_LIST", "value": [{"tag": {"type": "STRING", "value": "x"}}]}
    }
    assert (second["value"], second["is_transient"]) == ([True, False], True)
    assert (third["value"], third["metadata"]) == ("01", {"is_multi_part": True, "seq": 2, "md5": "00"})
