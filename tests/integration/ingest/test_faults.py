"""Restarts and outages in the middle: nothing is lost, nothing is stored twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloud.ingest.link import Broker as BrokerAddress
from cloud.ingest.state_holder import StateHolder
from cloud.ingest.worker import IngestWorker
from cloud.storage import leases
from cloud.storage.database import Database, Transaction
from protocols.sparkplug.state import HostState, decode_state
from tests.integration.ingest.conftest import HOST, Facts
from tests.integration.ingest.gateway import Gateway, wait_for
from tests.integration.ingest.test_ingest import Rows, born, temperature
from tests.services.brokers import Broker

DYING_WORKER = """
import json, os, sys, time
from cloud.ingest.link import Broker
from cloud.ingest.worker import IngestWorker
from cloud.storage.database import Database
class DiesBeforeItAnswers(IngestWorker):
    def _committed(self, group, stored):
        if stored.readings:
            os._exit(9)
        super()._committed(group, stored)
dsn, port, host = json.loads(sys.argv[1])
database = Database(dsn)
database.open()
worker = DiesBeforeItAnswers(database, Broker(port=port), host, lambda tx, facts, now: None, lambda kind, metric: False)
worker.start()
while not worker.connected:
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_worker_killed_between_commit_and_answer_stores_nothing_twice(
    postgres: str, database: Database, broker: Broker, start_worker: Callable[[], IngestWorker], rows: Rows
) -> None:
    arguments = json.dumps([postgres, broker.port, HOST])
    with subprocess.Popen([sys.executable, "-c", DYING_WORKER, arguments], stdout=subprocess.PIPE) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == b"ready\n"
        gateway = Gateway(broker.port)
        born(gateway)
        wait_for(lambda: gateway.acks, "birth answered")
        gateway.data(1, (temperature(1.0),), device="cold-1")
        assert dying.wait(30) == 9
    assert len(rows("SELECT FROM reading")) == 1
    assert not gateway.acknowledged_up_to(1)
    start_worker()
    born(gateway, last_given=1)
    gateway.data(1, (temperature(1.0),), device="cold-1")
    gateway.data(2, (temperature(2.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(2))
    assert sorted(row["value"] for row in rows("SELECT value FROM reading")) == [1.0, 2.0]
    gateway.close()


def test_two_workers_that_hear_the_same_messages_store_them_once(
    broker: Broker, start_worker: Callable[[], IngestWorker], rows: Rows
) -> None:
    start_worker()
    start_worker()
    gateway = Gateway(broker.port)
    born(gateway)
    for number in range(1, 101):
        gateway.data(number, (temperature(float(number)),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(100))
    assert sorted(row["value"] for row in rows("SELECT value FROM reading")) == [float(n) for n in range(1, 101)]
    assert len(rows("SELECT FROM event WHERE kind = 'gateway.online'")) == 1
    gateway.close()


def test_a_restarted_worker_asks_for_a_rebirth_when_data_come_first(
    gateway: Gateway, worker: IngestWorker, start_worker: Callable[[], IngestWorker], rows: Rows
) -> None:
    born(gateway)
    gateway.data(1, (temperature(1.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    worker.stop()
    assert not worker.alive
    start_worker()
    gateway.data(2, (temperature(2.0),), device="cold-1")
    wait_for(lambda: gateway.rebirths_asked == 1)
    born(gateway)
    gateway.data(2, (temperature(2.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(2))
    assert len(rows("SELECT FROM reading")) == 2


def test_a_database_that_goes_away_costs_time_only(
    gateway: Gateway, postgres: str, worker: IngestWorker, rows: Rows
) -> None:
    born(gateway)
    gateway.data(1, (temperature(1.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for number in range(2, 12):
        gateway.data(number, (temperature(float(number)),), device="cold-1")

    def send_again() -> bool:
        gateway.data((2, 2), (temperature(2.0),), device="cold-1")
        for number in range(3, 12):
            gateway.data(number, (temperature(float(number)),), device="cold-1")
        return gateway.acknowledged_up_to(11)

    wait_for(send_again)
    assert sorted(row["value"] for row in rows("SELECT value FROM reading")) == [float(n) for n in range(1, 12)]


def test_a_database_that_is_restored_gets_everything_again(
    postgres: str, database: Database, broker: Broker, facts: Facts, rows: Rows
) -> None:
    bounced: list[int] = []
    address = BrokerAddress(port=broker.port)
    worker = IngestWorker(database, address, HOST, facts.judge, facts.watched, on_restored=lambda: bounced.append(1))
    worker.start()
    wait_for(lambda: worker.connected)
    gateway = Gateway(broker.port)
    born(gateway)
    gateway.data(1, (temperature(1.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    with database.transaction() as tx:
        tx.execute("TRUNCATE gateway, device, series, alias, latest, event, reading, received RESTART IDENTITY CASCADE")
    gateway.data(2, (temperature(2.0),), device="cold-1")
    wait_for(lambda: bounced)
    born(gateway, last_given=2)
    gateway.data(1, (temperature(1.0),), device="cold-1")
    gateway.data(2, (temperature(2.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(2))
    worker.stop()
    gateway.close()
    named = "SELECT d.code, r.value FROM reading r JOIN series s ON s.id = series_id JOIN device d ON d.id = device_id"
    assert sorted(row["value"] for row in rows(named) if row["code"] == "cold-1") == [1.0, 2.0]


def test_a_broker_that_goes_away_is_waited_for(broker: Broker, worker: IngestWorker, rows: Rows) -> None:
    broker.kill()
    wait_for(lambda: not worker.connected)
    broker.start()
    wait_for(lambda: worker.connected)
    gateway = Gateway(broker.port)
    born(gateway)
    gateway.data(1, (temperature(1.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    gateway.close()


@pytest.fixture
def states(broker: Broker) -> Iterator[list[HostState]]:
    """What a listener hears on the STATE topic, in order."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    heard: list[HostState] = []
    client = Client(CallbackAPIVersion.VERSION2, clean_session=True)
    client.on_message = lambda _client, _data, message: heard.append(decode_state(bytes(message.payload)))
    ready: list[Any] = []
    client.on_subscribe = lambda *_: ready.append(1)
    client.connect("127.0.0.1", broker.port)
    client.subscribe(f"spBv1.0/STATE/{HOST}", 1)
    client.loop_start()
    wait_for(lambda: ready)
    yield heard
    client.disconnect()
    client.loop_stop()


def test_state_has_one_holder_and_a_successor(database: Database, broker: Broker, states: list[HostState]) -> None:
    """tck-id-operational-behavior-host-application-host-id, by a lease."""
    address = BrokerAddress(port=broker.port)
    first = StateHolder(database, address, HOST, lease_s=1.5)
    second = StateHolder(database, address, HOST, lease_s=1.5)
    first.start()
    wait_for(lambda: first.online)
    second.start()
    with pytest.MonkeyPatch.context() as patch:
        hold, asked = leases.hold, Counter[str]()

        def counted(tx: Transaction, name: str, holder: str, seconds: float) -> int | None:
            fence = hold(tx, name, holder, seconds)
            asked[holder] += 1
            return fence

        patch.setattr(leases, "hold", counted)
        wait_for(lambda: len(asked) == 2 and min(asked.values()) >= 2)
    assert [state.online for state in states] == [True]
    assert not second.online
    first.stop()
    wait_for(lambda: second.online)
    wait_for(lambda: [state.online for state in states] == [True, False, True])
    assert states[0].timestamp_ms < states[1].timestamp_ms <= states[2].timestamp_ms
    second.bounce()
    wait_for(lambda: [state.online for state in states][3:] == [False, True])
    second.stop()
    wait_for(lambda: [state.online for state in states][5:] == [False])
