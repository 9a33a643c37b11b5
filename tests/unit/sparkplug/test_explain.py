from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.delivery import Lane, MessageId
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.explain import decode_sparkplug
from protocols.sparkplug.payload import Metric, Payload, encode


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
