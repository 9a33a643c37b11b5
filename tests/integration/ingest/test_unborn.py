"""Nodes of other makers whose data come before their birth, or without one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloud.ingest.worker import IngestWorker
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric
from tests.integration.ingest.gateway import Gateway, double, wait_for
from tests.services.brokers import Broker

Rows = Callable[[str], list[dict[str, Any]]]
T0 = 1_753_000_000_000
READINGS = """
SELECT d.code AS device, s.metric, value, quality FROM reading JOIN series s ON s.id = series_id
JOIN device d ON d.id = s.device_id ORDER BY ts
"""


@pytest.fixture
def plc(worker: IngestWorker, broker: Broker) -> Iterator[Gateway]:
    """A plain node that nobody has heard of."""
    made = Gateway(broker.port, "plc-7", group="works", acknowledged=False)
    yield made
    made.close()


def named(value: int, at_ms: int) -> Metric:
    return Metric(name="Flow", datatype=DataType.INT16, value=value, timestamp_ms=at_ms)


def test_data_that_name_themselves_are_read_while_the_birth_is_asked_for(plc: Gateway, rows: Rows) -> None:
    plc.publish("NDATA", (named(-3, T0),), brief=False)
    plc.publish("DDATA", (named(-4, T0 + 1),), device="Unit 1", brief=False)
    wait_for(lambda: len(rows(READINGS)) == 2)
    assert rows(READINGS) == [
        {"device": "", "metric": "Flow", "value": -3.0, "quality": 64},
        {"device": "Unit 1", "metric": "Flow", "value": -4.0, "quality": 64},
    ]
    wait_for(lambda: plc.rebirths_asked)
    assert not rows("SELECT FROM poison")
    assert not rows("SELECT FROM gateway WHERE online"), "only a birth says that a node is there"


def test_data_by_alias_wait_for_the_birth(plc: Gateway, rows: Rows) -> None:
    plc.data(None, (double("t", 4, 20.5, T0),), device="Unit 1")
    wait_for(lambda: plc.rebirths_asked)
    plc.birth(devices={"Unit 1": (double("t", 4, 21.5, T0 + 1),)})
    wait_for(lambda: len(rows(READINGS)) == 2)
    assert [(row["value"], row["quality"]) for row in rows(READINGS)] == [(20.5, 64), (21.5, 192)]
    assert not rows("SELECT FROM poison")


def test_what_no_birth_ever_explains_is_kept_raw(plc: Gateway, rows: Rows) -> None:
    plc.birth(devices={"Unit 1": (double("t", 4, 20.5, T0),)})
    plc.data(None, (double("t", 4, 21.5, T0 + 1), double("u", 9, 1.0, T0 + 1)), device="Unit 1")
    wait_for(lambda: len(rows(READINGS)) == 2, "what is known is read at once")
    wait_for(lambda: plc.rebirths_asked)
    plc.birth(devices={"Unit 1": (double("t", 4, 22.5, T0 + 2),)})
    wait_for(lambda: rows("SELECT FROM poison"))
    assert [row["code"] for row in rows("SELECT code FROM poison")] == ["cloud.ingest.unknown-alias"]
    assert [row["value"] for row in rows(READINGS)] == [20.5, 21.5, 22.5]


def test_every_type_is_a_reading_or_an_event(plc: Gateway, rows: Rows) -> None:
    table = Metric(name="List", datatype=DataType.INT16_ARRAY, value=(-1, 2), timestamp_ms=T0)
    passing = Metric(name="Now", datatype=DataType.DOUBLE, value=5.0, timestamp_ms=T0, is_transient=True)
    word = Metric(name="Mode", datatype=DataType.STRING, value="auto", timestamp_ms=T0, is_transient=True)
    plc.birth((table, passing, word))
    wait_for(lambda: rows("SELECT FROM event WHERE kind = 'sparkplug.value'"))
    (event,) = rows("SELECT data FROM event WHERE kind = 'sparkplug.value'")
    assert json.loads(json.dumps(event["data"])) == {"metric": "List", "type": "INT16_ARRAY", "value": [-1, 2]}
    assert not rows("SELECT FROM reading")
    assert not rows("SELECT FROM text_reading")
    found = rows("SELECT metric, value, text FROM latest JOIN series ON series.id = series_id ORDER BY metric")
    assert found == [
        {"metric": "Mode", "value": None, "text": "auto"},
        {"metric": "Now", "value": 5.0, "text": None},
    ]


@pytest.mark.parametrize("bdseq", [256, 1_753_000_000_000, 2**63 - 1])
def test_a_counter_of_births_that_never_begins_anew_keeps_no_node_offline(plc: Gateway, rows: Rows, bdseq: int) -> None:
    plc.bdseq = bdseq
    plc.birth(devices={"Unit 1": (double("t", 4, 20.5, T0),)})
    wait_for(lambda: rows("SELECT FROM gateway WHERE online"))
    wait_for(lambda: len(rows(READINGS)) == 1)
