"""The live stream: what a page misses while it is away comes when it is back; nobody sees what is not theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.integration.api.conftest import Street, wait_for


@contextmanager
def _listening(client: httpx.Client, after: int | None = None) -> Iterator[Iterator[tuple[int | None, str, Any]]]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    with client.stream("GET", "/api/v1/stream", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _events(response)


def _events(response: httpx.Response) -> Iterator[tuple[int | None, str, Any]]:
    number, kind = None, ""
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            number = int(value)
        elif name == "event":
            kind = value
        elif name == "data":
            yield number, kind, json.loads(value)
            number = None


def _until(events: Iterator[tuple[int | None, str, Any]], kind: str) -> tuple[int | None, Any]:
    return next((number, data) for number, found, data in events if found == kind)


def _newest(street: Street) -> int:
    newest: int = street.rows("SELECT id FROM stream_head")[0]["id"]
    return newest


def test_an_alarm_and_its_offer_arrive_live(served: Street) -> None:
    with (
        served.signed_in("chenjing") as console,
        served.signed_in("liming") as phone,
        _listening(console) as seen,
        _listening(phone) as mine,
    ):
        assert next(seen)[1] == next(mine)[1] == "hello"
        served.observe("smoke-502", {"smoke": True})
        _, alarm = _until(seen, "alarm")
        assert (alarm["rule"], alarm["active"]) == ("smoke", True)
        _, incident = _until(seen, "incident")
        assert incident["kind"] == "smoke"
        _, responder = _until(seen, "responder")
        assert responder["status"] == "offered"
        number, kind, offer = next(mine)
        assert kind == "offer"
        assert offer["state"] == "offered"
        assert number is not None


def test_a_reconnect_misses_nothing_and_repeats_nothing(served: Street) -> None:
    with served.signed_in("chenjing") as console:
        with _listening(console) as seen:
            assert next(seen)[1] == "hello"
            served.observe("leak-pump", {"leak": True})
            last, _ = _until(seen, "alarm")
        assert last is not None
        served.observe("leak-pump", {"leak": False})
        served.observe("smoke-502", {"smoke": True})
        wait_for(lambda: served.rows("SELECT FROM timeline WHERE kind = 'wave' AND incident_id = 2"))
        with _listening(console, last) as seen:
            assert next(seen)[1] == "hello"
            numbers, alarms = [], []
            for number, kind, data in seen:
                assert number is not None
                numbers.append(number)
                if kind == "alarm":
                    alarms.append((data["rule"], data["active"]))
                if number == _newest(served):
                    break
        assert alarms == [("water-leak", False), ("smoke", True)]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > last


def test_an_id_that_is_too_old_or_foreign_says_load_again(served: Street) -> None:
    served.observe("leak-pump", {"leak": True})
    wait_for(lambda: served.rows("SELECT FROM offer"))
    served.rows("DELETE FROM stream_event WHERE id <= 2 RETURNING id")
    with served.signed_in("chenjing") as console:
        for strange in (0, 10**9):
            with _listening(console, strange) as seen:
                assert [next(seen)[1], next(seen)[1]] == ["hello", "reset"]


def test_a_person_without_a_role_there_sees_nothing_of_it(served: Street) -> None:
    served.rows("INSERT INTO person (login, name) VALUES ('elsewhere', '{\"en\": \"E\"}') RETURNING id")
    served.rows(
        "INSERT INTO role_grant SELECT person.id, 'operator', place.id FROM person, place"
        " WHERE login = 'elsewhere' AND path = 'donggang/haiyun' RETURNING role"
    )
    before = _newest(served)
    served.observe("smoke-502", {"smoke": True})
    wait_for(lambda: served.rows("SELECT FROM offer"))
    with served.signed_in("elsewhere") as outsider:
        assert outsider.get("/api/v1/alarms").json() == []
        assert outsider.get("/api/v1/incidents").json() == []
        assert outsider.get("/api/v1/incidents/1").status_code == 404
        assert outsider.post("/api/v1/incidents/1/close").status_code == 404
        assert outsider.post("/api/v1/alarms/1/acknowledge").status_code == 404
        assert outsider.get("/api/v1/overview").json()["open"]["P1"] == 0
        assert outsider.get("/api/v1/devices").json() == []
        served.rows(
            "UPDATE stream_event SET place_id = (SELECT id FROM place WHERE path = 'donggang/haiyun')"
            " WHERE id = (SELECT max(id) FROM stream_event WHERE person_id IS NULL) RETURNING id"
        )
        with _listening(outsider, before) as seen:
            assert next(seen)[1] == "hello"
            _, kind, _ = next(seen)
            assert kind == "responder"  # the one event that was moved there; none of the others came before


def test_a_stopping_service_ends_its_streams(street: Street) -> None:
    with (
        street.serving(workers=False) as served,
        served.signed_in("chenjing") as console,
        _listening(console) as seen,
    ):
        assert next(seen)[1] == "hello"
        loop = served.hub._loop
        assert loop is not None
        loop.call_soon_threadsafe(served.hub.close)
        assert list(seen) == []
