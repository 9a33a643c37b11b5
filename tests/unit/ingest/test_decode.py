"""What a message says, as columns."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from cloud.ingest.channels import LONGEST_NAME, Channels, Kind, Table
from cloud.ingest.decode import BAD_VALUE, UNKNOWN_ALIAS, decode, quality_word
from cloud.ingest.objects import OBJECT_EVENT
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import birth_metrics
from protocols.sparkplug.payload import Metric, Payload, Property, RawPayload, decode_raw, encode

NODE = ("estate", "gw-1")
RECEIVED = 1_800_000_000_000
T0 = 1_753_000_000_000


def table(*metrics: Metric) -> Table:
    """The channels of a device that was born with `metrics`."""
    channels = Channels()
    channels.node_born(NODE, (), RawPayload())
    payload = decode_raw(encode(Payload(metrics=metrics, seq=1)))
    return channels.device_born(NODE, "d", birth_metrics(payload), payload)


def message(*metrics: Metric, at_ms: int | None = None) -> RawPayload:
    return decode_raw(encode(Payload(timestamp_ms=at_ms, metrics=metrics, seq=2), brief=True))


@pytest.mark.parametrize(
    ("datatype", "value", "kind", "stored"),
    [
        (DataType.DOUBLE, 1.25, Kind.NUMBER, 1.25),
        (DataType.FLOAT, 0.5, Kind.NUMBER, 0.5),
        (DataType.INT8, -1, Kind.NUMBER, -1.0),
        (DataType.INT16, -32768, Kind.NUMBER, -32768.0),
        (DataType.INT32, -5, Kind.NUMBER, -5.0),
        (DataType.INT64, -(1 << 53), Kind.NUMBER, -float(1 << 53)),
        (DataType.UINT64, 1 << 53, Kind.NUMBER, float(1 << 53)),
        (DataType.DATETIME, T0, Kind.NUMBER, float(T0)),
        (DataType.BOOLEAN, True, Kind.BOOLEAN, 1.0),
    ],
)
def test_numbers_of_every_type(datatype: DataType, value: Any, kind: Kind, stored: float) -> None:
    metric = Metric(name="m", alias=7, datatype=datatype, value=value, timestamp_ms=T0)
    explained = table(metric)
    channel = explained.of_alias(7)
    assert channel is not None
    assert channel.kind is kind
    columns = decode(message(metric), explained, RECEIVED)
    assert (columns.value, columns.at_ms, columns.quality) == ([stored], [T0], [192])
    assert not columns.faults


def test_text_events_and_service_metrics() -> None:
    text = Metric(name="label", alias=3, datatype=DataType.STRING, value="北", timestamp_ms=T0)
    event = Metric(
        name="Event",
        alias=4,
        datatype=DataType.STRING,
        value='{"id": "0a0a0a0a-0000-4000-8000-000000000001", "kind": "sos", "data": {"n": [1, {"x": null}]}}',
        timestamp_ms=T0 + 1,
    )
    control = Metric(name="Node Control/Reboot", datatype=DataType.BOOLEAN, value=False, timestamp_ms=T0)
    columns = decode(message(text, event, control), table(text, event, control), RECEIVED)
    assert [(item.at_ms, item.value) for item in columns.texts] == [(T0, "北")]
    assert [(item.device, item.kind, item.at_ms, item.data) for item in columns.events] == [
        ("d", "sos", T0 + 1, {"n": [1, {"x": None}]})
    ]
    assert not columns.channel
    assert not columns.faults


def test_null_is_an_unknown_value_and_so_is_infinity() -> None:
    metric = Metric(name="t", alias=2, datatype=DataType.DOUBLE, value=None, timestamp_ms=T0)
    infinite = Metric(name="t", alias=2, datatype=DataType.DOUBLE, value=math.inf, timestamp_ms=T0)
    columns = decode(message(metric, infinite), table(metric), RECEIVED)
    assert all(math.isnan(value) for value in columns.value)
    assert columns.quality == [0, 0]


@pytest.mark.parametrize(
    ("metric_ms", "payload_ms", "at_ms", "quality"),
    [
        (T0, T0 + 9, T0, 192),
        (None, T0 + 9, T0 + 9, 192),
        (None, None, RECEIVED, 192),
        (None, 1 << 63, RECEIVED, 192),
        (0, 0, RECEIVED, 192),  # a gateway that does not know the time
        (1 << 63, T0, RECEIVED, 64),
        (253_402_300_799_999, T0, 253_402_300_799_999, 192),
        (253_402_300_800_000, T0, RECEIVED, 64),
    ],
)
def test_times_that_are_missing_or_absurd(
    metric_ms: int | None, payload_ms: int | None, at_ms: int, quality: int
) -> None:
    metric = Metric(name="t", alias=2, datatype=DataType.DOUBLE, value=1.0, timestamp_ms=metric_ms)
    columns = decode(message(metric, at_ms=payload_ms), table(metric), RECEIVED)
    assert (columns.at_ms, columns.quality) == ([at_ms], [quality])


def test_quality_is_kept_and_stale_is_uncertain() -> None:
    metrics = [
        Metric(name="t", alias=2, datatype=DataType.DOUBLE, value=1.0, timestamp_ms=T0, quality=quality)
        for quality in (192, 0, 500, 64)
    ]
    columns = decode(message(*metrics), table(metrics[0]), RECEIVED)
    assert columns.quality == [192, 0, 64, 64]
    assert [quality_word(quality) for quality in columns.quality] == ["good", "bad", "uncertain", "uncertain"]


def test_what_no_birth_explains_is_a_fault_and_the_rest_is_read() -> None:
    known = Metric(name="t", alias=2, datatype=DataType.DOUBLE, value=1.0, timestamp_ms=T0)
    strange = Metric(name="u", alias=9, datatype=DataType.DOUBLE, value=2.0, timestamp_ms=T0)
    nameless = Metric(name="v", datatype=DataType.DOUBLE, value=2.0, timestamp_ms=T0)  # its type is left out
    columns = decode(message(strange, known, nameless), table(known), RECEIVED)
    assert columns.value == [1.0]
    assert [(fault.code, fault.params["metric"]) for fault in columns.faults] == [
        (UNKNOWN_ALIAS, 9),
        (UNKNOWN_ALIAS, "v"),
    ]
    assert (columns.unexplained, columns.unborn) == ([0, 2], False)


def test_data_that_names_itself_and_its_type_needs_no_birth() -> None:
    """A node that says tck-id-payloads-metric-datatype-not-req is not for it; its values are kept, as uncertain."""
    metrics = (
        Metric(name="flow", datatype=DataType.INT16, value=-3, timestamp_ms=T0),
        Metric(name="flow", alias=77, datatype=DataType.INT16, value=-4, timestamp_ms=T0, quality=0),
        Metric(name="label", datatype=DataType.STRING, value="x", timestamp_ms=T0),
        Metric(name="list", datatype=DataType.UINT8_ARRAY, value=(1, 2), timestamp_ms=T0),
        Metric(name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True, timestamp_ms=T0),
    )
    explained = Channels().unborn(NODE, "d")[1]
    columns = decode(decode_raw(encode(Payload(metrics=metrics))), explained, RECEIVED)
    assert (columns.value, columns.quality) == ([-3.0, -4.0], [64, 0])
    assert [(text.value, text.quality) for text in columns.texts] == [("x", 64)]
    assert [(event.kind, event.data["quality"]) for event in columns.events] == [(OBJECT_EVENT, 64)]
    assert (columns.unborn, columns.unexplained, columns.faults) == (True, [], [])
    again = decode(message(Metric(name="flow", datatype=DataType.INT16, value=5)), explained, RECEIVED)
    assert (again.value, again.quality) == ([5.0], [64])


def test_data_by_the_name_that_the_birth_gave() -> None:
    born = Metric(name="t", alias=2, datatype=DataType.DOUBLE, value=1.0, timestamp_ms=T0)
    sent = Metric(name="t", datatype=DataType.DOUBLE, value=3.0, timestamp_ms=T0)
    columns = decode(message(sent), table(born), RECEIVED)
    assert (columns.value, columns.quality, columns.unborn) == ([3.0], [192], False)


def test_data_whose_birth_came_after_are_uncertain() -> None:
    metric = Metric(name="t", alias=2, datatype=DataType.DOUBLE, value=1.0, timestamp_ms=T0)
    assert decode(message(metric), replace(table(metric), came_after=True), RECEIVED).quality == [64]


def test_a_transient_value_is_marked() -> None:
    kept = Metric(name="t", alias=2, datatype=DataType.DOUBLE, value=1.0, timestamp_ms=T0)
    label = Metric(name="l", alias=3, datatype=DataType.TEXT, value="x", timestamp_ms=T0, is_transient=True)
    sent = message(kept, replace(kept, is_transient=True), kept, replace(kept, value=0.0, is_transient=True), label)
    columns = decode(sent, table(kept, label), RECEIVED)
    assert columns.transient == [1, 3]
    assert [text.transient for text in columns.texts] == [True]


@pytest.mark.parametrize(("datatype", "value"), [(DataType.INT64, (1 << 53) + 1), (DataType.UINT64, (1 << 64) - 1)])
def test_an_integer_that_no_float_holds_is_uncertain(datatype: DataType, value: int) -> None:
    metric = Metric(name="n", alias=2, datatype=datatype, value=value, timestamp_ms=T0)
    columns = decode(message(metric), table(metric), RECEIVED)
    assert (columns.value, columns.quality) == ([float(value)], [64])


def test_a_name_that_no_column_holds_is_a_fault() -> None:
    long = Metric(name="n" * (LONGEST_NAME + 1), alias=2, datatype=DataType.DOUBLE, value=1.0)
    nul = Metric(name="a\x00", alias=3, datatype=DataType.DOUBLE, value=1.0)
    columns = decode(message(long, nul), table(long, nul), RECEIVED)
    assert [fault.code for fault in columns.faults] == [BAD_VALUE, BAD_VALUE]


@pytest.mark.parametrize("key", ["engUnit", "Engineering Units", "unit"])
def test_the_engineering_unit_of_a_birth(key: str) -> None:
    unit = {key: Property(datatype=DataType.STRING, value="kWh")}
    metric = Metric(name="e", alias=2, datatype=DataType.DOUBLE, value=1.0, properties=unit)
    channel = table(metric).named("e")
    assert channel is not None
    assert channel.unit == "kWh"


def test_a_value_of_another_type_is_a_fault() -> None:
    born = Metric(name="n", alias=2, datatype=DataType.INT8, value=1, timestamp_ms=T0)
    sent = Metric(name="n", alias=2, datatype=DataType.STRING, value="x", timestamp_ms=T0)
    columns = decode(message(sent), table(born), RECEIVED)
    assert [fault.code for fault in columns.faults] == [BAD_VALUE]


def test_a_channel_outlives_births_unless_its_type_changes() -> None:
    channels = Channels()

    def born(datatype: DataType) -> Table:
        metric = Metric(name="t", alias=2, datatype=datatype, value=1)
        payload = decode_raw(encode(Payload(metrics=(metric,), seq=0)))
        return channels.node_born(NODE, birth_metrics(payload), payload).tables[""]

    first, second, third = born(DataType.INT32), born(DataType.INT32), born(DataType.INT64)
    assert first.named("t") is second.named("t")
    assert second.named("t") is not third.named("t")


def test_equal_births_share_their_layout_and_nothing_else() -> None:
    channels = Channels()
    channels.node_born(NODE, (), RawPayload())

    def born(device: str, first: int) -> Table:
        named = [Metric(name=n, alias=first + i, datatype=DataType.INT32, value=1) for i, n in enumerate("ab")]
        payload = decode_raw(encode(Payload(metrics=tuple(named), seq=0)))
        return channels.device_born(NODE, device, birth_metrics(payload), payload)

    one, other = born("x", 10), born("y", 700)
    assert one.layout is other.layout
    assert [(alias, channel.station.code) for alias, channel in other.aliases()] == [(700, "y"), (701, "y")]
    assert (one.of_alias(700), other.of_alias(10), one.of_alias(9)) == (None, None, None)


def test_a_metric_that_a_birth_leaves_out_keeps_its_channel() -> None:
    channels = Channels()

    def born(*names: str) -> Table:
        metrics = tuple(Metric(name=name, datatype=DataType.INT32, value=1) for name in names)
        payload = decode_raw(encode(Payload(metrics=metrics, seq=0)))
        return channels.node_born(NODE, birth_metrics(payload), payload).tables[""]

    both = born("a", "b")
    without = born("a")
    assert without.named("b") is None
    assert without.unborn("b", None) is both.named("b")
    unheard = without.unborn("b", DataType.STRING)
    assert unheard is not both.named("b")
    assert without.unborn("b", None) is unheard
    assert born("a", "b").named("a") is both.named("a")
