"""From a device to a place, and walk tests, on the service's side: who may, what is taken, what calls people."""

from __future__ import annotations

import json
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud.loop.walktests import LATER
from cloud.registry import births, commissioning
from protocols.catalog import DEVICE_TYPES
from protocols.commissioning import ASKED, ASKED_S, PLACED, STOPPED
from protocols.events import Event
from protocols.sparkplug.payload import decode
from tests.integration.api.conftest import Street, action

NODE = ("peach-garden", "gw-2")
PATH = "/api/v1/gateways/peach-garden/gw-2"
MEANWHILE = timedelta(minutes=20)


@pytest.fixture
def quiet(street: Street) -> Any:
    """The web part without workers, and a smoke detector that nobody has placed. Chen Jing administers the street."""
    now = datetime.now(UTC)
    with street.database.transaction() as tx:
        births.node_born(tx, NODE, now, bdseq=0, birth=None, declared={})
        births.device_born(tx, births.ensure_device(tx, NODE, "").gateway_id, "smoke-new", now)
    with street.serving(workers=False) as served:
        yield served


def tells(street: Street, kind: str, device: str = "", /, **data: Any) -> None:
    """An event of the gateway, as ingest hands it on."""
    (row,) = street.rows(
        "SELECT device.id FROM device JOIN gateway ON gateway.id = gateway_id "
        "WHERE gateway.code = 'gw-2' AND device.code = %(device)s",
        device=device,
    )
    event = Event(device=device, kind=kind, at_ms=0, data=data)
    with street.database.transaction() as tx:
        commissioning.take_told(tx, [(row["id"], event)], round(time.time() * 1000))
    street.settle()


def says(street: Street, place: str, version: int, type_: str = "smoke") -> None:
    said = {"device": "smoke-new", "type": type_, "version": version, "place": place, "name": "Kitchen"}
    tells(street, PLACED, "smoke-new", **said)


def device(street: Street, code: str = "smoke-new") -> dict[str, Any]:
    (row,) = street.rows(
        "SELECT device.id, device.type, device.name, place.path, told_place.state FROM device "
        "LEFT JOIN place ON place.id = device.place_id LEFT JOIN told_place ON told_place.device_id = device.id "
        "WHERE device.code = %(code)s",
        code=code,
    )
    return row


def offers(street: Street) -> int:
    return len(street.rows("SELECT id FROM offer"))


def test_the_gateways_word_is_taken_where_the_tree_has_such_a_place(quiet: Street) -> None:
    assert device(quiet)["path"] is None
    says(quiet, "3/1/502", 10)
    found = device(quiet)
    assert found["path"] == "donggang/taoyuan/peach-garden/3/1/502"
    assert (found["type"], found["state"], found["name"]["en"]) == ("smoke", "taken", "Kitchen")
    says(quiet, "3/1/301", 9)
    assert device(quiet)["path"].endswith("/502"), "an older word changes nothing"
    (audit,) = quiet.rows("SELECT * FROM audit WHERE action = 'device.place'")
    assert (audit["person_id"], audit["detail"]["to"]) == (None, found["path"])


def test_a_word_that_comes_while_the_one_before_is_taken_is_not_lost(quiet: Street) -> None:
    (row,) = quiet.rows("SELECT id FROM device WHERE code = 'smoke-new'")

    def said(place: str, version: int) -> list[tuple[int | None, Event]]:
        data = {"device": "smoke-new", "type": "smoke", "version": version, "place": place, "name": ""}
        return [(row["id"], Event(device="smoke-new", kind=PLACED, at_ms=0, data=data))]

    now_ms = round(time.time() * 1000)
    with quiet.database.transaction() as tx:
        commissioning.take_told(tx, said("3/1/502", 1), now_ms)
    taking = threading.Thread(target=quiet.settle, daemon=True)
    with quiet.database.transaction() as tx:
        commissioning.take_told(tx, said("3/1/301", 2), now_ms)
        taking.start()
        until = time.monotonic() + 20
        while not tx.fetch("SELECT FROM pg_locks WHERE NOT granted"):
            assert time.monotonic() < until
            time.sleep(0.01)
    taking.join(20)
    found = device(quiet)
    assert (found["path"], found["state"]) == ("donggang/taoyuan/peach-garden/3/1/502", "differs")


def test_where_the_cloud_says_otherwise_a_person_decides(quiet: Street) -> None:
    says(quiet, "3/1/502", 10)
    says(quiet, "3/1/301", 11)
    found = device(quiet)
    assert (found["path"][-3:], found["state"]) == ("502", "differs")
    with quiet.signed_in("chenjing") as page:
        (listed,) = [one for one in page.get(f"{PATH}/installation").json()["devices"] if one["code"] == "smoke-new"]
        assert (listed["told"]["place"], listed["told"]["state"], listed["live"]) == ("3/1/301", "differs", True)
        assert page.post(f"{PATH}/devices/smoke-new/place", json={"decision": "keep"}).status_code == 200
        assert (device(quiet)["state"], device(quiet)["path"][-3:]) == ("kept", "502")
        says(quiet, "3/1/301", 11)
        assert device(quiet)["state"] == "kept", "the same word again is no news"
        says(quiet, "3/1/301", 12)
        assert page.post(f"{PATH}/devices/smoke-new/place", json={"decision": "take"}).status_code == 200
        assert (device(quiet)["state"], device(quiet)["path"][-3:]) == ("taken", "301")
        says(quiet, "3/1/301", 13, "water-leak")
        assert (device(quiet)["state"], device(quiet)["type"]) == ("differs", "smoke"), "another thing hangs there"
        assert page.post(f"{PATH}/devices/smoke-new/place", json={"decision": "take"}).status_code == 200
        assert (device(quiet)["state"], device(quiet)["type"]) == ("taken", "water-leak")


def test_a_place_that_the_tree_does_not_know_is_listed_and_calls_nobody(quiet: Street) -> None:
    says(quiet, "9/9/909", 10)
    assert (device(quiet)["path"], device(quiet)["state"]) == (None, "unknown")
    with quiet.signed_in("chenjing") as page:
        (gateway,) = [one for one in page.get("/api/v1/gateways").json() if one["code"] == "gw-2"]
        assert (gateway["unplaced"], gateway["to_decide"]) == (1, 1)
        where = {"decision": "place", "path": "donggang/taoyuan/peach-garden/3/1/502"}
        shown = page.post(f"{PATH}/devices/smoke-new/place", json=where).json()
        (listed,) = [one for one in shown["devices"] if one["code"] == "smoke-new"]
        assert (listed["place"]["path"], listed["told"]["state"]) == (where["path"], "kept")
        missing = page.post(f"{PATH}/devices/smoke-new/place", json={"decision": "place", "path": "donggang/none"})
        assert missing.json()["error"]["code"] == "cloud.placing.no-place"


def test_what_a_person_places_has_a_type_or_no_rule_would_watch_it(quiet: Street) -> None:
    """The gateway has said nothing of it: a birth names no type."""
    where = {"decision": "place", "path": "donggang/taoyuan/peach-garden/3/1/502"}
    with quiet.signed_in("chenjing") as page:
        for missing in (where, where | {"type": "samovar"}):
            refused = page.post(f"{PATH}/devices/smoke-new/place", json=missing)
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "cloud.placing.no-type")
            assert device(quiet)["path"] is None
        assert page.post(f"{PATH}/devices/smoke-new/place", json=where | {"type": "smoke"}).status_code == 200
        assert (device(quiet)["path"], device(quiet)["type"]) == (where["path"], "smoke")
        again = where | {"path": "donggang/taoyuan/peach-garden/3/1/301", "type": "water-leak"}
        assert page.post(f"{PATH}/devices/smoke-new/place", json=again).status_code == 200
        assert device(quiet)["type"] == "smoke", "what is known of it stays"


def test_the_type_of_a_device_that_nobody_named_is_proposed_by_its_birth(quiet: Street) -> None:
    specs = [births.SeriesSpec(metric=metric.name, datatype=11) for metric in DEVICE_TYPES["smoke"].metrics]
    with quiet.database.transaction() as tx:
        births.series(tx, device(quiet)["id"], specs)
    with quiet.signed_in("chenjing") as page:
        (listed,) = [one for one in page.get(f"{PATH}/installation").json()["devices"] if one["code"] == "smoke-new"]
        assert (listed["type"], listed["likely"]) == (None, "smoke")
        where = {"decision": "place", "path": "donggang/taoyuan/peach-garden/3/1/502", "type": "smoke"}
        shown = page.post(f"{PATH}/devices/smoke-new/place", json=where).json()
        (placed,) = [one for one in shown["devices"] if one["code"] == "smoke-new"]
        assert (placed["type"], placed["likely"]) == ("smoke", None)


def test_what_burns_already_when_a_device_goes_live_calls_people(quiet: Street) -> None:
    number, now = device(quiet)["id"], datetime.now(UTC)
    with quiet.database.transaction() as tx:
        series = births.series(tx, number, [births.SeriesSpec(metric="smoke", datatype=11)])
        tx.execute(
            "INSERT INTO latest (series_id, ts, value, received_at) VALUES (%(series)s, %(now)s, 1, %(now)s)",
            {"series": series["smoke"], "now": now},
        )
    assert quiet.rows("SELECT id FROM alarm") == []
    says(quiet, "3/1/502", 10)
    quiet.settle()
    (alarm,) = quiet.rows("SELECT * FROM alarm")
    assert (alarm["device_id"], alarm["walk_test_id"]) == (number, None)
    assert offers(quiet) > 0


def test_only_who_installs_there_may(quiet: Street) -> None:
    with quiet.signed_in("liming") as volunteer:
        for answer in (
            volunteer.get("/api/v1/gateways"),
            volunteer.get(f"{PATH}/installation"),
            volunteer.post(f"{PATH}/walk-test", json={"minutes": 5} | action()),
            volunteer.post(f"{PATH}/walk-test/stop"),
            volunteer.post(f"{PATH}/devices/smoke-new/place", json={"decision": "keep"}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cloud.forbidden")
    assert quiet.rows("SELECT id FROM walk_test") == []


def installs(street: Street, login: str, path: str) -> None:
    with street.database.transaction() as tx:
        tx.execute("INSERT INTO person (login, name) VALUES (%(login)s, '{}')", {"login": login})
        tx.execute(
            "INSERT INTO role_grant (person_id, role, place_id) SELECT person.id, 'installer', place.id "
            "FROM person, place WHERE login = %(login)s AND path = %(path)s",
            {"login": login, "path": path},
        )


def test_an_installer_works_at_the_own_estate_only(quiet: Street) -> None:
    installs(quiet, "zhaogong", "donggang/taoyuan/peach-garden")
    installs(quiet, "qiangong", "donggang/haiyun/sea-view")
    with quiet.signed_in("zhaogong") as here:
        assert here.get("/", follow_redirects=False).headers["location"] == "/install"
        assert [one["code"] for one in here.get("/api/v1/gateways").json()] == ["gw-1", "gw-2"]
        begun = here.post(f"{PATH}/walk-test", json={"minutes": 5} | action())
        assert (begun.status_code, here.get("/api/v1/alarms").status_code) == (200, 403)
        path = "donggang/haiyun/sea-view"
        away = here.post(f"{PATH}/devices/smoke-new/place", json={"decision": "place", "path": path})
        assert away.json()["error"]["code"] == "cloud.placing.no-place", "nothing is hung where the person has no say"
        here.post(f"{PATH}/walk-test/stop")
        quiet.settle()
    with quiet.signed_in("qiangong") as elsewhere:
        assert elsewhere.get("/api/v1/gateways").json() == []
        assert elsewhere.get(f"{PATH}/installation").status_code == 404
        assert elsewhere.post(f"{PATH}/walk-test", json={"minutes": 5} | action()).status_code == 404


def test_a_device_that_hangs_where_others_install_is_neither_silenced_nor_taken_away(quiet: Street) -> None:
    installs(quiet, "zhaogong", "donggang/taoyuan/peach-garden")
    path = "donggang/haiyun/sea-view"
    with quiet.signed_in("chenjing") as page:
        where = {"decision": "place", "path": path, "type": "smoke"}
        there = page.post(f"{PATH}/devices/smoke-new/place", json=where)
        assert there.status_code == 200, "a radio reaches farther than an estate"
    with quiet.signed_in("zhaogong") as here:
        begun = here.post(f"{PATH}/walk-test", json={"minutes": 5} | action())
        assert (begun.status_code, begun.json()["error"]["code"]) == (409, "cloud.walk-test.elsewhere")
        own = "donggang/taoyuan/peach-garden/3/1/502"
        taken = here.post(f"{PATH}/devices/smoke-new/place", json={"decision": "place", "path": own})
        assert taken.json()["error"]["code"] == "cloud.placing.no-place"
        kept = here.post(f"{PATH}/devices/smoke-new/place", json={"decision": "keep"})
        assert kept.json()["error"]["code"] == "cloud.placing.no-place", "nor is the question answered for those there"
    assert device(quiet)["path"] == path
    assert quiet.rows("SELECT id FROM walk_test") == []
    with quiet.signed_in("chenjing") as page:
        assert page.post(f"{PATH}/walk-test", json={"minutes": 5} | action()).status_code == 200


def test_in_a_walk_test_nobody_is_called_and_its_end_comes_by_itself(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as page:
        begun = page.post(f"{PATH}/walk-test", json={"minutes": 15} | action()).json()
        assert begun["walk_test"]["state"] == "running"
        quiet.settle()
        said = json.loads(str(decode(quiet.sent[-1].payload).metrics[0].value))
        assert (said["id"], said["state"], said["host"]) == (begun["walk_test"]["id"], "running", "cloud")
        assert 800 < said["left_s"] <= 900
        quiet.observe("smoke-502", {"smoke": True})
        quiet.settle()
        shown = page.get(f"{PATH}/installation").json()
        (ticked,) = [one for one in shown["devices"] if one["code"] == "smoke-502"]
        assert ticked["tick"]["result"] == "alarm"
        assert [(one["rule"], one["active"]) for one in shown["walk_test"]["alarms"]] == [("smoke", True)]
        assert (page.get("/api/v1/alarms").json(), page.get("/api/v1/incidents").json()) == ([], [])
        assert page.get("/api/v1/overview").json()["unacknowledged"] == 0
        assert (offers(quiet), quiet.rows("SELECT id FROM incident")) == (0, [])
        quiet.observe("smoke-502", {"smoke": False})
        quiet.settle(datetime.now(UTC) + MEANWHILE)
        (test,) = quiet.rows("SELECT * FROM walk_test")
        assert (test["state"], test["outcome"]) == ("over", "due")
        assert test["ended_at"] == test["due_at"], "whoever handles it late"
        (proof,) = quiet.rows("SELECT * FROM device_test WHERE result = 'alarm'")
        assert (proof["what"], proof["device_id"]) == ("smoke", ticked["id"])
        after = page.get(f"{PATH}/installation").json()
        (listed,) = [one for one in after["devices"] if one["code"] == "smoke-502"]
        assert (after["walk_test"], listed["tested"]["result"]) == (None, "alarm")
        said = json.loads(str(decode(quiet.sent[-1].payload).metrics[0].value))
        assert said["state"] == "over"
        quiet.settle(datetime.now(UTC) + 2 * MEANWHILE)
        assert offers(quiet) == 0
    told = quiet.rows("SELECT DISTINCT person_id, place_id FROM stream_event WHERE kind = 'walk-test'")
    assert [(row["person_id"] is not None, row["place_id"]) for row in told] == [(True, None)], "the tester alone"
    assert quiet.rows("SELECT id FROM stream_event WHERE kind IN ('alarm', 'incident', 'offer')") == []
    actions = [
        row["action"] for row in quiet.rows("SELECT action FROM audit WHERE action LIKE 'walk-test%%' ORDER BY id")
    ]
    assert actions == ["walk-test.begin", "walk-test.over"]


def test_another_gateways_alarm_in_the_same_minutes_calls_people(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as page:
        page.post("/api/v1/gateways/peach-garden/gw-1/walk-test", json={"minutes": 15} | action())
        quiet.observe("smoke-502", {"smoke": True})
        quiet.settle()
    assert offers(quiet) > 0


def test_what_still_burns_at_the_end_calls_people(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as page:
        page.post(f"{PATH}/walk-test", json={"minutes": 15} | action())
        quiet.observe("smoke-502", {"smoke": True})
        quiet.observe("sos-301", "sos")
        assert page.post(f"{PATH}/walk-test/stop").status_code == 200
        assert offers(quiet) == 0
        quiet.settle()
        quiet.settle()
    alarms = quiet.rows("SELECT rule_code, walk_test_id, cleared_at FROM alarm ORDER BY id")
    assert [(row["rule_code"], row["walk_test_id"] is None, row["cleared_at"] is None) for row in alarms] == [
        ("smoke", False, False),
        ("sos", False, False),
        ("smoke", True, True),
    ]
    assert offers(quiet) > 0


def test_what_was_on_its_way_when_the_test_ended_outlasts_it_by_moments_only(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as page:
        page.post(f"{PATH}/walk-test", json={"minutes": 15} | action())
        during = round(time.time() * 1000)
        page.post(f"{PATH}/walk-test/stop")
        quiet.settle()
        quiet.observe("smoke-502", {"smoke": True}, at_ms=during)
        quiet.settle()
        assert offers(quiet) == 0, "it was observed in the test"
        quiet.settle(datetime.now(UTC) + 2 * LATER)
        assert offers(quiet) > 0, "it still burns"


def test_who_calls_for_help_with_a_clock_of_a_test_long_past_is_heard(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as page:
        page.post(f"{PATH}/walk-test", json={"minutes": 15} | action())
        quiet.observe("sos-301", "sos")
        page.post(f"{PATH}/walk-test/stop")
    quiet.rows(
        "UPDATE walk_test SET from_at = from_at - interval '10 min', due_at = due_at - interval '10 min',"
        " state = 'over', outcome = 'stopped', ended_at = now() - interval '6 min' RETURNING id"
    )
    quiet.rows("UPDATE rule_state SET at_ms = at_ms - 480000 RETURNING device_id")
    quiet.observe("sos-301", "sos", at_ms=round(time.time() * 1000) - 420_000)
    alarms = quiet.rows("SELECT walk_test_id, cleared_at FROM alarm ORDER BY id")
    assert [(row["walk_test_id"] is None, row["cleared_at"] is None) for row in alarms] == [
        (False, False),
        (True, True),
    ]
    assert len(quiet.rows("SELECT id FROM incident")) == 1


def test_the_gateway_asks_and_a_person_agrees(quiet: Street) -> None:
    identity = str(uuid.uuid4())
    tells(quiet, ASKED, id=identity, minutes=10)
    tells(quiet, ASKED, id=str(uuid.uuid4()), minutes=10)
    quiet.observe("sos-301", "sos")
    assert len(quiet.rows("SELECT id FROM incident")) == 1, "a gateway alone silences nothing"
    with quiet.signed_in("chenjing") as page:
        asked = page.get(f"{PATH}/installation").json()["walk_test"]
        assert (asked["id"], asked["state"], asked["minutes"]) == (identity, "asked", 10)
        other = page.post(f"{PATH}/walk-test", json={"minutes": 5} | action())
        assert other.json()["error"]["code"] == "cloud.walk-test.open"
        agreed = page.post(f"{PATH}/walk-test", json={"minutes": 10, "action_id": identity}).json()
        again = page.post(f"{PATH}/walk-test", json={"minutes": 10, "action_id": identity}).json()
        assert (agreed["walk_test"]["state"], again["walk_test"]["due_at"]) == (
            "running",
            agreed["walk_test"]["due_at"],
        )
        tells(quiet, STOPPED, id=identity)
        assert page.get(f"{PATH}/installation").json()["walk_test"] is None


def test_a_wish_that_nobody_answers_lapses(quiet: Street) -> None:
    tells(quiet, ASKED, id=str(uuid.uuid4()), minutes=10)
    quiet.settle(datetime.now(UTC) + timedelta(seconds=ASKED_S + 1))
    (test,) = quiet.rows("SELECT state, outcome FROM walk_test")
    assert (test["state"], test["outcome"]) == ("over", "unanswered")


def test_places_of_the_estate_for_the_gateway(quiet: Street) -> None:
    with quiet.signed_in("chenjing") as page:
        found = page.get(f"{PATH}/places").json()
    assert found["group"] == "peach-garden"
    assert {"place": "3/1/502", "kind": "home"}.items() <= {
        one["place"]: {"place": one["place"], "kind": one["kind"]} for one in found["places"]
    }["3/1/502"].items()
