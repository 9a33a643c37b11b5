"""Large groups are on their way while others are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from cloud.ingest.storing import LARGE, UNJUDGED
from cloud.ingest.worker import IngestWorker
from protocols.delivery import Lane
from protocols.sparkplug.payload import Metric
from tests.integration.ingest.conftest import Facts
from tests.integration.ingest.gateway import Gateway, double, event, wait_for

Rows = Callable[[str], list[dict[str, Any]]]
T0 = 1_753_000_000_000
MANY = LARGE + 1
LAST = 9
"""Messages 3 to this one are together much."""


def many(begin_ms: int = T0) -> tuple[Metric, ...]:
    return tuple(double("temperature", 10, float(n), begin_ms + n) for n in range(MANY))


def born(gateway: Gateway, rows: Rows) -> None:
    """A cabinet that is known: its series has a number, so what it sends may fly."""
    gateway.birth(devices={"cold-1": (double("temperature", 10, None, T0), event(22, "x", T0))})
    gateway.data(1, (double("temperature", 10, 4.0, T0 - 1),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    assert len(rows("SELECT FROM reading")) == 1


@contextmanager
def nothing_is_appended(dsn: str, rows: Rows) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Meanwhile who appends waits; gives who does."""
    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE reading IN SHARE MODE")
        yield lambda: rows(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'COPY reading%'"
        )


@contextmanager
def two_in_the_air(
    gateway: Gateway, worker: IngestWorker, dsn: str, rows: Rows, *, table: str = "latest"
) -> Iterator[int]:
    """Message 2 and those behind it: the first waits for a table, these are appended meanwhile; gives who lands."""
    with psycopg.connect(dsn) as other:
        other.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE".encode())
        with nothing_is_appended(dsn, rows) as waiting:
            gateway.data(2, many(), device="cold-1")
            wait_for(waiting, "the first is on its way")
            follow(gateway)
            wait_for(lambda: worker._storing._prepared is not None, "the second is opened")
        landing = (
            f"SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO {table}%'"
        )
        marked = "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%INTO rollup_mark%'"
        wait_for(lambda: rows(landing) and rows(marked), "both are in the air")
        yield rows(landing)[0]["pid"]


def follow(gateway: Gateway) -> None:
    for number in range(3, LAST + 1):
        gateway.data(number, many(T0 + (number - 2) * MANY), device="cold-1")


def stored_once(rows: Rows, messages: int) -> bool:
    told = rows("SELECT count(*) AS n, count(DISTINCT ts) AS moments FROM reading")
    return told == [{"n": 1 + messages * MANY, "moments": 1 + messages * MANY}]


def test_the_next_flight_takes_off_before_the_last_has_landed(
    gateway: Gateway, worker: IngestWorker, postgres: str, rows: Rows
) -> None:
    born(gateway, rows)
    with two_in_the_air(gateway, worker, postgres, rows):
        assert not gateway.acknowledged_up_to(2)
    wait_for(lambda: gateway.acknowledged_up_to(LAST))
    assert stored_once(rows, LAST - 1)
    assert [row["value"] for row in rows("SELECT value FROM latest")] == [float(MANY - 1)]


def test_a_flight_that_falls_takes_nothing_of_the_next_with_it(
    gateway: Gateway, worker: IngestWorker, postgres: str, rows: Rows
) -> None:
    """The next one took the sets to be what the first would have left."""
    born(gateway, rows)
    with two_in_the_air(gateway, worker, postgres, rows) as landing:
        rows(f"SELECT pg_terminate_backend({landing})")
    wait_for(lambda: rows(f"SELECT FROM received WHERE numbers @> {LAST}::bigint"), "the next is stored")
    assert rows("SELECT numbers::text AS n FROM received WHERE lane = 'bulk'") == [{"n": f"{{[1,2),[3,{LAST + 1})}}"}]
    assert stored_once(rows, LAST - 2)
    gateway.data(2, many(), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(LAST))
    assert stored_once(rows, LAST - 1)


def test_an_older_database_gets_nothing_of_what_is_in_the_air(
    gateway: Gateway, worker: IngestWorker, postgres: str, rows: Rows
) -> None:
    """What the worker remembers of it (numbers of series) means nothing there."""
    born(gateway, rows)
    with two_in_the_air(gateway, worker, postgres, rows, table="received"):
        rows("DELETE FROM ingest_run RETURNING id")
    wait_for(lambda: gateway.acknowledged_up_to(2))
    assert stored_once(rows, 1)
    follow(gateway)
    wait_for(lambda: gateway.acknowledged_up_to(LAST))
    assert stored_once(rows, LAST - 1)


def test_a_flight_that_is_overtaken_leaves_nothing_that_another_worker_has_stored(
    gateway: Gateway, postgres: str, rows: Rows
) -> None:
    born(gateway, rows)
    with nothing_is_appended(postgres, rows) as waiting, psycopg.connect(postgres) as other:
        gateway.data(2, many(), device="cold-1")
        wait_for(waiting, "it is on its way")
        other.execute("UPDATE received SET numbers = '{[1,3)}' WHERE lane = 'bulk'")
        other.commit()
    wait_for(lambda: gateway.acknowledged_up_to(2))
    assert stored_once(rows, 0)
    assert [row["value"] for row in rows("SELECT value FROM latest")] == [4.0]


def test_what_came_again_while_it_flies_is_stored_once(
    gateway: Gateway, worker: IngestWorker, postgres: str, rows: Rows
) -> None:
    born(gateway, rows)
    with nothing_is_appended(postgres, rows) as waiting:
        gateway.data(2, many(), device="cold-1")
        wait_for(waiting, "it is on its way")
        gateway.data(2, many(), device="cold-1")
        follow(gateway)
        wait_for(lambda: worker._storing._prepared is not None, "what follows is opened")
    wait_for(lambda: gateway.acknowledged_up_to(LAST))
    assert stored_once(rows, LAST - 1)


def test_what_is_urgent_does_not_wait_for_bulk_that_is_on_its_way(gateway: Gateway, postgres: str, rows: Rows) -> None:
    born(gateway, rows)
    with nothing_is_appended(postgres, rows) as waiting:
        gateway.data(2, many(), device="cold-1")
        wait_for(waiting, "the large group is on its way")
        gateway.data(1, (event(22, "access.granted", T0),), device="cold-1", lane=Lane.URGENT)
        wait_for(lambda: gateway.acknowledged_up_to(1, Lane.URGENT))
        assert [row["kind"] for row in rows("SELECT kind FROM event WHERE kind LIKE 'access%'")] == ["access.granted"]
        assert not gateway.acknowledged_up_to(2)
    wait_for(lambda: gateway.acknowledged_up_to(2))
    assert [row["n"] for row in rows("SELECT count(*) AS n FROM reading")] == [1 + MANY]
    assert [row["value"] for row in rows("SELECT value FROM latest")] == [float(MANY - 1)]
    assert rows("SELECT FROM rollup_mark")


def test_a_flight_that_ends_in_the_middle_is_forgotten_and_comes_again(
    gateway: Gateway, postgres: str, rows: Rows
) -> None:
    born(gateway, rows)
    with nothing_is_appended(postgres, rows) as waiting:
        gateway.data(2, many(), device="cold-1")
        wait_for(waiting, "the large group is on its way")
        gateway.data(3, many(T0 + MANY), device="cold-1")
        rows(f"SELECT pg_terminate_backend({waiting()[0]['pid']})")
        wait_for(lambda: not waiting(), "it has ended")
    for number in (2, 3):
        gateway.data(number, many(T0 + (number - 2) * MANY), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(3))
    assert [row["n"] for row in rows("SELECT count(*) AS n FROM reading")] == [1 + 2 * MANY]


def test_what_cannot_be_judged_is_stored_and_remembered_also_when_it_flew(
    gateway: Gateway, facts: Facts, database: Any, rows: Rows
) -> None:
    born(gateway, rows)
    with database.transaction() as tx:
        tx.execute("INSERT INTO place (kind, code, path, name) VALUES ('street', 's', 's', '{}')")
        tx.execute("UPDATE device SET place_id = (SELECT id FROM place)")
    facts.fail = RuntimeError("no rule survives this")
    gateway.data(2, many(), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(2))
    assert [row["code"] for row in rows("SELECT code FROM poison")] == [UNJUDGED]
    assert [row["n"] for row in rows("SELECT count(*) AS n FROM reading")] == [1 + MANY]


def test_what_came_twice_is_stored_once_also_when_it_flies(gateway: Gateway, rows: Rows) -> None:
    born(gateway, rows)
    for number in (2, 3, 2, 3):
        gateway.data(number, many(T0 + (number - 2) * MANY), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(3))
    gateway.data(4, many(T0 + 2 * MANY), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(4))
    assert [row["n"] for row in rows("SELECT count(*) AS n FROM reading")] == [1 + 3 * MANY]


def test_what_was_opened_during_a_flight_follows_it_and_is_stored_once(
    gateway: Gateway, postgres: str, rows: Rows
) -> None:
    born(gateway, rows)
    with nothing_is_appended(postgres, rows) as waiting:
        gateway.data(2, many(), device="cold-1")
        wait_for(waiting, "the first large group is on its way")
        gateway.data(3, many(T0 + MANY), device="cold-1")
        gateway.data(1, (event(22, "access.granted", T0),), device="cold-1", lane=Lane.URGENT)
        wait_for(lambda: gateway.acknowledged_up_to(1, Lane.URGENT))
        assert not gateway.acknowledged_up_to(2)
    wait_for(lambda: gateway.acknowledged_up_to(3))
    told = "SELECT count(*) AS n, count(DISTINCT ts) AS moments FROM reading"
    assert rows(told) == [{"n": 1 + 2 * MANY, "moments": 1 + 2 * MANY}]
    assert [row["n"] for row in rows("SELECT count(*) AS n FROM event WHERE kind LIKE 'access%'")] == [1]
