"""The services that other tests stand on: each one really runs, and is gone afterwards."""

from __future__ import annotations

import queue
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from playwright.sync_api import Page

from tests.services.brokers import Broker
from tests.services.ports import is_open

BIRTH_BYTES = 1024 * 1024
WAIT_S = 20


def exchange(broker: Broker, protocol: MQTTProtocolVersion) -> int:
    """Send a message of the size of a large birth to ourselves and return how many bytes came back."""
    inbox: queue.Queue[mqtt.MQTTMessage] = queue.Queue(maxsize=10)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="test", protocol=protocol)

    def subscribe(*_: object) -> None:
        client.subscribe("spBv1.0/#", 1)

    def publish(*_: object) -> None:
        client.publish("spBv1.0/estate/NBIRTH/node", bytes(BIRTH_BYTES), 1)

    client.on_connect = subscribe
    client.on_subscribe = publish
    client.on_message = lambda _client, _data, message: inbox.put(message)
    client.connect(broker.host, broker.port_v5 if protocol is MQTTProtocolVersion.MQTTv5 else broker.port)
    client.loop_start()
    try:
        return len(inbox.get(timeout=WAIT_S).payload)
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.fixture(params=["iotcore", pytest.param("mosquitto", marks=pytest.mark.needs("mosquitto"))])
def broker(request: pytest.FixtureRequest) -> Broker:
    running: Broker = request.getfixturevalue(f"{request.param}_broker")
    return running


@pytest.mark.parametrize("protocol", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5], ids=["3.1.1", "5"])
def test_broker_carries_a_large_birth(broker: Broker, protocol: MQTTProtocolVersion) -> None:
    assert exchange(broker, protocol) == BIRTH_BYTES


def test_broker_can_be_killed_and_started_again(broker: Broker) -> None:
    first = broker.pid
    broker.kill()
    assert not is_open(broker.port)
    broker.start()
    assert broker.pid != first
    assert is_open(broker.port)


def one(dsn: str, query: str) -> Any:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def test_each_test_gets_an_empty_database_for_unicode(postgres: str) -> None:
    assert one(postgres, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert one(postgres, "SHOW server_encoding") == "UTF8"
    assert one(postgres, "SHOW listen_addresses") == ""


@pytest.mark.needs("timescaledb")
def test_timescaledb_makes_hypertables(timescale: str) -> None:
    with psycopg.connect(timescale) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
        connection.execute("CREATE TABLE reading (ts timestamptz NOT NULL, value float8)")
        connection.execute("SELECT create_hypertable('reading', by_range('ts'))")
    assert one(timescale, "SELECT hypertable_name FROM timescaledb_information.hypertables") == "reading"


@pytest.mark.needs("chromium")
def test_chromium_shows_chinese(browser_page: Page) -> None:
    browser_page.set_content("<h1>桃园小区</h1>")
    assert browser_page.inner_text("h1") == "桃园小区"
