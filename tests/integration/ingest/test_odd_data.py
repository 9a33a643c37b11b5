"""What gateways really do: clocks far off, types and names that change, ten thousand metrics, too much at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from cloud.ingest import lag
from cloud.ingest.link import Broker as BrokerAddress
from cloud.ingest.port import Fact
from cloud.ingest.worker import IngestWorker
from cloud.metrics import Metrics
from cloud.storage.database import Database, Transaction
from protocols.delivery import Lane
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric
from tests.integration.ingest.conftest import HOST
from tests.integration.ingest.gateway import Gateway, double, event, wait_for
from tests.services.brokers import Broker

Rows = Callable[[str], list[dict[str, Any]]]
T0 = 1_753_000_000_000


def ms(year: int) -> int:
    return round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)


def test_clocks_of_1970_and_2099_are_stored_as_told_and_harm_nobody(gateway: Gateway, rows: Rows) -> None:
    gateway.birth(devices={"cold-1": (double("temperature", 10, None, T0),)})
    told = (ms(1970) + 1, T0, ms(2099))
    gateway.data(1, tuple(double("temperature", 10, float(n), at) for n, at in enumerate(told)), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    stored = rows("SELECT ts, value FROM reading ORDER BY ts")
    assert [(round(row["ts"].timestamp() * 1000), row["value"]) for row in stored] == [
        (at, float(n)) for n, at in enumerate(told)
    ]
    assert [row["ts"].year for row in rows("SELECT ts FROM latest")] == [2099]
    assert not rows("SELECT FROM poison")


def test_a_metric_whose_type_changes_stays_one_series(gateway: Gateway, rows: Rows) -> None:
    told: list[tuple[DataType, float | str]] = [(DataType.DOUBLE, 1.5), (DataType.INT32, -7), (DataType.STRING, "ok")]
    for number, (datatype, value) in enumerate(told):
        metric = Metric(name="level", alias=10 + number, datatype=datatype, value=value, timestamp_ms=T0 + number)
        gateway.birth(devices={"tank-1": (metric,)})
        gateway.data(number + 1, (metric,), device="tank-1")
        wait_for(lambda number=number: gateway.acknowledged_up_to(number + 1))  # type: ignore[misc]
    assert [row["value"] for row in rows("SELECT value FROM reading ORDER BY ts")] == [1.5, -7.0]
    assert [row["value"] for row in rows("SELECT value FROM text_reading")] == ["ok"]
    assert rows("SELECT metric, datatype FROM series") == [{"metric": "level", "datatype": int(DataType.STRING)}]
    assert not rows("SELECT FROM poison")


def test_a_device_under_another_name_is_another_device_and_the_old_one_is_offline(gateway: Gateway, rows: Rows) -> None:
    gateway.birth(devices={"cold-1": (double("temperature", 10, None, T0),)})
    gateway.data(1, (double("temperature", 10, 4.0, T0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    gateway.publish("DDEATH", (), device="cold-1")
    gateway.publish("DBIRTH", (double("temperature", 11, None, T0),), device="kitchen-1", brief=False)
    gateway.data(2, (double("temperature", 11, 5.0, T0 + 1),), device="kitchen-1")
    wait_for(lambda: gateway.acknowledged_up_to(2))
    told = rows(
        "SELECT d.code, d.online, r.value FROM device d JOIN series s ON s.device_id = d.id"
        " JOIN reading r ON r.series_id = s.id ORDER BY d.code"
    )
    assert told == [
        {"code": "cold-1", "online": False, "value": 4.0},
        {"code": "kitchen-1", "online": True, "value": 5.0},
    ]


def test_ten_thousand_metrics_in_one_birth_and_then_in_one_message(gateway: Gateway, rows: Rows) -> None:
    many = tuple(double(f"channel-{n}", n + 10, float(n), T0) for n in range(10_000))
    gateway.birth(devices={"rack-1": many})
    gateway.data(1, many, device="rack-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    (found,) = rows("SELECT count(*) AS n, count(DISTINCT series_id) AS series, sum(value) AS total FROM reading")
    assert found == {"n": 10_000, "series": 10_000, "total": float(sum(range(10_000)))}
    gateway.data(1, (event(9, "x", T0),), lane=Lane.URGENT)
    wait_for(lambda: gateway.rebirths_asked, "an alias that nobody gave is asked about")


def test_what_is_too_much_waits_with_the_gateway_unacknowledged_is_told_and_lost_is_nothing(
    database: Database, broker: Broker, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judging stands still: nothing is acknowledged, operators are told, and afterwards all of it is there."""
    monkeypatch.setattr(lag, "LATE_S", 0.2)
    monkeypatch.setattr(lag, "IN_TIME_S", 0.1)
    goes_on, metrics = threading.Event(), Metrics()

    def judge(tx: Transaction, facts: Sequence[Fact], now_ms: int) -> None:
        goes_on.wait(8)

    worker = IngestWorker(database, BrokerAddress(port=broker.port), HOST, judge, lambda *_: True, metrics=metrics)
    worker.start()
    gateway = Gateway(broker.port)
    try:
        wait_for(lambda: worker.connected)
        gateway.birth(devices={"cold-1": (double("temperature", 10, None, T0),)})
        wait_for(lambda: rows("SELECT FROM device WHERE code = 'cold-1'"))
        with database.transaction() as tx:
            tx.execute("INSERT INTO place (kind, code, path, name) VALUES ('street', 's', 's', '{}')")
            tx.execute("UPDATE device SET place_id = (SELECT id FROM place)")
        for number in range(1, 101):
            gateway.data(number, (double("temperature", 10, float(number), T0 + number),), device="cold-1")
            wait_for(lambda: _waits(metrics) > 0, "the first is being judged")
        wait_for(lambda: _waits(metrics) > 2, "what has arrived waits, and is seen to wait")
        assert not gateway.acknowledged_up_to(1)
        assert not rows("SELECT FROM reading")
        goes_on.set()
        wait_for(lambda: gateway.acknowledged_up_to(100))
        assert [row["value"] for row in rows("SELECT value FROM reading ORDER BY ts")] == [
            float(n) for n in range(1, 101)
        ]
        told = "SELECT action FROM audit WHERE action LIKE 'ingest.%' ORDER BY id"
        wait_for(lambda: [row["action"] for row in rows(told)] == ["ingest.late", "ingest.in-time"])
    finally:
        goes_on.set()
        gateway.close()
        worker.stop()


def _waits(metrics: Metrics) -> float:
    (line,) = [
        one for one in metrics.text().decode().splitlines() if one.startswith("liandong_ingest_waiting_seconds ")
    ]
    return float(line.split()[1])
