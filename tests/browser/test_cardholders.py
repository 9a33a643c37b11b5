"""People with cards, and rules of a gateway, in a real browser over a real street."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.people import Operator
from tests.acceptance.street import Street
from tests.browser.conftest import Open
from tests.browser.test_console import assert_all_said

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

PATIENCE_MS = 60_000


def opened_in(page: Page, language: str) -> Page:
    """The console in `language`."""
    if page.locator("html").get_attribute("lang") != language:
        page.get_by_test_id("language").click()
    return page


def arrived(page: Page) -> None:
    """gw-2 works by what is wanted."""
    state = page.locator("[data-testid=cardholders] [data-gateway-set=gw-2]")
    expect(state).to_have_attribute("data-state", re.compile("applied|nothing"), timeout=PATIENCE_MS)


def test_somebody_is_added_switched_off_and_removed(
    street: Street, operator: Operator, opened: Open, complaints: list[str]
) -> None:
    page = opened_in(opened("Chen Jing", "/console"), "en")
    page.get_by_test_id("open-cardholders").click()
    page.get_by_test_id("cardholder-add").click()
    page.get_by_test_id("field-code").fill("guest-9")
    page.get_by_test_id("field-cards").fill("H10301:9:909")
    page.get_by_test_id("field-valid_until").fill("2030-01-01")
    page.get_by_label("gw-2/door-1").check()
    page.get_by_test_id("cardholder-save").click()
    row = page.locator("[data-cardholder=guest-9]")
    expect(row).to_contain_text("H10301:…909")
    expect(row).to_contain_text("2030-01-01")
    arrived(page)
    assert_all_said(page)
    row.get_by_test_id("cardholder-edit").click()
    page.get_by_test_id("field-duress_cards").fill("H10301:9:910")
    page.get_by_test_id("cardholder-save").click()
    expect(row).to_contain_text("H10301:…909 + 1")
    row.get_by_test_id("cardholder-switch").click()
    expect(row).to_have_attribute("data-enabled", "false")
    arrived(page)
    row.get_by_test_id("cardholder-edit").click()
    page.get_by_test_id("cardholder-remove").click()
    page.get_by_test_id("cardholder-remove").click()
    expect(row).to_have_count(0)
    assert complaints == []


def test_a_sheet_says_what_is_wrong_in_chinese_and_a_right_one_is_taken(
    street: Street, operator: Operator, opened: Open, complaints: list[str], tmp_path: Path
) -> None:
    page = opened_in(opened("Chen Jing", "/console"), "zh-CN")
    page.get_by_test_id("open-cardholders").click()
    sheet = tmp_path / "people.csv"
    sheet.write_text("code,doors\nguest-10,door-99\n", "utf-8")
    page.get_by_test_id("sheet-file").set_input_files(sheet)
    expect(page.get_by_test_id("sheet-faults")).to_contain_text("第 2 行")
    expect(page.get_by_test_id("sheet-faults")).to_contain_text("没有门 door-99")
    sheet.write_text("code,doors\nguest-10,door-2\n", "utf-8")
    page.get_by_test_id("sheet-file").set_input_files(sheet)
    page.get_by_test_id("sheet-take").click()
    expect(page.locator("[data-cardholder=guest-10]")).to_contain_text("door-2")
    arrived(page)
    assert_all_said(page)
    assert operator.client.delete("/api/v1/access/cardholders/guest-10").status_code == 200
    assert complaints == []


def test_a_rule_that_the_gateway_cannot_judge_is_refused_and_says_why(
    street: Street, operator: Operator, opened: Open, complaints: list[str]
) -> None:
    page = opened_in(opened("Chen Jing", "/console"), "en")
    page.locator("[data-configuration=gw-2]").click()
    page.get_by_test_id("rule-add").click()
    text = page.get_by_test_id("rule-text")
    rule = json.loads(text.input_value())
    assert (rule["where"]["devices"], rule["actions"][0]["device"]) == (["smoke-502"], "siren-3")  # what it has
    duress = {"where": {"types": ["door"]}, "when": {"type": "event", "kind": "access.duress"}}
    text.fill(json.dumps(rule | duress | {"actions": [{"device": "siren-9", "output": "sound"}]}))
    page.get_by_test_id("rule-save").click()
    rules = page.get_by_test_id("rules")
    expect(rules.locator("[data-gateway-set]")).to_have_attribute("data-state", "refused", timeout=PATIENCE_MS)
    expect(rules).to_contain_text("smoke-siren.actions[0].device")
    assert_all_said(page)
    path = "/api/v1/gateways/peach-garden/gw-2/rules/smoke-siren"
    assert operator.client.delete(path).status_code == 200
    assert complaints == []


def test_hours_are_written_looked_at_and_given_and_holidays_by_date(
    street: Street, operator: Operator, opened: Open, complaints: list[str]
) -> None:
    page = opened_in(opened("Chen Jing", "/console"), "zh-CN")
    page.get_by_test_id("open-cardholders").click()
    page.get_by_test_id("schedule-add").click()
    expect(page.get_by_test_id("schedule-code")).to_be_focused()
    page.keyboard.type("night-shift")
    monday, tuesday = page.locator("[data-day=mon]"), page.locator("[data-day=tue]")
    monday.fill("6-9，22-6")
    tuesday.fill("25-26")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("schedule-fault")).to_contain_text("周二：“25-26”不是一段时间")
    tuesday.fill("8:00-12:00, 11:00-13:00")
    expect(page.locator("[data-fault=tue]")).to_contain_text("08:00-12:00 与 11:00-13:00 重叠")
    tuesday.fill("")
    assert_all_said(page)
    page.keyboard.press("Enter")
    week = page.locator("[data-schedule=night-shift] .week")
    expect(week.locator("small").first).to_have_text("06:00–09:00, 22:00–06:00")
    expect(week.locator("svg").nth(0).locator("rect")).to_have_count(2)
    expect(week.locator("svg").nth(1).locator("rect.over")).to_have_count(1)  # Monday night goes on here
    page.get_by_test_id("holiday-from").fill("2090-02-01")
    page.locator("[data-testid=holidays] input").nth(1).fill("2090-02-03")
    page.get_by_test_id("holiday-add").click()
    expect(page.locator("[data-holiday]")).to_have_count(3)
    page.locator("[data-holiday='2090-02-02'] button").click()
    expect(page.locator("[data-holiday]")).to_have_count(2)
    assert_all_said(page)
    known = operator.get("/access/cardholders?place=donggang/taoyuan/peach-garden")
    assert known["holidays"] == ["2090-02-01", "2090-02-03"]
    assert known["schedules"][0]["hours"]["mon"] == ["06:00-09:00", "22:00-06:00"]
    page.get_by_test_id("schedule-edit").click()
    page.get_by_test_id("schedule-remove").click()
    page.get_by_test_id("schedule-remove").click()
    expect(page.locator("[data-schedule]")).to_have_count(0)
    empty = {"place": "donggang/taoyuan/peach-garden", "days": []}
    assert operator.client.put("/api/v1/access/holidays", json=empty).status_code == 200
    assert complaints == []
