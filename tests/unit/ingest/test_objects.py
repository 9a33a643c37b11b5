"""What has no place as a number becomes an event; no payload makes the decoder fail."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings

from cloud.ingest.channels import Channels, Kind, new_channel
from cloud.ingest.decode import BAD_VALUE, decode
from cloud.ingest.objects import MOST_READ, OBJECT_EVENT
from protocols.events import MAX_EVENT_BYTES
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import birth_metrics
from protocols.sparkplug.payload import (
    DataSet,
    MetaData,
    Metric,
    Payload,
    Property,
    RawPayload,
    Template,
    Value,
    decode_raw,
    encode,
)
from protocols.sparkplug.plain import fingerprint
from tests.unit.ingest.test_decode import NODE, RECEIVED, T0, message, table
from tests.unit.sparkplug.payloads import PAYLOADS

TABLE = DataSet(columns=("a",), types=(DataType.INT8,), rows=((-1,),))
PUMP = Template(is_definition=False, ref="Pump", metrics=(Metric(name="s", datatype=DataType.INT8, value=-1),))


def told(metric: Metric) -> dict[str, Any]:
    """The data of the one event that a value of `metric` becomes."""
    columns = decode(message(metric), table(metric), RECEIVED)
    assert (columns.channel, columns.texts, columns.faults) == ([], [], [])
    (event,) = columns.events
    assert (event.kind, event.device, event.at_ms) == (OBJECT_EVENT, "d", T0)
    data: dict[str, Any] = json.loads(json.dumps(event.data, allow_nan=False))
    return data


@pytest.mark.parametrize(
    ("datatype", "value", "said"),
    [
        (DataType.INT16_ARRAY, (-1, 2), [-1, 2]),
        (DataType.BOOLEAN_ARRAY, (True,), [True]),
        (DataType.STRING_ARRAY, ("a\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),), ["a😀"]),
        (DataType.DOUBLE_ARRAY, (float("inf"),), ["inf"]),
        (DataType.DATASET, TABLE, {"columns": ["a"], "types": ["INT8"], "rows": [[-1]]}),
        (
            DataType.TEMPLATE,
            PUMP,
            {
                "definition": False,
                "ref": "Pump",
                "version": None,
                "metrics": [{"name": "s", "type": "INT8", "value": -1}],
                "parameters": [],
            },
        ),
        (
            DataType.FILE,
            bytes(100),
            {"size": 100, "sha256": hashlib.sha256(bytes(100)).hexdigest(), "head": bytes(64).hex()},
        ),
        (DataType.BYTES, None, None),
    ],
)
def test_each_kind(datatype: DataType, value: Value | None, said: Any) -> None:
    metric = Metric(name="m", alias=2, datatype=datatype, value=value, timestamp_ms=T0)
    assert told(metric) == {"metric": "m", "type": datatype.name, "value": said}


def test_what_is_said_beside_the_value() -> None:
    metric = Metric(
        name="m",
        alias=2,
        datatype=DataType.FILE,
        value=b"x",
        timestamp_ms=T0,
        quality=500,
        unit="By",
        is_historical=True,
        is_transient=True,
        metadata=MetaData(is_multi_part=True, seq=3, file_name="a.bin"),
        properties={"p": Property(datatype=DataType.INT8, value=-1)},
    )
    assert told(metric) == {
        "metric": "m",
        "type": "FILE",
        "value": fingerprint(b"x"),
        "quality": 64,
        "unit": "By",
        "historical": True,
        "transient": True,
        "metadata": {"is_multi_part": True, "seq": 3, "file_name": "a.bin"},
        "properties": {"p": {"type": "INT8", "value": -1}},
    }


def test_what_is_too_long_says_so() -> None:
    metric = Metric(name="m", alias=2, datatype=DataType.UINT64_ARRAY, value=(1 << 63,) * 10_000, timestamp_ms=T0)
    data = told(metric)
    sent = message(metric).metrics[0].SerializeToString()
    assert {key: data["value"][key] for key in ("size", "sha256", "head")} == fingerprint(sent)
    assert data["value"]["text"].startswith('{"metric": "m"')
    assert len(json.dumps(data)) < MAX_EVENT_BYTES


def test_a_definition_is_no_observation() -> None:
    metric = Metric(name="Pump", datatype=DataType.TEMPLATE, value=Template(is_definition=True))
    columns = decode(message(metric), table(metric), RECEIVED)
    assert (columns.events, columns.faults) == ([], [])


def test_an_array_that_is_none_is_a_fault() -> None:
    born = Metric(name="m", alias=2, datatype=DataType.INT16_ARRAY, value=())
    sent = Metric(name="m", alias=2, datatype=DataType.BYTES, value=b"\x00")
    assert [fault.code for fault in decode(message(sent), table(born), RECEIVED).faults] == [BAD_VALUE]


def test_a_type_that_nobody_knows_is_told_as_it_came() -> None:
    raw = RawPayload()
    raw.metrics.add(name="m", alias=2, datatype=99, int_value=7, timestamp=T0)
    channels = Channels()
    channels.node_born(NODE, (), RawPayload())
    explained = channels.device_born(NODE, "d", birth_metrics(raw), raw)
    (event,) = decode(raw, explained, RECEIVED).events
    assert event.data == {"metric": "m", "type": "UNKNOWN", "value": 7}


@settings(max_examples=40)
@given(PAYLOADS)
def test_each_value_is_a_reading_an_event_or_a_fault(payload: Payload) -> None:
    raw = decode_raw(encode(payload))
    columns = decode(raw, Channels().unborn(NODE, "")[1], RECEIVED)
    definitions = sum(metric.template_value.is_definition for metric in raw.metrics)
    found = len(columns.channel) + len(columns.texts) + len(columns.events) + len(columns.faults)
    station = Channels().station(NODE, "")
    elsewhere = sum(new_channel(station, one.name or "", DataType.INT8).kind is Kind.NONE for one in payload.metrics)
    assert found + definitions + elsewhere >= len(payload.metrics)
    for event in columns.events:
        json.dumps(event.data, allow_nan=False).encode()


def test_what_is_far_too_long_is_told_unread() -> None:
    """Eight truth values fit into a byte: read, they would take a thousand times as much."""
    many = Metric(name="m", datatype=DataType.BOOLEAN_ARRAY, value=(True,) * (8 * MOST_READ), timestamp_ms=T0)
    value = told(many)["value"]
    assert value["size"] > MOST_READ
    assert "text" not in value
    content = b"x" * (2 * MOST_READ)
    assert told(Metric(name="m", datatype=DataType.FILE, value=content, timestamp_ms=T0))["value"] == fingerprint(
        content
    )
