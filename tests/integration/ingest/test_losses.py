"""What did not arrive is computed, told once with its reason, and taken back when it arrives after all."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud.ingest import losses
from cloud.ingest.worker import IngestWorker
from cloud.storage import delivery
from cloud.storage.database import Database
from cloud.storage.places import Places
from cloud.storage.queries import load
from cloud.storage.scope import Scope
from protocols.delivery import Lane, NumberSet
from tests.integration.ingest.gateway import Gateway, event, wait_for
from tests.integration.ingest.test_ingest import T0, Rows, born, temperature
from tests.services.brokers import Broker

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = Scope(paths=frozenset(), unplaced=True)


@pytest.fixture
def look(database: Database) -> Callable[..., None]:
    """One look, `after` seconds."""

    def look(after: float = 0.0) -> None:
        with database.transaction() as tx:
            losses.look(tx, NOW + timedelta(seconds=after))

    return look


@pytest.fixture
def lanes(database: Database) -> Callable[[], dict[str, dict[str, Any]]]:
    """The lanes of the only gateway, as pages see them."""

    def find() -> dict[str, dict[str, Any]]:
        with database.transaction() as tx:
            (one,) = delivery.gateways(tx, Places(), EVERYTHING)
        return {lane["lane"]: lane for lane in one["lanes"]}

    return find


def send(gateway: Gateway, *numbers: int, lane: Lane = Lane.BULK) -> None:
    for number in numbers:
        gateway.data(number, (temperature(float(number)),), device="cold-1", lane=lane)


def told(rows: Rows) -> list[tuple[str, int, int, str]]:
    found = rows("SELECT kind, data FROM event WHERE kind LIKE 'delivery.%' ORDER BY id")
    return [(row["kind"], row["data"]["first"], row["data"]["last"], row["data"]["reason"]) for row in found]


def test_what_a_birth_no_longer_holds_is_lost_once_and_back_when_it_arrives(
    gateway: Gateway, rows: Rows, look: Callable[..., None], lanes: Callable[[], dict[str, dict[str, Any]]]
) -> None:
    born(gateway, last_given=10, held=NumberSet([(1, 4), (8, 10)]))
    wait_for(lambda: len(gateway.acks) >= 2)
    send(gateway, 1, 2)
    wait_for(lambda: gateway.acknowledged_up_to(2))
    look()
    look(10)
    # Both lanes declare the same here; 5 to 7 are nowhere, 3, 4 and 8 to 10 are held.
    assert told(rows) == [("delivery.lost", 5, 7, "unknown")] * 2
    wanted = {"lane": "bulk", "given": 10, "received": 2, "held": 5, "lost": 3, "open": 0}
    assert {key: lanes()["bulk"][key] for key in wanted} == wanted
    send(gateway, 6)
    wait_for(lambda: rows("SELECT FROM received WHERE numbers @> 6::bigint"))
    look(20)
    send(gateway, 5, 7)
    wait_for(lambda: rows("SELECT FROM received WHERE numbers @> 7::bigint"))
    look(30)
    look(40)
    back = [one[:3] for one in told(rows)[2:]]
    assert back == [("delivery.arrived", 6, 6), ("delivery.arrived", 5, 7)]
    assert rows("SELECT numbers::text, missing::text, ended_at FROM loss WHERE lane = 'bulk'") == [
        {"numbers": "{[5,8)}", "missing": "{}", "ended_at": NOW + timedelta(seconds=30)}
    ]
    assert lanes()["bulk"]["lost"] == 0
    kinds = rows("SELECT data->>'kind' AS kind FROM stream_event WHERE kind = 'loss' ORDER BY id")
    assert [row["kind"] for row in kinds] == ["delivery.lost"] * 2 + ["delivery.arrived"] * 2
    assert len(rows("SELECT FROM audit WHERE action LIKE 'delivery.%' AND subject = 'peach-garden/gw-1'")) == 4


def test_a_hole_that_no_birth_has_spoken_about_is_open_and_not_lost(
    gateway: Gateway, rows: Rows, look: Callable[..., None], lanes: Callable[[], dict[str, dict[str, Any]]]
) -> None:
    born(gateway)
    send(gateway, 1, 3)
    wait_for(lambda: rows("SELECT FROM received WHERE numbers @> 3::bigint"))
    look()
    assert told(rows) == []
    assert (lanes()["bulk"]["lost"], lanes()["bulk"]["open"]) == (0, 1)
    given_up = {"epoch": str(gateway.epoch), "lane": "bulk", "first": 2, "last": 2, "count": 1, "reason": "unreadable"}
    gateway.data(1, (event(5, "outbox.lost", T0, given_up),), lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(1, Lane.URGENT))
    look(10)
    assert told(rows) == [("delivery.lost", 2, 2, "unreadable")], "the gateway itself says that it is gone"


@pytest.mark.parametrize(
    "data", [{"first": 0}, {"first": "1"}, {"lane": "slow"}, {"last": None}, {"reason": "thinned"}]
)
def test_nonsense_in_a_gateways_words_gives_nothing_up(
    gateway: Gateway, rows: Rows, look: Callable[..., None], data: dict[str, Any]
) -> None:
    born(gateway)
    send(gateway, 1, 3)
    words = {"epoch": str(gateway.epoch), "lane": "bulk", "first": 2, "last": 2, "reason": "quota"} | data
    gateway.data(1, (event(5, "outbox.lost", T0, words),), lane=Lane.URGENT)
    wait_for(
        lambda: gateway.acknowledged_up_to(1, Lane.URGENT) and rows("SELECT FROM received WHERE numbers @> 3::bigint")
    )
    look()
    assert told(rows) == []


def test_an_epoch_that_no_birth_names_any_more_is_lost_with_what_it_lacks(
    gateway: Gateway, rows: Rows, look: Callable[..., None]
) -> None:
    born(gateway, last_given=5, held=NumberSet([(1, 5)]))
    send(gateway, 1, 2)
    wait_for(lambda: gateway.acknowledged_up_to(2))
    look()
    assert told(rows) == []
    gateway.epoch = uuid.uuid4()
    born(gateway)
    wait_for(lambda: any(ack.epoch == gateway.epoch for ack in gateway.acks))
    look(10)
    assert sorted(told(rows)) == [("delivery.lost", 1, 5, "vanished"), ("delivery.lost", 3, 5, "vanished")]
    gateway.data(1, (event(5, "outbox.set-aside", T0, {"file": "outbox.db.1", "why": "torn"}),), lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(1, Lane.URGENT))
    look(20)
    assert [row["reason"] for row in rows("SELECT reason FROM loss")] == ["set-aside", "set-aside"]
    assert len(told(rows)) == 2, "a reason that is learnt later is no second loss"


def test_an_epoch_of_which_nothing_was_left_before_any_birth_is_lost_once_with_its_reason(
    gateway: Gateway, rows: Rows, look: Callable[..., None], lanes: Callable[[], dict[str, dict[str, Any]]]
) -> None:
    gone = gateway.epoch
    born(gateway, last_given=4)
    wait_for(lambda: len(gateway.acks) >= 2)
    look()
    born(gateway, last_given=4)
    wait_for(lambda: len(gateway.acks) >= 4)
    look(10)
    assert told(rows) == [("delivery.lost", 1, 4, "unknown")] * 2, "the birth that names it came twice"
    assert lanes()["bulk"]["lost"] == 4
    gateway.epoch = uuid.uuid4()
    born(gateway)
    given_up = {"epoch": str(gone), "lane": "bulk", "first": 1, "last": 4, "count": 4, "reason": "quota"}
    gateway.data(1, (event(5, "outbox.lost", T0, given_up),), lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(1, Lane.URGENT))
    look(20)
    assert len(told(rows)) == 2, "nobody names it any more: no second loss"
    assert rows("SELECT lane, reason FROM loss ORDER BY lane") == [
        {"lane": "bulk", "reason": "quota"},
        {"lane": "urgent", "reason": "vanished"},
    ]


def test_what_a_set_aside_file_had_is_lost_for_that_reason_while_its_epoch_is_still_declared(
    gateway: Gateway, rows: Rows, look: Callable[..., None]
) -> None:
    born(gateway, last_given=3)
    gateway.data(1, (event(5, "outbox.set-aside", T0, {"file": "outbox.db.1", "why": "torn"}),), lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(1, Lane.URGENT))
    look()
    assert sorted(told(rows)) == [("delivery.lost", 1, 3, "set-aside"), ("delivery.lost", 2, 3, "set-aside")]


def test_what_another_gateway_holds_is_not_lost(
    gateway: Gateway, broker: Broker, rows: Rows, look: Callable[..., None]
) -> None:
    """A cloned card, or one that moved to another gateway."""
    born(gateway, last_given=5, held=NumberSet([(1, 2)]))
    clone = Gateway(broker.port, "gw-2")
    clone.epoch = gateway.epoch
    born(clone, last_given=4, held=NumberSet([(2, 4)]))
    wait_for(lambda: clone.acks and gateway.acks)
    wait_for(lambda: len(rows("SELECT FROM gateway WHERE online")) == 2)
    look()
    assert {one[:3] for one in told(rows)} == {("delivery.lost", 5, 5)}
    clone.close()


def test_a_birth_without_an_outbox_says_nothing_about_it(
    gateway: Gateway, rows: Rows, look: Callable[..., None]
) -> None:
    born(gateway, last_given=5, held=NumberSet([(1, 5)]))
    wait_for(lambda: gateway.acks)
    gateway.acknowledged = False
    born(gateway)
    wait_for(lambda: rows("SELECT FROM latest"), "the birth of a plain node was processed")
    look()
    assert told(rows) == []


def test_a_set_in_many_pieces_is_told_as_one(
    gateway: Gateway, worker: IngestWorker, rows: Rows, look: Callable[..., None], database: Database
) -> None:
    even = NumberSet([(number, number) for number in range(2, 101, 2)])
    born(gateway, last_given=100, held=even)
    wait_for(lambda: gateway.acks)
    look()
    assert {
        row["count"] for row in rows("SELECT (data->>'count')::int AS count FROM event WHERE kind = 'delivery.lost'")
    } == {50}
    with database.transaction() as tx:
        found = delivery.losses(tx, Places(), EVERYTHING, None, 10)
        assert delivery.standing(tx) == {"urgent": (50, 50, 0), "bulk": (50, 50, 0)}
    assert [(one["count"], one["missing"], len(one["ranges"])) for one in found] == [(50, 50, 20)] * 2


def test_what_was_given_up_is_found_by_its_epoch_however_much_was_told(database: Database, gateway: Gateway) -> None:
    born(gateway)
    wait_for(lambda: gateway.acks)
    lost = """
        INSERT INTO event (event_id, device_id, ts, kind, data)
        SELECT gen_random_uuid(), (SELECT min(id) FROM device), now(), 'outbox.lost',
               jsonb_build_object('epoch', gen_random_uuid()) FROM generate_series(1, 5000)
    """
    with database.transaction() as tx:
        tx.connection.execute(lost)
        tx.connection.execute("ANALYZE event")
        plan = tx.fetch(f"EXPLAIN {load('losses')['given_up']}", {"epochs": [str(uuid.uuid4()) for _ in range(3)]})
    assert "event_given_up" in "\n".join(str(row["QUERY PLAN"]) for row in plan)
