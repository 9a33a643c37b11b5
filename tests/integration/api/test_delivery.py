"""What did not arrive, as the console reads it: by place, with numbers, reason and time; told to pages and metrics."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cloud.api.console import overview
from cloud.identity import sessions
from cloud.ingest import losses
from cloud.ingest.lag import Lag
from protocols.errors import UnavailableError
from protocols.sparkplug.actions import Now
from tests.integration.api.conftest import Street

EPOCH = uuid.uuid4()


@pytest.fixture
def lossy(street: Street) -> dict[str, Any]:
    """A gateway that gave 20 numbers: 12 arrived, 3 are held, 2 are lost, 3 may be on their way."""
    (gateway,) = street.rows("SELECT id, group_code, code FROM gateway ORDER BY id LIMIT 1")
    declared = json.dumps({"bulk": f"{EPOCH}:{{[10,13)}}/17"})
    with street.database.transaction() as tx:
        tx.execute("UPDATE gateway SET declared = %(declared)s, online = true", {"declared": "{}"})
        tx.execute("UPDATE gateway SET declared = %(declared)s WHERE id = %(id)s", gateway | {"declared": declared})
        row = {"epoch": EPOCH, "gateway": gateway["id"], "numbers": "{[1,8),[13,18)}"}
        tx.execute(
            "INSERT INTO received (epoch, lane, numbers, highest, gateway_id)"
            " VALUES (%(epoch)s, 'bulk', %(numbers)s::int8multirange, 20, %(gateway)s)",
            row,
        )
        losses.look(tx, datetime.now(UTC))
    return gateway


def test_operators_see_what_is_held_and_what_is_missing_at_their_places(lossy: dict[str, Any], street: Street) -> None:
    with street.serving(workers=False), street.signed_in("chenjing") as operator:
        (shown,) = operator.get("/api/v1/delivery").json()
        assert (shown["group"], shown["code"]) == (lossy["group_code"], lossy["code"])
        (lane,) = shown["lanes"]
        assert lane.pop("lost_since") is not None
        assert lane == {"lane": "bulk", "given": 20, "received": 12, "held": 3, "lost": 2, "open": 3}
        (loss,) = operator.get("/api/v1/delivery/losses", params={"gateway": lossy["id"]}).json()
        assert (loss["ranges"], loss["count"], loss["missing"], loss["reason"]) == ([[8, 9]], 2, 2, "unknown")
        assert loss["ended_at"] is None
        assert operator.get("/api/v1/delivery/losses", params={"gateway": lossy["id"] + 1}).json() == []
        text = operator.get("/metrics").text
        assert 'liandong_delivery_missing_messages{lane="bulk",state="lost"} 2.0' in text
        assert 'liandong_delivery_missing_messages{lane="bulk",state="open"} 3.0' in text
        assert 'liandong_delivery_held_messages{lane="bulk"} 3.0' in text


def test_who_works_elsewhere_or_answers_calls_only_sees_nothing_of_it(lossy: dict[str, Any], street: Street) -> None:
    street.rows("INSERT INTO place (kind, code, path, name) VALUES ('street', 'far', 'far', '{}') RETURNING id")
    street.rows(
        "UPDATE role_grant SET place_id = (SELECT id FROM place WHERE path = 'far')"
        " WHERE person_id = (SELECT id FROM person WHERE login = 'chenjing') RETURNING role"
    )
    with street.serving(workers=False):
        with street.signed_in("chenjing") as operator:
            assert operator.get("/api/v1/delivery").json() == []
            assert operator.get("/api/v1/delivery/losses").json() == []
        with street.signed_in("liming") as volunteer:
            assert volunteer.get("/api/v1/delivery").status_code == 403
            assert volunteer.get("/api/v1/delivery/losses").status_code == 403


def test_the_pages_are_told_where_it_happened(lossy: dict[str, Any], street: Street) -> None:
    (told,) = street.rows("SELECT data, place_id FROM stream_event WHERE kind = 'loss'")
    assert told["place_id"] == street.rows("SELECT place_id FROM gateway WHERE id = %(id)s", **lossy)[0]["place_id"]
    assert told["data"]["gateway"] == {"group": lossy["group_code"], "code": lossy["code"]}
    assert (told["data"]["count"], told["data"]["reason"]) == (2, "unknown")


def test_operators_are_told_once_when_the_cloud_lags_and_once_when_it_has_caught_up(street: Street) -> None:
    waits_since: list[float | None] = [None]
    lag = Lag(street.database, lambda: waits_since[0])

    def at(seconds: float, oldest: float | None) -> list[dict[str, Any]]:
        waits_since[0] = oldest
        lag.tick(Now(at=seconds, utc_ms=1_753_000_000_000))
        return [row["data"] for row in street.rows("SELECT data FROM stream_event WHERE kind = 'lag' ORDER BY id")]

    assert at(100.0, 91.0) == []
    assert at(102.0, 91.0) == [{"late": True, "seconds": 11}]
    assert [lag.late] == [True]
    assert len(at(110.0, 91.0)) == 1
    assert len(at(110.0, 107.0)) == 1, "better, and not yet good"
    assert at(111.0, 110.0)[1:] == [{"late": False, "seconds": 1}]
    assert [lag.late] == [False]
    assert at(112.0, None) == at(111.0, 110.0)
    actions = street.rows("SELECT action FROM audit WHERE action IN ('ingest.late', 'ingest.in-time') ORDER BY id")
    assert [row["action"] for row in actions] == ["ingest.late", "ingest.in-time"]


def test_a_worker_that_was_killed_while_it_lagged_has_its_end_told_by_the_next_one(street: Street) -> None:
    Lag(street.database, lambda: 1.0).tick(Now(at=60.0, utc_ms=1_753_000_000_000))
    for _ in range(2):
        Lag(street.database, lambda: None).tick(Now(at=61.0, utc_ms=1_753_000_001_000))
    told = street.rows("SELECT data FROM stream_event WHERE kind = 'lag' ORDER BY id")
    assert [row["data"]["late"] for row in told] == [True, False]


def test_who_opens_the_console_later_sees_what_stands(lossy: dict[str, Any], street: Street) -> None:
    (loss,) = street.rows("SELECT id FROM loss WHERE ended_at IS NULL")
    with street.serving(workers=False), street.signed_in("chenjing") as operator:
        assert street.services is not None
        shown = operator.get("/api/v1/overview").json()
        assert (shown["losses"], shown["lag"]) == ({"count": 1, "newest": loss["id"]}, None)
        Lag(street.database, lambda: 1.0).tick(Now(at=60.0, utc_ms=1_753_000_000_000))
        with street.database.transaction() as tx:
            who = sessions.find(tx, operator.cookies["liandong_session"], datetime.now(UTC))
        late = replace(street.services, working=lambda: {"in_time": False})
        assert overview(who, late)["lag"] == 59


def test_what_cannot_be_told_while_the_database_is_away_is_told_later(street: Street) -> None:
    lag = Lag(street.database, lambda: 0.0)
    street.database.close()
    with pytest.raises(UnavailableError):
        lag.tick(Now(at=60.0, utc_ms=1_753_000_000_000))
    assert not lag.late
