"""A message that kills the process: it costs three lives, then it is in the poison store, unopened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud.ingest.careful import Careful
from cloud.ingest.run import Run
from cloud.ingest.worker import IngestWorker
from cloud.storage.database import Database
from protocols.delivery import Lane
from tests.integration.ingest.conftest import HOST
from tests.integration.ingest.gateway import Gateway, event, wait_for
from tests.integration.ingest.killer import DEADLY
from tests.integration.ingest.service import Service
from tests.integration.ingest.test_ingest import T0, Rows, born, temperature
from tests.services.brokers import Broker


@pytest.fixture
def service(tmp_path: Path, postgres: str, database: Database, broker: Broker) -> Iterator[Service]:
    made = Service(tmp_path, postgres, broker.port, HOST, module="tests.integration.ingest.killer")
    yield made
    made.stop()


def test_what_kills_the_process_again_and_again_is_set_aside_unopened_and_the_rest_is_stored(
    service: Service, broker: Broker, rows: Rows
) -> None:
    service.ready()
    gateway = Gateway(broker.port)
    other = Gateway(broker.port, "gw-2")
    lives = 1

    def send() -> None:
        """What both hold, in order, as after each return of the cloud."""
        for one in (gateway, other):
            born(one)
        for number, value in enumerate((1.0, DEADLY, 3.0), 1):
            gateway.data(number, (temperature(value, T0 + number),), device="cold-1")
            other.data(number, (temperature(10.0 + number, T0 + number),), device="cold-1")

    send()
    wait_for(service.died, "the first death")
    while not rows("SELECT FROM poison"):
        assert lives < 5
        lives += 1
        service.ready()
        send()
        wait_for(lambda: service.died() is not None or rows("SELECT FROM poison"), "the next death, or the end of them")
    wait_for(lambda: gateway.acknowledged_up_to(3) and other.acknowledged_up_to(3))
    assert lives == 4, "one in a group, two alone; the fourth leaves it closed"
    assert service.died() is None
    assert rows("SELECT code, message, length(payload) > 0 AS raw FROM poison") == [
        {"code": "cloud.ingest.killed", "message": f"{gateway.epoch}/bulk/2-2", "raw": True}
    ]
    assert sorted(row["value"] for row in rows("SELECT value FROM reading")) == [1.0, 3.0, 11.0, 12.0, 13.0]
    # It comes once more: known, and not opened.
    before = len(gateway.acks)
    gateway.data(2, (temperature(DEADLY, T0),), device="cold-1")
    wait_for(lambda: len(gateway.acks) > before)
    assert service.died() is None
    for one in (gateway, other):
        one.close()


@pytest.fixture
def dead(database: Database, postgres: str) -> None:
    """A worker that was killed: its row stands, its connections are gone."""
    gone = Database(postgres)
    gone.open()
    with gone.transaction() as tx:
        Run(gone.name).begin(tx)
    gone.close()
    disconnected(database, gone)


def disconnected(database: Database, gone: Database) -> None:
    """Wait until the server has noticed that these connections are closed."""

    def left() -> int:
        with database.transaction() as tx:
            asked = "SELECT FROM pg_stat_activity WHERE application_name = %(name)s"
            return len(tx.fetch(asked, {"name": gone.name}))

    wait_for(lambda: not left())


def test_a_mark_is_taken_back_when_the_worker_survives(
    dead: None, worker: IngestWorker, gateway: Gateway, rows: Rows
) -> None:
    born(gateway)
    for number in range(1, 6):
        gateway.data(number, (temperature(float(number)),), device="cold-1")
    gateway.data(1, (event(22, "sos", T0),), device="smoke-1", lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(5) and gateway.acknowledged_up_to(1, Lane.URGENT))
    wait_for(lambda: {row["tries"] for row in rows("SELECT tries FROM attempt")} == {0})
    assert len(rows("SELECT FROM attempt")) == 6, "each was opened alone, under a mark of its own"
    assert len(rows("SELECT FROM reading")) == 5


def test_without_a_death_nothing_is_marked(worker: IngestWorker, gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    gateway.data(1, (temperature(1.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    assert not rows("SELECT FROM attempt")
    assert len(rows("SELECT FROM ingest_run WHERE died_at IS NULL")) == 1
    worker.stop()
    assert not rows("SELECT FROM ingest_run"), "a clean stop leaves nobody to be careful for"


def test_a_birth_that_killed_twice_is_left_closed_and_others_are_born(
    dead: None, start_worker: Callable[[], IngestWorker], database: Database, broker: Broker, rows: Rows
) -> None:
    rows("INSERT INTO ingest_run (id, connection, died_at) VALUES (gen_random_uuid(), 'x', now()) RETURNING id")
    rows("INSERT INTO attempt (message, tries) VALUES ('spBv1.0/peach-garden/NBIRTH/gw-1', 2) RETURNING tries")
    start_worker()
    gateway, other = Gateway(broker.port), Gateway(broker.port, "gw-2")
    born(gateway)
    born(other)
    wait_for(lambda: other.acks)
    assert [row["code"] for row in rows("SELECT code FROM gateway")] == ["gw-2"]
    closed = "SELECT FROM poison WHERE code = 'cloud.ingest.killed' AND topic = 'spBv1.0/peach-garden/NBIRTH/gw-1'"
    wait_for(lambda: len(rows(closed)) == 1)
    for one in (gateway, other):
        one.close()


def test_deaths_of_others_are_seen_once_and_only_of_those_who_are_dead(database: Database, postgres: str) -> None:
    living = Database(postgres)
    living.open()
    run, other = Run(database.name), Run(living.name)
    careful = Careful(database, run)
    with living.transaction() as tx:
        other.settle(other.begin(tx))
    careful.look()
    assert not careful.on
    living.close()
    disconnected(database, living)
    careful.look()
    assert [careful.on] == [True]
    with database.transaction() as tx:
        other.check(tx)  # it lives after all: nothing was lost for it
        tx.execute("UPDATE ingest_run SET died_at = now() - interval '1 hour'")
    careful.look()
    assert not careful.on, "forgotten after a while"
