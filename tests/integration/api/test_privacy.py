"""What a volunteer can learn: a building before accepting, the address while under way, nothing once it is over."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.integration.api.conftest import Street, action, wait_for
from tests.integration.api.test_stream import _listening


def _told(client: httpx.Client, until: int) -> list[Any]:
    """What a phone is told that asks the stream for everything that is still kept."""
    told = []
    with _listening(client, 0) as events:
        for number, kind, data in events:
            if kind not in ("hello", "reset"):
                told.append(data)
            if number == until:
                return told
    raise AssertionError("the stream ended")


def _newest_for(street: Street, login: str) -> int:
    rows = street.rows(
        "SELECT max(stream_event.id) AS id FROM stream_event"
        " JOIN person ON person.id = person_id WHERE login = %(who)s",
        who=login,
    )
    newest: int = rows[0]["id"]
    return newest


def _places(told: Any) -> list[Any]:
    return [data[key] for data in told for key in ("place", "access", "lat") if data.get(key) is not None]


def test_once_an_incident_is_closed_no_phone_learns_where_it_was(served: Street) -> None:
    with (
        served.signed_in("liming") as phone,
        served.signed_in("wangfang") as other,
        served.signed_in("chenjing") as desk,
    ):
        served.observe("smoke-502", {"smoke": True})
        offer = wait_for(lambda: phone.get("/api/v1/me").json()["offers"])[0]
        assert offer["place"] is not None
        assert "502" not in json.dumps(offer)
        tap = action()
        first = phone.post(f"/api/v1/offers/{offer['id']}/accept", json=tap).json()
        assert first["assignment"]["place"]["path"].endswith("/502")
        assert phone.post(f"/api/v1/offers/{offer['id']}/accept", json=tap).json() == first
        assert "502" in json.dumps(_told(phone, _newest_for(served, "liming")))
        assert "502" not in json.dumps(_told(other, _newest_for(served, "wangfang")))

        assert desk.post("/api/v1/incidents/1/close", json={"note": "over"}).status_code == 200
        for login, client in (("liming", phone), ("wangfang", other)):
            page = client.get("/api/v1/me").json()
            assert _places([*page["offers"], *filter(None, [page["assignment"]])]) == []
            assert _places(_told(client, _newest_for(served, login))) == []
        again = phone.post(f"/api/v1/offers/{offer['id']}/accept", json=tap).json()
        assert again["result"] == "assigned"
        assert _places([again["assignment"]]) == []
        kept = served.rows("SELECT answer FROM client_action")
        assert "502" not in json.dumps(kept, default=str)


def test_a_phone_that_comes_back_hears_of_its_own_things_as_they_stand(served: Street) -> None:
    with served.signed_in("liming") as phone:
        served.observe("smoke-502", {"smoke": True})
        offer = wait_for(lambda: phone.get("/api/v1/me").json()["offers"])[0]
        phone.post(f"/api/v1/offers/{offer['id']}/accept", json=action())
        for step in ("on-the-way", "on-scene"):
            phone.post(f"/api/v1/assignments/{offer['id']}/{step}", json=action())
        told = _told(phone, _newest_for(served, "liming"))
        assert sorted(data["state"] for data in told) == ["accepted", "on-scene"]
