"""The operator's actions, storms, silent gateways, the outbox: on the real database."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from cloud.loop import offers
from cloud.loop.work import working
from cloud.notify import outbox
from cloud.notify.channels import Message
from cloud.notify.outbox import Notice
from protocols.errors import RefusedError, UnavailableError
from tests.integration.api.conftest import Street, action, wait_for


def _now() -> datetime:
    return datetime.now(UTC)


def _incident(console: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = wait_for(lambda: console.get("/api/v1/incidents").json())[0]
    return found


def _do(console: httpx.Client, incident: int, name: str, note: str | None = None) -> dict[str, Any]:
    answer = console.post(f"/api/v1/incidents/{incident}/{name}", json={"note": note} if note else None)
    assert answer.status_code == 200, answer.text
    detail: dict[str, Any] = answer.json()
    return detail


def test_an_alarm_says_when_it_happened_and_what_is_too_late_is_an_event(street: Street) -> None:
    for device, hours in (("smoke-502", 20), ("sos-301", 30)):
        told: dict[str, Any] | str = {"smoke": True} if device == "smoke-502" else "sos"
        street.observe(device, told, at_ms=round((_now() - timedelta(hours=hours)).timestamp() * 1000))
    (alarm,) = street.rows("SELECT rule_code, raised_at FROM alarm")
    assert alarm["rule_code"] == "smoke"
    assert timedelta(hours=19) < _now() - alarm["raised_at"] < timedelta(hours=21)
    (event,) = street.rows("SELECT ts, data FROM event WHERE kind = 'rule.too-late'")
    assert timedelta(hours=29) < _now() - event["ts"] < timedelta(hours=31)
    assert (event["data"]["rule"], event["data"]["late_s"] // 3600) == ("sos", 30)


def test_acknowledge_once_with_who_and_when(served: Street) -> None:
    served.observe("smoke-502", {"smoke": True})
    with served.signed_in("chenjing") as console:
        first = console.post("/api/v1/alarms/1/acknowledge").json()
        assert first["acknowledged"]
        assert first["acknowledged_by"]["name"]["en"] == "Chen Jing"
        assert console.post("/api/v1/alarms/1/acknowledge").json()["acknowledged_at"] == first["acknowledged_at"]
        assert len(served.rows("SELECT FROM timeline WHERE kind = 'acknowledged'")) == 1
        assert len(console.get("/api/v1/alarms").json()) == 1  # seen, and still so


def test_a_false_alarm_voids_the_incident_and_sends_everybody_home(served: Street) -> None:
    served.observe("smoke-502", {"smoke": True})
    with served.signed_in("chenjing") as console, served.signed_in("liming") as phone:
        (offer,) = wait_for(lambda: phone.get("/api/v1/me").json()["offers"])
        phone.post(f"/api/v1/offers/{offer['id']}/accept", json=action())
        detail = _do(console, 1, "false-alarm", "toast")
        assert (detail["state"], detail["outcome"], detail["actions"]) == ("void", "false-alarm", ["note"])
        assert [(alarm["active"], alarm["acknowledged"]) for alarm in detail["alarms"]] == [(True, True)]
        mine = phone.get("/api/v1/me").json()
        assert (mine["assignment"]["state"], mine["assignment"]["place"]) == ("released", None)
        late = console.post("/api/v1/incidents/1/dispatch")
        assert (late.status_code, late.json()["error"]["code"]) == (409, "cloud.incident.not-now")
        assert (
            _do(console, 1, "notes", "checked on the camera")["timeline"][-1]["data"]["note"] == "checked on the camera"
        )
        # It smokes on: nothing new is raised before it was gone, and until then it stays in sight.
        served.observe("smoke-502", {"smoke": True})
        assert [(a["active"], a["acknowledged"]) for a in console.get("/api/v1/alarms").json()] == [(True, True)]
        served.observe("smoke-502", {"smoke": False})
        assert console.get("/api/v1/alarms").json() == []
        assert console.get("/api/v1/incidents/1").json()["timeline"][-1]["kind"] == "alarm-cleared"
        served.observe("smoke-502", {"smoke": True})
        (again,) = console.get("/api/v1/alarms").json()
        assert (again["acknowledged"], again["incident_id"]) == (False, 2)


def test_what_only_a_person_clears_ends_with_its_incident(served: Street) -> None:
    served.observe("sos-301", "sos")
    with served.signed_in("chenjing") as console:
        detail = _do(console, 1, "close", "she is well")
        assert [(alarm["active"], alarm["acknowledged"]) for alarm in detail["alarms"]] == [(False, True)]
        served.observe("sos-301", "sos")
        (again,) = console.get("/api/v1/alarms").json()
        assert (again["acknowledged"], again["incident_id"]) == (False, 2)


def test_one_look_is_one_row_of_the_audit_log(served: Street) -> None:
    served.observe("smoke-502", {"smoke": True})
    with served.signed_in("chenjing") as console:
        for _ in range(3):
            assert console.get("/api/v1/incidents/1").status_code == 200
            assert console.get("/api/v1/responders").status_code == 200
    looks = served.rows("SELECT action, subject, place_id IS NOT NULL AS placed FROM audit WHERE action LIKE '%%.view'")
    assert sorted((row["action"], row["subject"], row["placed"]) for row in looks) == [
        ("incident.view", "1", True),
        ("responders.view", None, False),
    ]


def test_call_off_and_dispatch_again(served: Street) -> None:
    served.observe("leak-pump", {"leak": True})
    with served.signed_in("chenjing") as console, served.signed_in("liming") as phone:
        wait_for(lambda: _incident(console)["people"]["offered"] == 2)
        detail = _do(console, 1, "call-off")
        assert (detail["state"], detail["task"]["state"]) == ("filed", "cancelled")
        assert {offer["state"] for offer in detail["offers"]} == {"withdrawn"}
        again = console.post("/api/v1/incidents/1/call-off")
        assert again.json()["error"]["code"] == "cloud.incident.nothing-to-call-off"
        detail = _do(console, 1, "dispatch")
        assert (detail["state"], detail["task"]["state"], detail["people"]["offered"]) == ("dispatched", "open", 2)
        open_ones = [o for o in phone.get("/api/v1/me").json()["offers"] if o["state"] == "offered"]
        assert len(open_ones) == 1


def test_giving_a_task_back_asks_the_others_again(served: Street) -> None:
    served.observe("smoke-502", {"smoke": True})
    with served.signed_in("liming") as first, served.signed_in("wangfang") as second:
        (mine,) = wait_for(lambda: first.get("/api/v1/me").json()["offers"])
        first.post(f"/api/v1/offers/{mine['id']}/accept", json=action())
        assert second.get("/api/v1/me").json()["offers"][0]["state"] == "withdrawn"
        body = action() | {"note": "no key"}
        released = first.post(f"/api/v1/assignments/{mine['id']}/release", json=body).json()
        assert released["assignment"]["state"] == "released"
        assert first.post(f"/api/v1/assignments/{mine['id']}/release", json=body).json() == released
        assert second.get("/api/v1/me").json()["offers"][0]["state"] == "offered"
        answer = first.post(f"/api/v1/assignments/{mine['id']}/on-scene", json=action())
        assert answer.json()["error"]["code"] == "cloud.assignment.ended"


def test_guards_are_not_volunteers(street: Street) -> None:
    street.observe("door-1", "access.forced")
    assert street.settle() == 0
    assert street.rows("SELECT FROM offer") == street.rows("SELECT FROM task") == []
    with street.serving(workers=False), street.signed_in("chenjing") as console:
        incident = _incident(console)
        assert (incident["kind"], incident["response"]) == ("door-forced", "guard")
        assert "dispatch" not in incident["actions"]
        refused = console.post(f"/api/v1/incidents/{incident['id']}/dispatch")
        assert refused.json()["error"]["code"] == "cloud.incident.no-volunteers"
        assert _do(console, incident["id"], "close")["outcome"] == "closed-by-operator"


def test_a_storm_is_one_incident(street: Street) -> None:
    street.rows(
        "INSERT INTO device (gateway_id, code, type, place_id) SELECT gateway_id, 'storm-' || n, 'door', place_id"
        " FROM device, generate_series(1, 60) AS n WHERE code = 'door-1' RETURNING id"
    )
    for n in range(1, 61):
        street.observe(f"storm-{n}", {"mains-lost": True})
    (incident,) = street.rows("SELECT id, kind, severity FROM incident")
    assert incident["kind"] == "power-cut"
    assert street.rows("SELECT count(*) FROM alarm WHERE incident_id = 1") == [{"count": 60}]
    assert street.rows("SELECT FROM notification") == []


def test_a_silent_gateway_holds_its_devices_back_until_it_is_back(street: Street) -> None:
    street.rows(
        "INSERT INTO device (gateway_id, code, place_id) SELECT id, '', place_id FROM gateway WHERE code = 'gw-2'"
        " ON CONFLICT DO NOTHING RETURNING id"
    )
    street.observe("gw-2/", "gateway.offline")
    street.observe("smoke-502", "device.offline")
    street.observe("sos-301", "device.offline")
    assert street.rows("SELECT rule_code FROM alarm") == [{"rule_code": "gateway-offline"}]
    street.observe("gw-2/", "gateway.online")
    street.observe("sos-301", "device.online")
    assert street.settle() == 0
    street.settle(_now() + timedelta(seconds=31))
    street.settle(_now() + timedelta(seconds=62))
    active = street.rows(
        "SELECT rule_code, code FROM alarm JOIN device ON device.id = device_id WHERE cleared_at IS NULL"
    )
    assert active == [{"rule_code": "device-offline", "code": "smoke-502"}]
    street.observe("smoke-502", "device.online")
    assert street.rows("SELECT FROM alarm WHERE cleared_at IS NULL") == []
    assert street.rows("SELECT DISTINCT state FROM incident") == [{"state": "closed"}]


def test_warm_for_half_a_minute_fires_by_its_timer_after_a_restart(street: Street) -> None:
    street.observe("coldchain-1", {"temperature": 9.0})
    assert street.rows("SELECT FROM alarm") == []
    successor = Street(street.database)
    successor.settle(_now() + timedelta(seconds=31))
    assert street.rows("SELECT rule_code FROM alarm") == [{"rule_code": "cold-chain-warm"}]


def test_facts_of_one_device_in_parallel_raise_one_alarm(street: Street) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: street.observe("smoke-502", {"smoke": True}), range(6)))
    assert len(street.rows("SELECT FROM alarm")) == len(street.rows("SELECT FROM incident")) == 1


class Flaky:
    """A channel that is away for some calls."""

    def __init__(self, away: int) -> None:
        self.away, self.sent = away, list[Message]()

    def send(self, message: Message) -> None:
        if self.away:
            self.away -= 1
            raise UnavailableError("cloud.database.away", why="test")
        self.sent.append(message)


def _queue(street: Street, channel: str) -> int:
    (person,) = street.rows("SELECT id FROM person WHERE login = 'liming'")
    notice = Notice(person_id=person["id"], kind="cloud.notice.offer", once="x", params={"kind": "smoke"})
    with working(street.database, street.places, _now()) as work:
        outbox.enqueue(work.tx, [notice, notice], work.now, channel)
    with working(street.database, street.places, _now()) as work:
        outbox.enqueue(work.tx, [notice], work.now, channel)
    (row,) = street.rows("SELECT id FROM notification")
    number: int = row["id"]
    return number


def _send(street: Street, number: int, channels: dict[str, Any]) -> datetime | None:
    with working(street.database, street.places, _now()) as work:
        return outbox.send(work.tx, number, channels, work.now)


def test_a_channel_that_is_away_is_tried_again_and_never_twice(street: Street) -> None:
    number, channel = _queue(street, "sms"), Flaky(2)
    for _ in range(2):
        assert _send(street, number, {"sms": channel}) is not None
    assert _send(street, number, {"sms": channel}) is None
    assert _send(street, number, {"sms": channel}) is None
    assert len(channel.sent) == 1
    assert street.rows("SELECT state, attempts FROM notification") == [{"state": "sent", "attempts": 3}]


def test_a_channel_that_is_away_for_good_is_given_up(street: Street) -> None:
    number = _queue(street, "sms")
    for _ in range(outbox.MOST_ATTEMPTS):
        _send(street, number, {"sms": Flaky(99)})
    assert street.rows("SELECT state FROM notification") == [{"state": "failed"}]


def test_receipts_never_go_back(street: Street) -> None:
    _queue(street, "in-page")
    for state, expected in (("read", "read"), ("delivered", "read"), ("answered", "answered"), ("read", "answered")):
        with street.database.transaction() as tx:
            outbox.reach(tx, "x", state, _now())  # type: ignore[arg-type]
        assert street.rows("SELECT state FROM notification") == [{"state": expected}]


def test_an_offer_to_nobody_is_unknown(street: Street) -> None:
    with pytest.raises(RefusedError), working(street.database, street.places, _now(), UUID(int=1)) as work:
        offers.accept(work, uuid.uuid4())


def test_a_candidate_who_is_asked_elsewhere_is_not_shown_as_free(served: Street) -> None:
    served.observe("smoke-502", {"smoke": True})
    wait_for(lambda: served.rows("SELECT FROM offer"))
    served.due.stop()
    served.observe("vending-1", {"jam": True})
    (row,) = served.rows("SELECT id FROM incident WHERE kind = 'vending-jam'")
    with served.signed_in("chenjing") as console:
        candidates = console.get(f"/api/v1/incidents/{row['id']}").json()["candidates"]
    assert {one["status"] for one in candidates} == {"offered"}
