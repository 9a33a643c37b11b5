"""The installer's page in a real browser, over a real street: a walk test, and a place on which two disagree."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.acceptance.people import Operator, Volunteer
from tests.acceptance.street import Street, eventually
from tests.browser.conftest import Open
from tests.browser.test_console import assert_all_said

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

PATIENCE_MS = 60_000
PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "en"}


def language(page: Page, wanted: str) -> None:
    if page.locator("html").get_attribute("lang") != wanted:
        page.get_by_test_id("menu").click()
        page.get_by_test_id("language").click()
        expect(page.locator("html")).to_have_attribute("lang", wanted)


def test_in_a_walk_test_the_installer_alone_sees_the_alarm(
    street: Street, operator: Operator, volunteer: Volunteer, opened: Open, complaints: list[str]
) -> None:
    page = opened("Chen Jing", "/install#peach-garden/gw-2", **PHONE)
    language(page, "zh-CN")
    walk, detector = page.locator("[data-walk]"), page.locator("[data-device=smoke-502]")
    expect(detector).to_have_attribute("data-live", "true", timeout=PATIENCE_MS)
    assert_all_said(page)
    language(page, "en")
    page.get_by_test_id("walk-begin").click()
    expect(page.locator(".walk .warn")).to_contain_text("real ones neither")
    page.get_by_test_id("walk-sure").click()
    expect(walk).to_have_attribute("data-walk", "running", timeout=PATIENCE_MS)
    before = len(volunteer.me()["offers"])
    street.trigger("smoke")
    expect(detector).to_have_attribute("data-ticked", "true", timeout=PATIENCE_MS)
    expect(page.locator(".walk .warn")).to_contain_text("Smoke")
    assert_all_said(page)
    called = [one for one in operator.get("/incidents?open=true") if one["response"] != "device"]
    assert (operator.alarms("smoke"), called) == ([], [])
    assert len(volunteer.me()["offers"]) == before
    street.trigger("smoke-clear")
    expect(page.locator(".walk .warn")).to_have_count(0, timeout=PATIENCE_MS)
    page.get_by_test_id("walk-stop").click()
    expect(walk).to_have_attribute("data-walk", "none", timeout=PATIENCE_MS)
    expect(detector).to_contain_text("✓ alarm")
    assert complaints == []


def test_where_gateway_and_cloud_disagree_a_person_decides(
    street: Street, operator: Operator, opened: Open, complaints: list[str]
) -> None:
    words = ("edge", "commission", "--config", str(street.data / "config" / "gw-2.toml"), "--device", "motion-301")
    said = street.command(*words, "--place", "3/1/502", "--name", "Hall")
    assert said.returncode == 0, said.stderr
    page = opened("Chen Jing", "/install#peach-garden/gw-2", **PHONE)
    language(page, "en")
    row = page.locator("[data-device=motion-301]")
    expect(row).to_have_attribute("data-told", "differs", timeout=PATIENCE_MS)
    expect(row).to_contain_text("The gateway says: Motion sensor at 3/1/502")
    row.get_by_test_id("choose").click()
    row.locator("select").select_option("donggang/taoyuan/peach-garden/3/1/hall")
    row.get_by_test_id("hang").click()
    expect(row).to_have_attribute("data-told", "kept", timeout=PATIENCE_MS)
    where = "SELECT path FROM device JOIN place ON place.id = place_id WHERE device.code = 'motion-301'"
    eventually("it hangs there", lambda: street.rows(where)[0]["path"].endswith("/3/1/hall"))
    street.rows(
        "UPDATE device SET place_id = (SELECT id FROM place WHERE path = 'donggang/taoyuan/peach-garden/3/1/301') "
        "WHERE code = 'motion-301' RETURNING id"
    )
    assert_all_said(page)
    assert complaints == []


def test_the_console_lists_what_has_no_place(street: Street, operator: Operator, opened: Open) -> None:
    street.rows(
        "INSERT INTO device (gateway_id, code, type) "
        "SELECT id, 'smoke-new', 'smoke' FROM gateway WHERE code = 'gw-2' RETURNING id"
    )
    try:
        page = opened("Chen Jing", "/console")
        listed = page.locator("[data-figure=unplaced]")
        expect(listed).to_contain_text("1", timeout=PATIENCE_MS)
        page.get_by_test_id("person").click()
        expect(page.get_by_test_id("install")).to_be_visible()
        assert_all_said(page)
        listed.click()
        gateway = page.locator("[data-gateway=gw-2]")
        expect(gateway.locator(".warn")).to_contain_text("1", timeout=PATIENCE_MS)
        gateway.locator("a").click()
        expect(page.locator("[data-device=smoke-new]")).to_have_attribute("data-live", "false", timeout=PATIENCE_MS)
        assert_all_said(page)
    finally:
        street.rows("DELETE FROM device WHERE code = 'smoke-new' RETURNING id")


def test_an_address_that_nobody_wrote_so_is_still_a_page(street: Street, opened: Open, complaints: list[str]) -> None:
    page = opened("Chen Jing", "/install#%", **PHONE)
    expect(page.locator("a[href='#peach-garden/gw-2']")).to_be_visible(timeout=PATIENCE_MS)
    assert complaints == []


def test_a_device_is_approved_once_however_often_it_is_said_and_without_tls(street: Street, opened: Open) -> None:
    page = opened("Chen Jing", "/install#peach-garden/gw-2", **PHONE)
    waiting = {"driver": "zigbee", "address": "0x1", "type": "smoke", "model": "", "name": "", "since": ""}

    def listed(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"waiting": [waiting]})

    page.route("**/installation", listed)
    page.route("**/waiting", lambda route: route.abort())
    page.reload()
    form = page.locator("[data-stranger='0x1']")
    expect(form).to_be_visible(timeout=PATIENCE_MS)
    page.evaluate("() => { Crypto.prototype.randomUUID = undefined; }")
    said: list[str] = []
    for name in ("smoke-1", "smoke-1", "smoke-2"):
        form.locator("input").fill(name)
        with page.expect_request("**/waiting", timeout=PATIENCE_MS) as sent:
            form.get_by_test_id("approve").click()
        said.append(json.loads(sent.value.post_data or "{}")["action_id"])
    assert [one == said[0] for one in said] == [True, True, False]
