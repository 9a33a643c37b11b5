"""Smoke at 502, as the console and two phones see it, over HTTP."""

from __future__ import annotations

import httpx

from tests.integration.api.conftest import Street, action, wait_for


def _offer(phone: httpx.Client) -> dict[str, object]:
    offers = wait_for(lambda: phone.get("/api/v1/me").json()["offers"])
    assert isinstance(offers, list)
    found: dict[str, object] = offers[0]
    return found


def test_from_smoke_to_a_closed_incident(served: Street) -> None:
    with (
        served.signed_in("chenjing") as console,
        served.signed_in("liming") as first,
        served.signed_in("wangfang") as second,
    ):
        served.observe("smoke-502", {"smoke": True})

        (alarm,) = console.get("/api/v1/alarms").json()
        assert (alarm["rule"], alarm["severity"], alarm["active"], alarm["acknowledged"]) == (
            "smoke",
            "P1",
            True,
            False,
        )
        assert alarm["place"]["full_name"] == {
            "zh-CN": "桃园小区 3栋 1单元 502",
            "en": "Peach Garden, Building 3, Unit 1, 502",
        }
        assert alarm["reason"] | {"at_ms": 0} == {"metric": "smoke", "value": True, "equals": True, "at_ms": 0}

        mine, theirs = _offer(first), _offer(second)
        assert mine["place"] == {"full_name": {"zh-CN": "桃园小区 3栋", "en": "Peach Garden, Building 3"}}
        assert "access" not in mine
        assert first.post(f"/api/v1/offers/{mine['id']}/seen").status_code == 200

        taken = first.post(f"/api/v1/offers/{mine['id']}/accept", json=action()).json()
        assert taken["result"] == "assigned"
        assert taken["assignment"]["place"]["full_name"]["zh-CN"] == "桃园小区 3栋 1单元 502"
        assert taken["assignment"]["access"]
        assert second.get("/api/v1/me").json()["offers"][0]["state"] == "withdrawn"
        assert second.post(f"/api/v1/offers/{theirs['id']}/accept", json=action()).json() == {"result": "taken"}

        incident = f"/api/v1/incidents/{alarm['incident_id']}"
        for step, state in (("on-the-way", "handling"), ("on-scene", "handling"), ("done", "fed-back")):
            answer = first.post(f"/api/v1/assignments/{mine['id']}/{step}", json=action())
            assert answer.status_code == 200, answer.text
            assert console.get(incident).json()["state"] == state

        served.observe("smoke-502", {"smoke": False})
        closed = console.get(incident).json()
        assert (closed["state"], closed["outcome"]) == ("closed", "resolved")
        kinds = [line["kind"] for line in closed["timeline"]]
        for kind in (
            "opened",
            "wave",
            "offer-seen",
            "accepted",
            "withdrawn",
            "accepted-late",
            "on-the-way",
            "on-scene",
            "done",
        ):
            assert kind in kinds
        assert console.get("/api/v1/alarms").json() == []
        after = first.get("/api/v1/me").json()
        assert after["assignment"]["place"] is None
        assert after["thanks"] == 1
