"""Messages decoded together say what they say one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.ingest import shapes
from cloud.ingest.bulk import Content, decode_all
from cloud.ingest.channels import Channels, Session, Table
from cloud.ingest.decode import decode
from cloud.ingest.work import Message
from protocols.sparkplug.datatype import FIELDS, SIGNED, UNSIGNED, DataType
from protocols.sparkplug.host import birth_metrics
from protocols.sparkplug.payload import Metric, Payload, RawPayload, decode_raw, encode
from protocols.sparkplug.topics import MessageType

NODE = ("estate", "gw-1")
RECEIVED = 1_800_000_000_000
T0 = 1_753_000_000_000
DOUBLE = 99
TYPES = (*SIGNED, *UNSIGNED, DataType.FLOAT, DataType.DOUBLE, DataType.BOOLEAN, DataType.STRING)
BORN = tuple(
    Metric(name=f"{datatype.name}-{where}", alias=where + index, datatype=datatype, value=None)
    for where in (90, 120, 1_000)
    for index, datatype in enumerate(TYPES)
)


class Street:
    """A node with two devices that were born with the same metrics."""

    def __init__(self, born: tuple[Metric, ...] = BORN) -> None:
        self.born = born
        self.channels = Channels()
        self.session: Session = self.channels.node_born(NODE, (), RawPayload())
        payload = decode_raw(encode(Payload(metrics=born, seq=1)))
        metrics = birth_metrics(payload)
        self.tables = {name: self.channels.device_born(NODE, name, metrics, payload) for name in ("a", "b")}

    def message(self, payload: RawPayload, device: str = "a") -> Message:
        return self.heard(payload.SerializeToString(), self.tables[device])

    def heard(self, raw: bytes, table: Table) -> Message:
        return Message(
            session=self.session,
            table=table,
            kind=MessageType.DDATA,
            payload=decode_raw(raw),
            size=len(raw),
            id=None,
            received_ms=RECEIVED,
            arrived=0.0,
            heard=raw,
        )

    def together(self, *messages: Message | None) -> Content:
        return decode_all(messages, self.channels.directory)

    def same(self, *messages: Message) -> Content:
        """What they say together, which is what they say one by one to somebody who has not seen them."""
        content = self.together(*messages)
        twin = Street(self.born).tables
        alone = [
            decode(one.payload, replace(twin[one.table.station.code], came_after=one.table.came_after), RECEIVED)
            for one in messages
        ]
        told = [
            (index, channel.station.code, channel.name, *rest)
            for index, said in enumerate(alone)
            for channel, *rest in zip(
                said.channel, said.place, said.at_ms, map(exact, said.value), said.quality, strict=True
            )
        ]
        numbers = content.numbers
        channels = [self.channels.directory.channel(number) for number in numbers.channel.tolist()]
        columns = (numbers.place, numbers.at_ms, map(exact, numbers.value), numbers.quality)
        names = [(channel.station.code, channel.name) for channel in channels]
        rows = zip(numbers.message.tolist(), names, zip(*columns, strict=True), strict=True)
        assert [(message, *name, *rest) for message, name, rest in rows] == told
        for said, found in zip(alone, content.columns, strict=True):
            assert [(text.channel.name, text.value) for text in found.texts] == [
                (text.channel.name, text.value) for text in said.texts
            ]
            assert (found.faults, found.unexplained) == (said.faults, said.unexplained)
        return content


def exact(value: float) -> str:
    return "unknown" if math.isnan(value) else value.hex()


def plain(*values: tuple[int, DataType, Any], at_ms: int = T0) -> RawPayload:
    metrics = tuple(Metric(alias=a, datatype=kind, value=value, timestamp_ms=at_ms) for a, kind, value in values)
    return decode_raw(encode(Payload(timestamp_ms=T0, metrics=metrics, seq=2), brief=True))


ANY_METRIC: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    alias=st.sampled_from([metric.alias for metric in BORN] + [7]) | st.none(),
    name=st.sampled_from(["", "DOUBLE-90", "new"]),
    timestamp=st.sampled_from([None, 0, 1, T0, T0 + 1, 253_402_300_799_999, 253_402_300_800_000, (1 << 64) - 1]),
    field=st.sampled_from([*sorted(set(FIELDS.values()) - {"dataset_value", "template_value"}), "is_null"]),
    number=st.sampled_from([0, 1, 127, 128, 255, 256, (1 << 31), (1 << 32) - 5, (1 << 53) + 1, (1 << 64) - 1])
    | st.integers(0, (1 << 64) - 1),
    real=st.floats(width=32),
    extra=st.sampled_from(["", "", "", "is_historical", "is_transient", "datatype", "quality"]),
)


@settings(max_examples=60)
@given(st.lists(st.lists(ANY_METRIC, max_size=12), max_size=5))
def test_whatever_they_say(messages: list[list[dict[str, Any]]]) -> None:
    street = Street()
    made = [street.message(raw_of(metrics), "ab"[index % 2]) for index, metrics in enumerate(messages)]
    street.same(*made)


def raw_of(metrics: list[dict[str, Any]]) -> RawPayload:
    payload = RawPayload(timestamp=T0, seq=3)
    for one in metrics:
        metric = payload.metrics.add()
        for name in ("alias", "timestamp"):
            if one[name] is not None:
                setattr(metric, name, one[name])
        if one["name"] and one["alias"] in (None, 7):
            metric.name = one["name"]
        values = {
            "int_value": one["number"] & 0xFFFF_FFFF,
            "long_value": one["number"],
            "boolean_value": bool(one["number"] & 1),
            "string_value": "北" * (one["number"] % 100),
            "bytes_value": b"x",
            "is_null": True,
        }
        setattr(metric, one["field"], values.get(one["field"], one["real"]))
        if one["extra"] == "quality":
            metric.properties.keys.append("Quality")
            metric.properties.values.add(type=int(DataType.INT32), int_value=500)
        elif one["extra"]:
            setattr(metric, one["extra"], 1)
    return payload


@pytest.mark.parametrize("datatype", [kind for kind in TYPES if kind is not DataType.STRING])
def test_plain_numbers_of_every_type_need_no_step_each(datatype: DataType) -> None:
    street = Street()
    low = -5 if datatype in SIGNED and datatype is not DataType.INT64 else 0  # a negative INT64 takes ten bytes
    values = (False, True) if datatype is DataType.BOOLEAN else (low, 1, 100)
    aliases = [metric.alias for metric in BORN if metric.datatype is datatype and metric.alias is not None]
    told = [(alias, datatype, value) for value in values for alias in aliases]
    content = street.same(street.message(plain(*told)), street.message(plain(*told[::-1]), "b"))
    assert not any(said.channel for said in content.columns)
    assert len(content.numbers) == 2 * len(told)


def test_a_message_that_need_not_be_opened_keeps_its_place() -> None:
    street = Street()
    one = street.message(plain((DOUBLE, DataType.DOUBLE, 1.0)))
    content = street.together(None, one, None)
    assert (content.numbers.message.tolist(), len(content.columns)) == ([1], 3)
    assert content.only([1, 2]).numbers.message.tolist() == [0]
    assert not len(content.only([0, 2]).numbers)


@pytest.mark.parametrize(
    "tail",
    [
        b"\x12",
        b"\x12\x7f",
        b"\x12\x05\x10",
        b"\x1a\x03",
        b"\x9a\x06\x01x",
        b"\x45\x01\x02\x03\x04",
        b"\x18" + b"\xff" * 12,
    ],
)
def test_bytes_that_cannot_be_walked_through_are_left(tail: bytes) -> None:
    gathered = shapes.Gathered()
    whole = plain((DOUBLE, DataType.DOUBLE, 1.0)).SerializeToString()
    assert gathered.add(0, whole, 1)
    assert not gathered.add(1, whole + tail, 1)
    assert not gathered.add(2, whole, 2), "protobuf has counted otherwise"
    (read,) = gathered.read()
    assert read.message.tolist() == [0]


def test_ten_thousand_metrics_in_one_birth() -> None:
    many = tuple(Metric(name=f"m-{n}", alias=n, datatype=DataType.DOUBLE, value=0.0) for n in range(1, 10_001))
    street = Street(many)
    told = [(n, DataType.DOUBLE, float(n)) for n in range(1, 10_001)]
    content = street.together(street.message(plain(*told)))
    assert not any(said.channel for said in content.columns)
    assert content.numbers.value.tolist() == [float(n) for n in range(1, 10_001)]
    channels = [street.channels.directory.channel(number) for number in content.numbers.channel.tolist()]
    assert [channel.name for channel in channels] == [metric.name for metric in many]


def test_aliases_that_lie_far_apart_are_found_too() -> None:
    apart = tuple(Metric(name=f"m-{n}", alias=n << 50, datatype=DataType.DOUBLE, value=0.0) for n in range(1, 9))
    street = Street(apart)
    content = street.same(street.message(plain(*((n << 50, DataType.DOUBLE, float(n)) for n in range(1, 9)))))
    assert content.numbers.value.tolist() == [float(n) for n in range(1, 9)]


def test_what_came_before_its_birth_is_uncertain() -> None:
    street = Street()
    message = street.message(plain((DOUBLE, DataType.DOUBLE, 1.0)))
    message.table.came_after = True
    assert street.same(message).numbers.quality.tolist() == [64]


def test_a_type_that_changes_is_read_as_what_it_is_now_and_stays_one_series() -> None:
    channels = Channels()

    def told(datatype: DataType, value: Any) -> Content:
        metric = Metric(name="t", alias=2, datatype=datatype, value=value, timestamp_ms=T0)
        birth = decode_raw(encode(Payload(metrics=(metric,), seq=0)))
        session = channels.node_born(NODE, birth_metrics(birth), birth)
        raw = encode(Payload(metrics=(metric,), seq=1), brief=True)
        message = Message(
            session=session,
            table=session.tables[""],
            kind=MessageType.NDATA,
            payload=decode_raw(raw),
            size=len(raw),
            id=None,
            received_ms=RECEIVED,
            arrived=0.0,
        )
        return decode_all([message], channels.directory)

    before, after = told(DataType.DOUBLE, 1.5), told(DataType.INT32, -7)
    assert (before.numbers.value.tolist(), after.numbers.value.tolist()) == ([1.5], [-7.0])
    assert before.numbers.channel.tolist() == after.numbers.channel.tolist()
    assert len(channels.directory) == 1, "types that change again and again take no more room"


def test_numbers_of_transient_values_are_marked() -> None:
    street = Street()
    payload = plain((DOUBLE, DataType.DOUBLE, 1.0), (DOUBLE, DataType.DOUBLE, 2.0))
    payload.metrics[1].is_transient = True
    assert street.same(street.message(payload)).numbers.transient.tolist() == [False, True]
    assert np.array_equal(street.same().numbers.value, np.empty(0))
