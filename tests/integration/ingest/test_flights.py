"""Large groups are on their way while others are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from cloud.ingest.storing import LARGE, UNJUDGED
from protocols.delivery import Lane
from protocols.sparkplug.payload import Metric
from tests.integration.ingest.conftest import Facts
from tests.integration.ingest.gateway import Gateway, double, event, wait_for

Rows = Callable[[str], list[dict[str, Any]]]
T0 = 1_753_000_000_000
MANY = LARGE + 1


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
