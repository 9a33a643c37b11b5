"""Taps in the same millisecond, taps twice, a crash between: one assignment, polite answers, nothing lost."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from cloud.loop import offers
from cloud.loop.work import working
from cloud.storage.queries import load
from protocols.errors import RefusedError
from tests.integration.api.conftest import Street, action, wait_for


def _now() -> datetime:
    return datetime.now(UTC)


def _people(street: Street) -> dict[str, UUID]:
    return {row["login"]: row["id"] for row in street.rows("SELECT login, id FROM person")}


def _offers(street: Street) -> dict[str, UUID]:
    rows = street.rows("SELECT person.login, offer.id FROM offer JOIN person ON person.id = offer.person_id")
    return {row["login"]: row["id"] for row in rows}


def _accept(street: Street, login: str, action_id: UUID | None = None) -> dict[str, Any]:
    person, offer = _people(street)[login], _offers(street)[login]
    with working(street.database, street.places, _now(), person) as work:
        return offers.once(work, action_id or uuid.uuid4(), lambda: offers.accept(work, offer))


def _smoke(street: Street) -> None:
    """Smoke, and the first wave is out."""
    street.observe("smoke-502", {"smoke": True})
    assert street.settle() == 1


def _states(street: Street) -> dict[str, str]:
    rows = street.rows("SELECT person.login, offer.state FROM offer JOIN person ON person.id = offer.person_id")
    return {row["login"]: row["state"] for row in rows}


@pytest.mark.parametrize("round_", range(5))
def test_two_accepts_at_once_make_one_assignment_and_one_polite_refusal(street: Street, round_: int) -> None:
    _smoke(street)
    barrier = threading.Barrier(2)

    def tap(login: str) -> str:
        barrier.wait(10)
        result: str = _accept(street, login)["result"]
        return result

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(tap, ("liming", "wangfang")))
    assert sorted(results) == ["assigned", "taken"]
    (assignment,) = street.rows("SELECT person_id, state FROM assignment")
    winner = ("liming", "wangfang")[results.index("assigned")]
    assert assignment == {"person_id": _people(street)[winner], "state": "accepted"}
    assert sorted(_states(street).values()) in (["accepted", "late"], ["accepted", "withdrawn"])


def test_the_same_tap_twice_at_once_happens_once(street: Street) -> None:
    _smoke(street)
    tap, barrier = uuid.uuid4(), threading.Barrier(2)

    def send(_: int) -> dict[str, Any]:
        barrier.wait(10)
        return _accept(street, "liming", tap)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(send, range(2))
    assert first == second
    assert first["result"] == "assigned"
    assert len(street.rows("SELECT FROM timeline WHERE kind = 'accepted'")) == 1


def test_an_action_of_somebody_else_is_refused(street: Street) -> None:
    _smoke(street)
    tap = uuid.uuid4()
    _accept(street, "liming", tap)
    with pytest.raises(RefusedError, match="somebody else"):
        _accept(street, "wangfang", tap)


def test_a_person_has_one_task_at_a_time(street: Street) -> None:
    street.observe("sos-301", "sos")
    street.observe("smoke-502", {"smoke": True})
    assert street.settle() == 2
    rows = street.rows(
        "SELECT offer.id FROM offer JOIN person ON person.id = offer.person_id WHERE login = 'liming' ORDER BY task_id"
    )
    first, second = (row["id"] for row in rows)
    liming = _people(street)["liming"]
    with working(street.database, street.places, _now(), liming) as work:
        assert offers.accept(work, first)["result"] == "assigned"
    with (
        pytest.raises(RefusedError, match="another task"),
        working(street.database, street.places, _now(), liming) as work,
    ):
        offers.accept(work, second)


def test_what_a_crash_undid_is_done_by_the_next_worker_exactly_once(street: Street) -> None:
    street.observe("smoke-502", {"smoke": True})

    class Crash(BaseException):
        pass

    def dies_before_the_commit() -> None:
        with working(street.database, street.places, _now()) as work:
            row = work.tx.one(load("due")["claim"], {"now": _now()})
            assert row is not None
            street.due._handlers[row["kind"]](work, row["ref"])
            raise Crash

    with pytest.raises(Crash):
        dies_before_the_commit()
    assert street.rows("SELECT FROM offer") == []
    successor = Street(street.database)
    assert successor.settle() == 1
    assert successor.settle() == 0
    assert _states(street) == {"liming": "offered", "wangfang": "offered"}
    assert len(street.rows("SELECT FROM timeline WHERE kind = 'wave'")) == 1
    assert len(street.rows("SELECT FROM notification")) == 2


def test_two_workers_never_handle_the_same_timer(street: Street) -> None:
    street.observe("smoke-502", {"smoke": True})
    barrier = threading.Barrier(4)

    def work(_: int) -> int:
        other = Street(street.database)
        barrier.wait(10)
        return other.settle()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 1


def test_no_movement_gives_the_task_to_the_others(street: Street) -> None:
    _smoke(street)
    assert _accept(street, "liming")["result"] == "assigned"
    assert _states(street) == {"liming": "accepted", "wangfang": "withdrawn"}
    street.settle(_now() + timedelta(seconds=185))
    states = _states(street)
    assert states["liming"] == "expired"
    assert states["wangfang"] == "offered"
    assert _accept(street, "wangfang")["result"] == "assigned"


def test_who_set_out_keeps_the_task(street: Street) -> None:
    _smoke(street)
    _accept(street, "liming")
    liming, offer = _people(street)["liming"], _offers(street)["liming"]
    with working(street.database, street.places, _now(), liming) as work:
        offers.step(work, offer, "on-the-way", None)
    street.settle(_now() + timedelta(hours=1))
    assert street.rows("SELECT state FROM assignment") == [{"state": "on-the-way"}]


def test_nobody_answers_until_a_person_behind_the_machine_is_told(street: Street) -> None:
    _smoke(street)
    street.settle(_now() + timedelta(seconds=31))
    street.settle(_now() + timedelta(seconds=400))
    assert set(_states(street).values()) == {"expired"}
    kinds = [row["kind"] for row in street.rows("SELECT kind FROM timeline ORDER BY id")]
    assert kinds.count("escalated") == 1
    assert "nobody-found" in kinds
    told = street.rows(
        "SELECT login FROM notification JOIN person ON person.id = person_id WHERE kind = 'cloud.notice.escalated'"
    )
    assert told == [{"login": "chenjing"}]
    # An offer that ran out still counts while nobody else has come.
    assert _accept(street, "wangfang")["result"] == "assigned"


def test_a_service_killed_between_offer_and_answer_continues(street: Street) -> None:
    with street.serving(), street.signed_in("liming") as phone:
        street.observe("smoke-502", {"smoke": True})
        (offer,) = wait_for(lambda: phone.get("/api/v1/me").json()["offers"])
        cookies = dict(phone.cookies)
    successor = Street(street.database)
    with successor.serving(), successor.browser() as phone:
        phone.cookies.update(cookies)
        assert [o["id"] for o in phone.get("/api/v1/me").json()["offers"]] == [offer["id"]]
        tap = action()
        first = phone.post(f"/api/v1/offers/{offer['id']}/accept", json=tap).json()
        assert first["result"] == "assigned"
    with Street(street.database).serving() as third, third.browser() as phone:
        phone.cookies.update(cookies)
        assert phone.post(f"/api/v1/offers/{offer['id']}/accept", json=tap).json() == first
    assert len(street.rows("SELECT FROM assignment")) == 1


def test_timeline_and_audit_are_append_only(street: Street) -> None:
    _smoke(street)
    for statement in ("UPDATE timeline SET kind = 'x'", "DELETE FROM timeline"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            street.rows(statement)
