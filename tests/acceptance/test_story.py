"""The main job: from a byte on a serial line to a volunteer at the door, on the real processes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.ledger import agreed
from tests.acceptance.people import Operator, Volunteer
from tests.acceptance.street import Street, eventually, running_street

HOME = "peach-garden/3/502"


def drained(street: Street) -> bool:
    """Whether the gateways hold nothing that the cloud has not confirmed."""
    parts = street.command("status", "--data", str(street.data), "--json").stdout
    return '"ok": true' in parts and "waiting" not in parts


def by_hand(street: Street, device: str, output: str, value: str) -> None:
    """What a person on the spot does: an emergency release ends by an explicit restore only."""
    config = str(street.data / "config" / "gw-2.toml")
    words = ("edge", "act", "--config", config, device, output, value)
    eventually(f"{device} {output}", lambda: street.command(*words).returncode == 0)


def end(street: Street, operator: Operator) -> None:
    """The smoke is gone, the doors are shut, everything is closed."""
    street.trigger("smoke-clear", HOME)
    eventually("the smoke alarm clears", lambda: not any(a["active"] for a in operator.alarms("smoke")))
    for device, output, value in (
        ("door-1", "restore", "true"),
        ("door-2", "restore", "true"),
        ("siren-3", "sound", "false"),
    ):
        by_hand(street, device, output, value)
    operator.closes_everything()
    eventually("no incident is open", lambda: not operator.get("/incidents?open=true"))


def test_from_smoke_to_the_closed_incident(
    street: Street, operator: Operator, volunteers: tuple[Volunteer, Volunteer]
) -> None:
    first, second = volunteers

    street.trigger("smoke", HOME)

    # On the gateway, at once: the siren sounds and both ways out of the building are open.
    eventually("the siren sounds", lambda: _latest(operator, "siren-3", "sounding") == 1)
    for door in ("door-1", "door-2"):
        eventually(f"{door} is released", partial(_is_released, operator, door))

    # In the command centre: an alarm that says where and why.
    alarm = operator.awaits_alarm("smoke")
    assert alarm["severity"] == "P1"
    assert not alarm["acknowledged"]
    assert alarm["place"]["path"].endswith("peach-garden/3/1/502")
    assert alarm["lat"] is not None
    assert (alarm["reason"]["metric"], alarm["reason"]["value"]) == ("smoke", True)
    incident = alarm["incident_id"]

    # On the phones: an offer that does not give the address away.
    offers = first.awaits_offer(), second.awaits_offer()
    assert "502" not in str(offers[0]["place"]), "the flat is only for who accepts"
    assert operator.incident(incident)["state"] == "dispatched"

    # The first to accept is assigned and gets the address; the other is told kindly.
    taken = first.accepts(offers[0]["id"])
    assert taken["result"] == "assigned"
    assert taken["assignment"]["place"]["path"].endswith("/502")
    assert second.accepts(offers[1]["id"])["result"] == "taken"

    for step in ("on-the-way", "on-scene", "done"):
        first.goes(offers[0]["id"], step, note="door opened, pan on the stove" if step == "done" else None)
        people = operator.incident(incident)["assignments"]
        assert [person["state"] for person in people] == [step]

    operator.post(f"/alarms/{alarm['id']}/acknowledge")
    street.trigger("smoke-clear", HOME)
    eventually("the smoke alarm clears", lambda: not any(a["active"] for a in operator.alarms("smoke")))
    if operator.incident(incident)["state"] != "closed":
        operator.does(incident, "close", note="resident is well")
    closed = operator.incident(incident)
    assert closed["state"] == "closed"

    told = [entry["kind"] for entry in closed["timeline"]]
    numbers = [entry["id"] for entry in closed["timeline"]]
    assert numbers == sorted(numbers)
    for needed in ("opened", "wave", "accepted", "on-the-way", "on-scene", "done"):
        assert needed in told, (needed, told)
    assert [entry["data"]["to"] for entry in closed["timeline"] if entry["kind"] == "moved"][-1] == "closed"

    # After closing the address is gone from the phone.
    me = first.me()
    assert me["assignment"] is None or "502" not in str(me["assignment"].get("place"))
    end(street, operator)


def test_two_taps_in_the_same_moment_give_one_assignment(
    street: Street, operator: Operator, volunteers: tuple[Volunteer, Volunteer]
) -> None:
    street.trigger("sos")
    offers = [person.awaits_offer() for person in volunteers]
    answers: dict[int, str] = {}
    barrier = threading.Barrier(2)

    def tap(number: int) -> None:
        barrier.wait(10)
        answers[number] = volunteers[number].accepts(offers[number]["id"])["result"]

    threads = [threading.Thread(target=tap, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers.values()) == ["assigned", "taken"]
    winner = next(number for number, result in answers.items() if result == "assigned")
    for step in ("on-the-way", "on-scene", "done"):
        volunteers[winner].goes(offers[winner]["id"], step)
    operator.closes_everything()


def test_an_action_sent_twice_happens_once(
    street: Street, operator: Operator, volunteers: tuple[Volunteer, Volunteer]
) -> None:
    street.trigger("sos")
    first, _ = volunteers
    offer, action = first.awaits_offer(), str(uuid.uuid4())
    answers = [first.accepts(offer["id"], action) for _ in range(3)]
    assert [answer["result"] for answer in answers] == ["assigned"] * 3
    incident = operator.awaits_alarm("sos")["incident_id"]
    assert len(operator.incident(incident)["assignments"]) == 1
    for step in ("on-the-way", "on-scene", "done"):
        first.goes(offer["id"], step)
    operator.closes_everything()


def test_everything_that_can_be_triggered_reaches_the_console(street: Street, operator: Operator) -> None:
    """Each trigger of the drawer raises the alarm that it is for."""
    for trigger, rule in {
        "leak": "water-leak",
        "door-forced": "door-forced",
        "vending-jam": "vending-jam",
        "power-cut": "power-cut",
    }.items():
        street.trigger(trigger)
        alarm = operator.awaits_alarm(rule, patience_s=60)
        assert alarm["incident_id"] is not None
    for trigger in ("leak-clear", "vending-clear", "power-restore"):
        street.trigger(trigger)
    eventually("power is back", lambda: not any(a["active"] for a in operator.alarms("power-cut")), 60)
    operator.closes_everything()


def test_a_pulled_cable_is_told_and_nothing_is_lost(street: Street, operator: Operator) -> None:
    street.trigger("gateway-unplug", "gw-2")
    operator.awaits_alarm("gateway-offline", patience_s=60)
    street.trigger("leak")
    time.sleep(2)
    assert not any(a["active"] for a in operator.alarms("water-leak")), "nothing passes a pulled cable"
    street.trigger("gateway-plug", "gw-2")
    operator.awaits_alarm("water-leak", patience_s=60)
    street.trigger("leak-clear")
    eventually("the gateway is back", lambda: not any(a["active"] for a in operator.alarms("gateway-offline")), 60)
    operator.closes_everything()


def test_siren_and_doors_need_no_cloud(street: Street, operator: Operator) -> None:
    """With the cloud stopped the gateway still decides; the cloud learns of it afterwards."""
    cloud = street.pids()["cloud"]
    os.kill(cloud, signal.SIGSTOP)
    try:
        street.trigger("smoke", HOME)
        eventually("the siren sounds", lambda: _on_the_spot(street, "siren-3", "sounding") is True)
        for door in ("door-1", "door-2"):
            eventually(f"{door} is open", partial(_on_the_spot, street, door, "released"))
    finally:
        os.kill(cloud, signal.SIGCONT)
    operator.awaits_alarm("smoke", patience_s=60)
    end(street, operator)


@pytest.mark.timeout(300)
def test_stopped_in_the_middle_and_started_again_nothing_repeats(tmp_path: Path) -> None:
    with running_street(tmp_path) as street:
        operator, first = Operator(street.sign_in("Chen Jing")), Volunteer(street.sign_in("Li Ming"))
        street.trigger("smoke", HOME)
        offer = first.awaits_offer()
        incident = operator.awaits_alarm("smoke")["incident_id"]
        first.accepts(offer["id"])
        before = operator.incident(incident)
        # What a field broker took before a gateway's first session no acknowledgement covers.
        first_run = street.ready_ms, time.time_ns() // 1_000_000
        assert street.stop() == 0

        street.start()
        # The sessions are still good, the incident goes on where it was, nobody is asked twice.
        after = eventually("the incident is there", lambda: operator.incident(incident))
        assert [e["id"] for e in after["timeline"]][: len(before["timeline"])] == [e["id"] for e in before["timeline"]]
        assert first.me()["assignment"]["offer_id"] == offer["id"]
        for step in ("on-the-way", "on-scene", "done"):
            first.goes(offer["id"], step)
        time.sleep(3)  # what would repeat, would repeat by now
        assert len(street.rows("SELECT id FROM incident WHERE kind = 'smoke'")) == 1
        assert (
            len(street.rows("SELECT id FROM offer WHERE person_id = (SELECT id FROM person WHERE login = 'liming')"))
            == 1
        )
        end(street, operator)
        until = time.time_ns() // 1_000_000
        time.sleep(3)
        for since_ms, until_ms in (first_run, (street.ready_ms, until)):
            assert not agreed(street, until_ms, since_ms=since_ms).duplicated


@pytest.mark.timeout(600)
def test_any_process_killed_in_the_middle_of_the_story(tmp_path: Path, report: list[str]) -> None:
    kills: list[tuple[str, int]] = []
    with running_street(tmp_path, "--speed", "20") as street:  # twenty times as many sales, cards and litres
        operator = Operator(street.sign_in("Chen Jing"))
        people = [Volunteer(street.sign_in(name)) for name in ("Li Ming", "Wang Fang")]
        # What a field broker passed on before its gateway ever came is nobody's loss.
        volumes = "SELECT 1 FROM reading r JOIN series s ON s.id = r.series_id WHERE s.metric = 'volume'"
        eventually("the field broker is heard", lambda: street.rows(volumes))
        since = time.time_ns() // 1_000_000
        for victim in ("gw-2", "cloud", "broker", "postgres", "gw-1"):
            street.trigger("smoke", HOME)
            if victim in ("gw-1", "gw-2"):
                kills.append((victim, time.time_ns() // 1_000_000))
            street.kill_part(victim)
            offer = people[0].awaits_offer(patience_s=90)
            incident = eventually("the alarm", lambda: operator.awaits_alarm("smoke"), 60)["incident_id"]
            assert people[0].accepts(offer["id"])["result"] == "assigned"
            for step in ("on-the-way", "on-scene", "done"):
                people[0].goes(offer["id"], step)
            end(street, operator)
            assert operator.incident(incident)["state"] == "closed"
        until = time.time_ns() // 1_000_000
        time.sleep(3)
        account = agreed(street, until, kills, since)
        assert not account.duplicated
        assert not account.altered
        report.append(
            f"killed gw-2, cloud, broker, postgres, gw-1 in the middle: {account.observed} observations,"
            f" {len(account.lost)} lost, {len(account.ram_bound)} in a killed gateway's memory,"
            f" {len(account.duplicated)} doubled"
        )


def _is_released(operator: Operator, door: str) -> bool:
    return _latest(operator, door, "released") == 1


def _latest(operator: Operator, device: str, metric: str) -> float | None:
    rows = operator.get("/devices")
    found = next(row for row in rows if row["code"] == device)["latest"].get(metric)
    return None if found is None else found["value"]


def _on_the_spot(street: Street, device: str, metric: str) -> object:
    """The last value that the gateway itself knows, asked on the gateway."""
    config = str(street.data / "config" / "gw-2.toml")
    parts = json.loads(street.command("edge", "status", "--config", config, "--json").stdout)["parts"]
    values = next(part["data"]["values"] for part in parts if part["name"] == f"device/{device}")
    return values[metric]["value"]
