"""A backup put back under the cloud, or an emptied database: what gateways hold arrives, the rest is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cloud.ingest import losses
from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from edge.config import UplinkTable
from protocols.delivery import NumberSet
from protocols.events import Event, Reading
from protocols.sparkplug.state import HostState, decode_state
from tests.integration.edge.bench import BenchDriver, document, running
from tests.integration.ingest.gateway import Gateway, wait_for
from tests.integration.ingest.service import Service
from tests.integration.ingest.test_ingest import Rows, born
from tests.services.brokers import Broker
from tests.services.databases import DatabaseServer

HOST = str(UplinkTable.model_fields["primary_host"].default)
T0 = 1_753_000_000_000


class Backups:
    """Copies of one database on its server, taken and put back whole: the server's own way, files and all."""

    def __init__(self, server: DatabaseServer, dsn: str) -> None:
        self._server = server
        self._name = str(conninfo_to_dict(dsn)["dbname"])

    def take(self) -> None:
        """Last night's backup; whoever is connected is cut off for a moment."""
        with self._alone() as connection:
            self._do(connection, "CREATE DATABASE {copy} TEMPLATE {name}")

    def put_back(self) -> None:
        """Everything since the backup is gone."""
        with self._alone() as connection:
            self._do(connection, "DROP DATABASE {name} WITH (FORCE)")
            self._do(connection, "ALTER DATABASE {copy} RENAME TO {name}")

    def wipe(self) -> None:
        """An empty database without any table."""
        with self._alone() as connection:
            self._do(connection, "DROP DATABASE {name} WITH (FORCE)")
            self._do(connection, "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")

    @contextmanager
    def _alone(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self._server.dsn, autocommit=True, connect_timeout=10) as connection:
            self._do(connection, "ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            left = "SELECT FROM pg_stat_activity WHERE datname = %s"

            def nobody() -> bool:
                connection.execute(kick, [self._name])
                return connection.execute(left, [self._name]).fetchone() is None

            wait_for(nobody)
            yield connection
            self._do(connection, "ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    def _do(self, connection: psycopg.Connection[Any], statement: str) -> None:
        names = {"name": sql.Identifier(self._name), "copy": sql.Identifier(f"{self._name}_copy")}
        connection.execute(sql.SQL(statement).format(**names))


@pytest.fixture
def backups(postgres_server: DatabaseServer, postgres: str) -> Backups:
    return Backups(postgres_server, postgres)


@pytest.fixture
def service(tmp_path: Path, postgres: str, broker: Broker) -> Iterator[Service]:
    made = Service(tmp_path, postgres, broker.port, HOST)
    made.ready()
    yield made
    made.stop()


@pytest.fixture
def agent(tmp_path: Path, broker: Broker) -> Iterator[BenchDriver]:
    """A real gateway."""
    (tmp_path / "gw").mkdir()
    with running(tmp_path / "gw", document(broker.port, primary_host=HOST)) as (_agent, driver):
        yield driver


@pytest.fixture
def stored(postgres: str) -> Callable[[], list[float]]:
    """The values that are in the database, in order; nothing while it is away or empty."""

    def find() -> list[float]:
        try:
            with psycopg.connect(postgres, connect_timeout=5) as connection:
                found = connection.execute(
                    "SELECT value FROM reading r JOIN series s ON s.id = r.series_id "
                    "WHERE metric = 'power' ORDER BY value"
                ).fetchall()
        except psycopg.Error:
            return []
        return [float(row[0]) for row in found]

    return find


def measure(agent: BenchDriver, *values: int) -> None:
    """Readings and, beside them, one event in the urgent lane."""
    for value in values:
        agent.emit(Reading(device="meter-1", metric="power", value=float(value), at_ms=T0 + value))
    agent.emit(Event(device="door-1", kind="access.granted", at_ms=T0 + values[-1]))


def upto(last: int) -> list[float]:
    return [float(value) for value in range(1, last + 1)]


@pytest.mark.parametrize("running_on", [True, False], ids=["while-it-runs", "between-runs"])
def test_a_backup_that_is_put_back_gets_what_came_since(
    service: Service,
    agent: BenchDriver,
    backups: Backups,
    stored: Callable[[], list[float]],
    rows: Rows,
    running_on: bool,
) -> None:
    measure(agent, *range(1, 11))
    wait_for(lambda: stored() == upto(10))
    backups.take()
    measure(agent, *range(11, 21))
    wait_for(lambda: stored() == upto(20))
    if not running_on:
        service.stop()
    backups.put_back()
    if not running_on:
        service.ready()
    wait_for(lambda: stored() == upto(20), "what came since the backup is sent again, nobody asks for it")
    measure(agent, 21)
    wait_for(lambda: stored() == upto(21))
    assert service.said("database-restored") == int(running_on)
    assert not rows("SELECT FROM loss")


def test_a_database_that_is_emptied_gets_all_that_is_held_and_shows_the_rest(
    service: Service,
    agent: BenchDriver,
    backups: Backups,
    stored: Callable[[], list[float]],
    broker: Broker,
    postgres: str,
    states: list[HostState],
) -> None:
    """Neither estate nor people are there: that takes a backup. Gateways and devices get new rows, without a place."""
    other = Gateway(broker.port, "gw-2")
    measure(agent, *range(1, 11))
    wait_for(lambda: stored() == upto(10))
    wait_for(lambda: [state.online for state in states] == [True])
    backups.wipe()
    wait_for(lambda: service.said("database-away") >= 1, "it waits")
    empty = Database(postgres)
    empty.open()
    migrate(empty)
    wait_for(lambda: stored() == upto(10), "all that the gateway still holds")
    assert service.said("database-restored") == 1
    assert [state.online for state in states][:3] == [True, False, True]
    born(other, last_given=40, held=NumberSet([(31, 40)]))
    wait_for(lambda: other.acks)

    def lost() -> list[str]:
        with empty.transaction() as tx:
            return [row["numbers"] for row in tx.fetch("SELECT numbers::text FROM loss WHERE lane = 'bulk'")]

    wait_for(lambda: lost() == ["{[1,31)}"], "what is gone is in the loss view, told by the service itself")
    with empty.transaction() as tx:
        losses.look(tx, datetime.now(UTC))
        assert len(tx.fetch("SELECT FROM device WHERE place_id IS NULL")) == len(tx.fetch("SELECT FROM device"))
        assert tx.fetch("SELECT FROM rule"), "rules are there before anything is judged"
    measure(agent, 11)
    wait_for(lambda: stored() == upto(11))
    other.close()
    empty.close()


@pytest.fixture
def states(broker: Broker, service: Service) -> Iterator[list[HostState]]:
    """What the host says of itself, in order, from the retained word on."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    heard: list[HostState] = []
    client = Client(CallbackAPIVersion.VERSION2, clean_session=True)
    client.on_message = lambda _client, _data, message: heard.append(decode_state(bytes(message.payload)))
    client.connect("127.0.0.1", broker.port)
    client.subscribe(f"spBv1.0/STATE/{HOST}", 1)
    client.loop_start()
    yield heard
    client.disconnect()
    client.loop_stop()
