"""Doors from afar, as an operator's page does it: asked, confirmed by hand, and what became of it is shown."""

from __future__ import annotations

from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page, expect

from tests.acceptance.people import Operator
from tests.browser.conftest import Open
from tests.browser.test_console import assert_all_said

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(240)]

PATIENCE_MS = 40_000

ROUNDS, LOOK_MS = 20, 500


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
