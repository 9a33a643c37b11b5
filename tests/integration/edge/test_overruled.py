"""What a person wants later stands: no local rule does what it still owed before; a new fire or leak acts at once."""

from __future__ import annotations

import time
from pathlib import Path

from edge.local import ask
from protocols.events import Reading, Value
from tests.integration.edge.bench import BenchDriver, document, running

RULE = {
    "code": "smoke",
    "where": {"types": ["smoke"]},
    "when": {"type": "state", "metric": "smoke"},
    "actions": [{"device": "siren-1", "output": "sound"}, {"device": "door-1", "output": "release"}],
}
LEAK = {
    "code": "leak-valve",
    "where": {"types": ["water-leak"]},
    "when": {"type": "state", "metric": "leak"},
    "actions": [{"device": "valve-1", "output": "valve-closed"}],
}
SOUND, RELEASE, RESTORE = ("siren-1", "sound", True), ("door-1", "release", True), ("door-1", "restore", True)


def smokes(driver: BenchDriver, value: bool) -> None:
    driver.emit(Reading(device="smoke-1", metric="smoke", value=value, at_ms=round(time.time() * 1000)), durable=True)


def returns(driver: BenchDriver) -> None:
    """Both devices were away for a moment."""
    assert driver.ctx is not None
    for online in (False, True):
        for device in ("door-1", "siren-1"):
            driver.ctx.status(device, online=online)


def acted(driver: BenchDriver, count: int) -> set[tuple[str, str, Value]]:
    return {driver.acted.get(timeout=20) for _ in range(count)}


def test_a_person_restores_a_door_that_a_rule_has_not_got_open_yet(tmp_path: Path) -> None:
    made = document(1)  # nobody is at the broker's port
    made["gateway"]["data"] = str(tmp_path / "data")
    made["rule"] = [RULE]
    with running(tmp_path, made) as (agent, driver):
        driver.refuse = {"sound", "release"}
        smokes(driver, True)
        assert ask(tmp_path / "data", {"ask": "act", "device": "door-1", "output": "restore", "value": True})["ok"]
        assert driver.acted.get(timeout=20) == RESTORE
        driver.refuse = set()
        returns(driver)
        assert acted(driver, 1) == {SOUND}, "the siren is still owed"
        agent.works()
    with running(tmp_path, made) as (agent, driver):
        returns(driver)
        agent.works()
        smokes(driver, False)
        ask(tmp_path / "data", {"ask": "act", "device": "door-1", "output": "beep", "value": True})
        assert driver.acted.get(timeout=20) == ("door-1", "beep", True), "nothing of the first fire"
        smokes(driver, True)
        assert acted(driver, 2) == {SOUND, RELEASE}, "a new fire"
        assert driver.acted.empty()


def leaks(driver: BenchDriver, value: bool) -> None:
    driver.emit(Reading(device="leak-1", metric="leak", value=value, at_ms=round(time.time() * 1000)), durable=True)


def test_a_leak_closes_the_valve_and_whoever_opens_it_is_not_overruled(tmp_path: Path) -> None:
    made = document(1)  # nobody is at the broker's port
    made["gateway"]["data"] = str(tmp_path / "data")
    made["driver"][0]["device"] += [{"id": "leak-1", "type": "water-leak"}, {"id": "valve-1", "type": "valve"}]
    made["rule"] = [LEAK]
    closed, opened = ("valve-1", "valve-closed", True), ("valve-1", "valve-closed", False)
    order = {"ask": "act", "device": "valve-1", "output": "valve-closed", "value": False}
    with running(tmp_path, made) as (agent, driver):
        leaks(driver, True)
        assert driver.acted.get(timeout=20) == closed
        assert ask(tmp_path / "data", order)["ok"]
        assert driver.acted.get(timeout=20) == opened
        leaks(driver, True)
        agent.works()
    with running(tmp_path, made) as (agent, driver):
        assert driver.ctx is not None
        for online in (False, True):
            driver.ctx.status("valve-1", online=online)
        leaks(driver, True)
        agent.works()
        ask(tmp_path / "data", {"ask": "act", "device": "door-1", "output": "beep", "value": True})
        assert driver.acted.get(timeout=20) == ("door-1", "beep", True), (
            "the water still stands there, and it stays open"
        )
        leaks(driver, False)
        leaks(driver, True)
        assert driver.acted.get(timeout=20) == closed, "a new leak"
