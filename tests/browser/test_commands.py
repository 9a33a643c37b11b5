"""Outputs from afar, as an operator's page does it: asked, confirmed by hand, and what became of it is shown."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from playwright.sync_api import Error, Page, expect

from simulators.hardware.modbus import ModbusBus, Thermostat
from simulators.hardware.tcp_line import TcpLine
from tests.acceptance.people import Operator
from tests.acceptance.street import Street, eventually
from tests.browser.conftest import Open
from tests.browser.test_console import assert_all_said
from tests.integration.modbus.agent import Ledger
from tests.integration.modbus.test_modbus_writes import WALL_PROFILE

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(240)]

PATIENCE_MS = 40_000

ROUNDS, LOOK_MS = 20, 500

DRIVER = """
[[driver]]
family = "modbus"
name = "plant-room"
tcp = "127.0.0.1:{port}"
[[driver.device]]
id = "wall"
type = "thermostat"
unit = 4
profile_file = "wall.toml"
writable = ["setpoint", "switched-on"]
interval_s = 1
"""


def building_with_doors(page: Page) -> None:
    """Open the panel of a building that has doors, as soon as their gateway has told of them."""
    page.wait_for_selector("path.building")
    for _ in range(ROUNDS):
        for number in range(page.locator("path.building").count()):
            page.locator("path.building").nth(number).dispatch_event("click")
            page.wait_for_selector("[data-testid=building]")
            with suppress(Error):
                page.locator("[data-command=release]").first.wait_for(timeout=LOOK_MS)
                return
    raise AssertionError("no building has a door that can be released")


def unlock(page: Page) -> None:
    """Keep a door unlocked; on a busy machine the order may come too late, and then it does nothing: once more."""
    restore = page.locator("[data-command=restore]")
    refused = page.locator(".outcome[data-state=expired], .outcome[data-state=failed], .outcome[data-state=refused]")
    for _ in range(3):
        page.locator("[data-command=release]").first.click()
        page.locator("[data-yes]").click()
        expect(restore.or_(refused).first).to_be_visible(timeout=PATIENCE_MS)
        if restore.count():
            return


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_door_is_kept_unlocked_and_locked_again(
    opened: Open, operator: Operator, complaints: list[str], language: str
) -> None:
    operator.client.put("/api/v1/session/language", json={"language": language}).raise_for_status()
    page = opened("Chen Jing", "/console")
    building_with_doors(page)
    doors = page.locator("[data-command=release]").count()

    page.locator("[data-command=release]").first.click()
    question = page.locator(".question")
    expect(question).to_be_visible()
    expect(question.locator("button").last).to_be_focused()  # the way back, not the door
    question.locator("button").last.click()
    expect(page.locator(".outcome")).to_have_count(0)

    unlock(page)
    restore = page.locator("[data-command=restore]")
    expect(restore).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.locator(".outcome[data-state=done]")).to_be_visible()
    assert_all_said(page)

    restore.click()
    page.locator("[data-yes]").click()
    expect(page.locator("[data-command=release]")).to_have_count(doors, timeout=PATIENCE_MS)
    assert_all_said(page)
    assert complaints == []


def test_a_device_is_read_now_without_a_question_and_one_that_sleeps_says_so(
    opened: Open, operator: Operator, complaints: list[str]
) -> None:
    operator.client.put("/api/v1/session/language", json={"language": "en"}).raise_for_status()
    page = opened("Chen Jing", "/console")
    building_with_doors(page)
    page.locator(".commands:has([data-command=release]) [data-command=read]").first.click()
    expect(page.locator(".question")).to_have_count(0)
    expect(page.locator(".outcome[data-state=done]")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Water meter: Read now").click()
    expect(page.locator(".outcome[data-state=refused]")).to_contain_text("sleeps", timeout=PATIENCE_MS)
    assert_all_said(page)
    assert complaints == []


@contextmanager
def thermostat_on(street: Street, operator: Operator) -> Iterator[Thermostat]:
    """A thermostat in the hall, read and written by gw-2 over Modbus TCP, with a place."""
    (street.data / "config" / "wall.toml").write_text(WALL_PROFILE, "utf-8")
    wall, line = Thermostat("wall", 4, random.Random(1)), TcpLine()
    bus = ModbusBus(line, [wall], ledger=Ledger(), rng=random.Random(2), baud=38_400, framing="tcp")
    bus.start()
    try:
        own = (street.data / "config" / "gw-2.toml").read_text("utf-8")
        path = "/gateways/peach-garden/gw-2/configuration"
        text = own + DRIVER.format(port=line.port)
        operator.post(path, text=text, hold_s=10, action_id=str(uuid.uuid4()))
        eventually("gw-2 has it", lambda: operator.get(path)["wanted"]["state"] == "confirmed", 60)
        words = ("--config", str(street.data / "config" / "gw-2.toml"), "--device", "wall", "--place", "3/1/hall")
        said = street.command("edge", "commission", *words, "--name", "Hall heating")
        assert said.returncode == 0, said.stderr
        eventually("the cloud knows what it is", lambda: any(one["code"] == "wall" for one in writable(operator)))
        yield wall
    finally:
        bus.stop()


def writable(operator: Operator) -> list[dict[str, Any]]:
    return [one for one in operator.get("/devices") if any(out["form"] == "number" for out in one["outputs"])]


def test_a_set_point_is_asked_within_its_range_and_read_back(
    street: Street, operator: Operator, opened: Open, complaints: list[str]
) -> None:
    operator.client.put("/api/v1/session/language", json={"language": "en"}).raise_for_status()
    with thermostat_on(street, operator) as wall:
        page = opened("Chen Jing", "/console")
        page.locator("[data-device=wall]").click()
        row = page.locator("[data-output=setpoint]")
        expect(row.locator("[data-reported]")).to_contain_text("20 °C")
        row.locator("input").fill("61")
        row.locator("input").press("Enter")
        expect(row.get_by_role("alert")).to_contain_text("0 to 60 °C")
        row.locator("input").fill("22.5")
        row.locator("input").press("Enter")
        expect(row.locator(".question")).to_contain_text("It reports 20 °C now")
        row.locator("[data-yes]").click()
        expect(row).to_have_attribute("data-agrees", "yes", timeout=PATIENCE_MS)
        expect(row.locator("[data-reported]")).to_contain_text("22.5 °C")
        expect(row.locator(".outcome")).to_contain_text("Wanted 22.5 °C (Chen Jing")
        assert wall.setpoint == 22.5
        row.locator("input").fill("45")  # within the catalogue's range, beyond the unit's own
        row.locator("input").press("Enter")
        row.locator("[data-yes]").click()
        expect(row.locator(".outcome[data-state=refused]")).to_be_visible(timeout=PATIENCE_MS)
        switch = page.locator("[data-output=switched-on]")
        switch.locator("[data-set=false]").click()
        switch.locator("[data-yes]").click()
        expect(switch).to_have_attribute("data-agrees", "yes", timeout=PATIENCE_MS)
        assert (wall.setpoint, wall.on) == (22.5, False)
        assert_all_said(page)
        page.locator("[data-device=door-1]").click()
        page.get_by_test_id("outputs").locator("summary").click()
        beep = page.locator("[data-output=beep]")  # nothing reads it back
        beep.locator("[data-set]").click()
        beep.locator("[data-yes]").click()
        expect(beep.locator(".outcome[data-state=done]")).to_be_visible(timeout=PATIENCE_MS)
        assert_all_said(page)
    assert complaints == []
