"""The command centre in a real browser, over a real street."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.people import Operator
from tests.acceptance.street import Street
from tests.browser.conftest import Open

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

HOME = "peach-garden/3/502"
FIRST_LOAD_BYTES = 300_000
BARE_CODE = re.compile(r"\b(?:ui|cloud)\.[a-z][\w-]*(?:\.[\w-]+)+")
PATIENCE_MS = 15_000


def smoke(street: Street, operator: Operator) -> int:
    """Smoke in flat 502; the number of its alarm."""
    street.trigger("smoke", HOME)
    number: int = operator.awaits_alarm("smoke")["id"]
    return number


def test_first_load_is_small_and_asks_nobody_else(street: Street, operator: Operator, opened: Open) -> None:
    page = opened("Chen Jing", "/in")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    hosts: set[str] = set()
    sizes: list[float] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(f"{street.url}/console")
    page.wait_for_selector("[data-stream=live]")
    page.wait_for_selector("path.building")
    assert hosts == {urlsplit(street.url).netloc}
    assert sum(sizes) < FIRST_LOAD_BYTES


def test_an_alarm_appears_and_is_acknowledged_by_keyboard(street: Street, operator: Operator, opened: Open) -> None:
    page = opened("Chen Jing", "/console")
    alarm = smoke(street, operator)
    row = page.locator(f'[data-alarm="{alarm}"]')
    expect(row).to_have_attribute("data-severity", "P1", timeout=PATIENCE_MS)
    expect(row).to_have_attribute("data-acknowledged", "false")
    expect(page.get_by_test_id("announcement")).not_to_be_empty()
    expect(page.locator("[data-pin][data-severity=P1].filled")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("[data-incident]")).to_be_visible()
    expect(page.locator(".chart canvas")).to_be_visible()
    page.keyboard.press("a")
    expect(row).to_have_attribute("data-acknowledged", "true")
    expect(page.locator("[data-pin][data-severity=P1].outline")).to_be_visible()
    assert operator.alarms("smoke")[0]["acknowledged"]


def test_a_false_alarm_asks_first_and_tells_why(street: Street, operator: Operator, opened: Open) -> None:
    page = opened("Chen Jing", "/console")
    smoke(street, operator)
    page.wait_for_selector("[data-alarm]")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("[data-incident]")
    page.keyboard.press("f")
    page.locator("[data-form=false-alarm] input").fill("burnt toast")
    page.keyboard.press("Enter")
    expect(page.locator("[data-incident]")).to_have_attribute("data-state", "void")
    expect(page.locator(".timeline")).to_contain_text("burnt toast")


def test_the_drawer_makes_something_happen(street: Street, operator: Operator, opened: Open) -> None:
    page = opened("Chen Jing", "/console")
    page.get_by_test_id("simulation").click()
    page.locator("[data-trigger=smoke]").click()
    expect(page.locator("[data-alarm][data-severity=P1]")).to_be_visible(timeout=PATIENCE_MS)


def test_a_lost_stream_is_said_loudly_and_comes_back(street: Street, operator: Operator, opened: Open) -> None:
    page = opened("Chen Jing", "/console")
    street.kill_part("cloud")
    expect(page.locator("[data-stream=lost]")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".lost[role=alert]")).to_be_visible()
    expect(page.locator("[data-stream=live]")).to_be_visible(timeout=60_000)
    alarm = smoke(street, operator)
    expect(page.locator(f'[data-alarm="{alarm}"]')).to_be_visible(timeout=PATIENCE_MS)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_no_sentence_is_missing_and_the_policy_is_kept(
    street: Street, operator: Operator, opened: Open, complaints: list[str], language: str
) -> None:
    page = opened("Chen Jing", "/console")
    if page.locator("html").get_attribute("lang") != language:
        page.get_by_test_id("language").click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert_all_said(page)
    smoke(street, operator)
    page.wait_for_selector("[data-alarm]")
    page.keyboard.press("j")
    expect(page.locator(".chart canvas")).to_be_visible()
    page.keyboard.press("?")
    assert_all_said(page)
    page.get_by_test_id("simulation").click()
    page.wait_for_selector("[data-trigger]")
    page.get_by_test_id("theme").click()
    page.locator("path.building").first.dispatch_event("click")
    page.wait_for_selector("[data-testid=building]")
    assert_all_said(page)
    assert complaints == []


def assert_all_said(page: Page) -> None:
    """No code stands where a sentence should."""
    assert BARE_CODE.findall(page.locator("body").inner_text()) == []
