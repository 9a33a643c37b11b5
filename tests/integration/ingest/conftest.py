"""A database with the schema, and workers on a real broker that are stopped at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from cloud.ingest.link import Broker as BrokerAddress
from cloud.ingest.port import Fact
from cloud.ingest.worker import IngestWorker
from cloud.storage.database import Database, Transaction
from cloud.storage.migrate import migrate
from tests.integration.ingest.gateway import Gateway, wait_for
from tests.services.brokers import Broker

HOST = "cloud"


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    opened = Database(postgres)
    opened.open()
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def broker(iotcore_broker: Broker) -> Broker:
    return iotcore_broker


class Facts:
    """A judge that remembers what it was given, in the transactions that committed."""

    def __init__(self) -> None:
        self.seen: list[Fact] = []
        self.fail: Exception | None = None

    def judge(self, tx: Transaction, facts: Sequence[Fact], now_ms: int) -> None:
        if self.fail is not None:
            raise self.fail
        self.seen += facts

    def watched(self, device_type: str | None, metric: str) -> bool:
        return metric in ("smoke", "temperature")


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def start_worker(database: Database, broker: Broker, facts: Facts) -> Iterator[Callable[[], IngestWorker]]:
    with ExitStack() as stack:

        def start() -> IngestWorker:
            address = BrokerAddress(port=broker.port)
            worker = IngestWorker(database, address, HOST, facts.judge, facts.watched, reorder_timeout=0.2)
            worker.start()
            stack.callback(worker.stop)
            wait_for(lambda: worker.connected, "worker connected")
            return worker

        yield start


@pytest.fixture
def worker(start_worker: Callable[[], IngestWorker]) -> IngestWorker:
    return start_worker()


@pytest.fixture
def gateway(worker: IngestWorker, broker: Broker) -> Iterator[Gateway]:
    made = Gateway(broker.port)
    yield made
    made.close()


@pytest.fixture
def rows(database: Database) -> Callable[[str], list[dict[str, Any]]]:
    """What a statement finds now."""

    def find(statement: str) -> list[dict[str, Any]]:
        with database.transaction() as tx:
            return tx.connection.execute(statement).fetchall()

    return find
