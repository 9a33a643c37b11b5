"""A gateway's configuration in a real browser, over a real street: shown, refused and why, tried, rolled back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.people import Operator
from tests.acceptance.street import Street
from tests.browser.conftest import Open
from tests.browser.test_console import assert_all_said

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

PATIENCE_MS = 60_000


def opened_drawer(page: Page, language: str) -> Page:
    """The drawer of gw-2 with its text, in `language`."""
    if page.locator("html").get_attribute("lang") != language:
        page.get_by_test_id("language").click()
    page.locator("[data-configuration=gw-2]").click()
    expect(page.get_by_test_id("configuration-text")).to_have_value(re.compile("gw-2"), timeout=PATIENCE_MS)
    return page


def give(page: Page, text: str, hold_s: int = 120) -> None:
    page.get_by_test_id("configuration-text").fill(text)
    page.locator(".hold input").fill(str(hold_s))
    page.get_by_test_id("configuration-send").click()


def becomes(page: Page, state: str) -> None:
    expect(page.locator("[data-wanted]")).to_have_attribute("data-wanted", state, timeout=PATIENCE_MS)


def test_a_version_is_tried_and_confirmed_and_one_that_cuts_the_uplink_is_taken_back(
    street: Street, operator: Operator, opened: Open, complaints: list[str]
) -> None:
    page = opened_drawer(opened("Chen Jing", "/console"), "en")
    assert_all_said(page)
    text = page.get_by_test_id("configuration-text").input_value()
    give(page, text.replace('topic = "pump-room/leak"', 'topic = "pump-room/leak"\nsilent_h = 12.0'))
    becomes(page, "confirmed")
    expect(page.locator(".configuration")).to_have_attribute("data-same", "true")
    cut = re.sub(r"(?m)^port = \d+$", "port = 9", text, count=1)
    give(page, cut, hold_s=10)
    becomes(page, "rolled-back")
    expect(page.get_by_test_id("configuration-error")).to_contain_text("was not reached again within 10")
    expect(page.get_by_test_id("difference")).to_contain_text("uplink.port")
    assert_all_said(page)
    assert complaints == []


def test_what_the_gateway_refuses_is_said_in_chinese_and_a_secret_never_leaves_the_page(
    street: Street, operator: Operator, opened: Open, complaints: list[str]
) -> None:
    page = opened_drawer(opened("Chen Jing", "/console"), "zh-CN")
    text = page.get_by_test_id("configuration-text").input_value()
    give(page, text.replace('topic = "pump-room/leak"', 'topic = "pump-room/leak"\nsilnt_h = 12.0'))
    becomes(page, "refused")
    expect(page.get_by_test_id("configuration-error")).to_contain_text("您是否想写 silent_h")
    complaints.clear()
    give(page, text.replace("[uplink]", '[uplink]\npassword = "hunter2"'))
    expect(page.get_by_test_id("configuration-fault")).to_contain_text("uplink.password")
    assert street.rows("SELECT FROM configuration WHERE text LIKE '%%hunter2%%'") == []
    assert_all_said(page)


def test_a_text_that_was_not_sent_is_there_again_and_the_keyboard_goes_on_where_it_was(
    street: Street, operator: Operator, opened: Open, complaints: list[str]
) -> None:
    page = opened_drawer(opened("Chen Jing", "/console"), "en")
    page.get_by_test_id("configuration-text").fill("# half a thought")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("configuration")).to_have_count(0)
    expect(page.locator("[data-configuration=gw-2]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("configuration-text")).to_have_value("# half a thought", timeout=PATIENCE_MS)
    assert complaints == []
