"""Two workers with connections of their own that hear the same: all is stored once, nobody waits in a ring."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from cloud.ingest.bulk import Content
from cloud.ingest.channels import Channels
from cloud.ingest.commit import GroupWriter
from cloud.ingest.run import Run
from cloud.ingest.work import Born, Died, Group, Turn
from cloud.storage.database import Database
from protocols.delivery import Lane
from protocols.errors import UnavailableError
from protocols.sparkplug.payload import RawPayload
from tests.integration.ingest.conftest import HOST
from tests.integration.ingest.gateway import Gateway, boolean, wait_for
from tests.integration.ingest.test_ingest import T0, Rows, born, temperature
from tests.services.brokers import Broker

WORKER = """
import json, sys, time
from cloud.ingest.link import Broker
from cloud.ingest.worker import IngestWorker
from cloud.storage.database import Database
dsn, port, host = json.loads(sys.argv[1])
database = Database(dsn)
database.open()
worker = IngestWorker(database, Broker(port=port), host, lambda tx, facts, now: None, lambda kind, metric: False)
worker.start()
while not worker.connected:
    time.sleep(0.01)
print("ready", flush=True)
sys.stdin.read()
worker.stop()
database.close()
"""
BROKERS = ["iotcore_broker", pytest.param("mosquitto_broker", marks=pytest.mark.needs("mosquitto"))]


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Broker:
    found: Broker = request.getfixturevalue(request.param)
    return found


@contextmanager
def worker(dsn: str, port: int) -> Iterator[None]:
    """A worker in a process of its own."""
    command = [sys.executable, "-c", WORKER, json.dumps([dsn, port, HOST])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.stdin.close()
            process.wait(20)


def test_two_processes_that_hear_the_same_store_it_once(
    postgres: str, database: Database, broker: Broker, rows: Rows
) -> None:
    """Gateways with and without an outbox, births and data in another order each time, some of them twice."""
    order = random.Random(7)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(worker(postgres, broker.port))
        ours = [Gateway(broker.port, f"gw-{number}") for number in range(1, 5)]
        others = [Gateway(broker.port, f"plc-{number}", acknowledged=False) for number in range(1, 4)]
        for one in ours + others:
            stack.callback(one.close)
        for turn in range(3):
            everybody = ours + others
            order.shuffle(everybody)
            for one in everybody:
                born(one, last_given=30 * turn)
            numbers = [(one, number) for one in ours for number in range(30 * turn + 1, 30 * turn + 31)]
            again = order.sample(numbers, 40)
            order.shuffle(numbers)
            for one, number in [*numbers, *again]:
                one.data(number, (temperature(float(number), T0 + number),), device="cold-1")
            for one in ours:
                smoke = (boolean("smoke", 20, bool(turn % 2), T0 + turn),)
                one.data(turn + 1, smoke, device="smoke-1", lane=Lane.URGENT)
            wait_for(lambda last=30 * turn + 30: all(one.acknowledged_up_to(last) for one in ours))  # type: ignore[misc]
            wait_for(lambda last=turn + 1: all(one.acknowledged_up_to(last, Lane.URGENT) for one in ours))  # type: ignore[misc]
    found = rows(
        """
        SELECT g.code, s.metric, count(*) AS count, count(DISTINCT r.ts) AS different
        FROM reading r JOIN series s ON s.id = series_id JOIN device d ON d.id = device_id
        JOIN gateway g ON g.id = d.gateway_id WHERE g.code LIKE 'gw-%' GROUP BY 1, 2 ORDER BY 1, 2
        """
    )
    wanted = [{"metric": "smoke", "count": 3, "different": 3}, {"metric": "temperature", "count": 90, "different": 90}]
    assert found == [{"code": one.node} | row for one in ours for row in wanted]
    assert len(rows("SELECT FROM event WHERE kind = 'gateway.online'")) == 7
    assert rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [{"deadlocks": 0}]
    assert not rows("SELECT FROM poison")


def test_births_and_deaths_of_plain_nodes_in_any_order_never_wait_in_a_ring(
    database: Database, postgres: str, rows: Rows
) -> None:
    """They have no lanes whose rows would put the workers in order."""
    nodes = [("werk", f"plc-{number}") for number in range(1, 30)]
    turns = [Died(node=node, device=None, at_ms=T0, reason="death", plain=True) for node in nodes]
    other = Database(postgres)
    other.open()
    together = threading.Barrier(2)
    failed: list[Exception] = []

    def work(mine: Database, order: list[Died]) -> None:
        run = Run(mine.name)
        with mine.transaction() as tx:
            run.settle(run.begin(tx))
        channels = Channels()
        try:
            for number in range(1, 25):
                births: list[Turn] = [_born(channels, turn.node) for turn in order]
                group = Group(turns=births if number % 2 else [*order])
                together.wait(30)
                with mine.transaction() as tx:
                    writer = GroupWriter(tx, channels, lambda *_: None, lambda *_: False, {})
                    writer.write(group, Content(), T0 + number)
        except (UnavailableError, threading.BrokenBarrierError) as error:
            failed.append(error)
            together.abort()

    work_of = ((database, turns), (other, turns[::-1]))
    threads = [threading.Thread(target=work, args=arguments) for arguments in work_of]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    other.close()
    assert failed == []
    assert len(rows("SELECT FROM gateway")) == len(nodes)


def _born(channels: Channels, node: tuple[str, str]) -> Born:
    session = channels.node_born(node, (), RawPayload())
    return Born(session=session, table=session.tables[""], at_ms=T0)
