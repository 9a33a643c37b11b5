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
    text.fill(json.dumps({**rule, "where": {"types": ["door"]}, "when": {"type": "event", "kind": "access.duress"}}))
    page.get_by_test_id("rule-save").click()
    rules = page.get_by_test_id("rules")
    expect(rules.locator("[data-gateway-set]")).to_have_attribute("data-state", "refused", timeout=PATIENCE_MS)
    expect(rules).to_contain_text("smoke-siren.actions[0].device")
    assert_all_said(page)
    path = "/api/v1/gateways/peach-garden/gw-2/rules/smoke-siren"
    assert operator.client.delete(path).status_code == 200
    assert complaints == []
