"""What is said only after a commit, and which value is the latest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cloud.ingest.link import Broker as BrokerAddress
from cloud.ingest.worker import IngestWorker
from cloud.storage.database import Database, Transaction
from protocols.delivery import Lane
from protocols.errors import UnavailableError
from tests.integration.ingest.conftest import HOST, Facts
from tests.integration.ingest.gateway import Gateway, boolean, double, wait_for
from tests.integration.ingest.test_ingest import T0, Rows, born, temperature
from tests.services.brokers import Broker


class BrokenDatabase(Database):
    """With `ends`, the connection breaks before or after the commit of a transaction that sees readings."""

    ends: str | None = None
    broke = 0

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """As the real one, with an end of its own."""
        with super().transaction() as tx:
            yield tx
            stored = tx.one("SELECT FROM reading LIMIT 1") is not None
            if stored and self.ends == "before":
                self.broke += 1
                raise UnavailableError("cloud.database.away", why="planned")
            tx.flush()
        if stored and self.ends == "after":
            self.ends = None
            self.broke += 1
            raise UnavailableError("cloud.database.away", why="planned")


@pytest.fixture
def broken(postgres: str, database: Database) -> Iterator[BrokenDatabase]:
    made = BrokenDatabase(postgres)
    made.open()
    yield made
    made.close()


@pytest.fixture
def gateway(broken: BrokenDatabase, broker: Broker, facts: Facts) -> Iterator[Gateway]:
    worker = IngestWorker(broken, BrokerAddress(port=broker.port), HOST, facts.judge, facts.watched)
    worker.start()
    wait_for(lambda: worker.connected)
    made = Gateway(broker.port)
    born(made)
    wait_for(lambda: {ack.lane for ack in made.acks} == set(Lane))
    yield made
    made.close()
    worker.stop()


@pytest.mark.parametrize("ends", ["before", "after"])
def test_what_may_not_be_committed_is_not_acknowledged_and_not_kept_in_hand(
    broken: BrokenDatabase, gateway: Gateway, rows: Rows, ends: str
) -> None:
    broken.ends = ends
    gateway.data(1, (temperature(1.0),), device="cold-1")
    wait_for(lambda: broken.broke)
    broken.ends = None
    born(gateway, last_given=1)  # answered after the failure: the group was not stored by the worker itself
    wait_for(lambda: {ack.lane for ack in gateway.acks if ack.birth == gateway.birth_id} == set(Lane))
    known = {ack.lane: str(ack.received) for ack in gateway.acks if ack.birth == gateway.birth_id}
    assert known[Lane.BULK] == ("{}" if ends == "before" else "{[1,2)}")
    assert all(not ack.received for ack in gateway.acks if ack.birth.count == 1)
    gateway.data(1, (temperature(1.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    assert len(rows("SELECT FROM reading")) == 1


@pytest.mark.parametrize(
    ("order", "latest"),
    [
        ([(1, 10), (2, 20), (3, 30)], 3.0),
        ([(3, 30), (1, 10), (2, 20)], 3.0),
        ([(2, 20), (3, 20)], 3.0),
        ([(2, 20), (3, 20), (9, 10)], 3.0),
    ],
    ids=["in-order", "late", "same-time", "same-time-and-late"],
)
@pytest.mark.parametrize("together", [True, False], ids=["one-message", "several"])
def test_the_latest_value_goes_by_the_time_of_the_observation(
    gateway: Gateway, rows: Rows, order: list[tuple[float, int]], latest: float, together: bool
) -> None:
    """Of two with the same time the one that was appended last."""
    metrics = [temperature(float(value), T0 + at) for value, at in order]
    messages = [tuple(metrics)] if together else [(metric,) for metric in metrics]
    for number, content in enumerate(messages, 1):
        gateway.data(number, content, device="cold-1")
        wait_for(lambda up_to=number: gateway.acknowledged_up_to(up_to))  # type: ignore[misc]
    assert [row["value"] for row in rows("SELECT value FROM latest")] == [latest]


def test_lanes_that_overtake_each_other_leave_the_newest_state(
    gateway: Gateway, rows: Rows, facts: Facts, start_worker: Callable[[], Any]
) -> None:
    """A state in the urgent lane overtakes a backlog of the same metric, which does not take its place."""
    rows("INSERT INTO place (kind, code, path, name) VALUES ('street', 's', 's', '{}') RETURNING id")
    rows("UPDATE device SET place_id = (SELECT id FROM place), type = 'smoke' WHERE code = 'smoke-1' RETURNING id")
    gateway.data(1, (boolean("smoke", 20, True, T0 + 100),), device="smoke-1", lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(1, Lane.URGENT))
    backlog = (
        boolean("smoke", 20, False, T0 + 50),
        boolean("smoke", 20, True, T0 + 20),
        double("battery", 21, 9.0, T0),
    )
    gateway.data(1, backlog, device="smoke-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    newest = rows("SELECT value FROM latest JOIN series ON series.id = series_id WHERE metric = 'smoke'")
    assert newest == [{"value": 1.0}]
    assert [fact.observation.at_ms - T0 for fact in facts.seen] == [100, 20, 50], "within a group in the order of time"
