"""A volunteer's phone in a real browser: asked, on the way, there, done; second; and in a dead spot."""

from __future__ import annotations

import re
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.people import Operator, Volunteer
from tests.acceptance.street import Street, eventually
from tests.browser.conftest import Open
from tests.browser.test_console import HOME, PATIENCE_MS, assert_all_said

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LEAST_TARGET_PX = 48


@pytest.fixture(scope="module")
def other_link(street: Street) -> str:
    """Wang Fang's link, used by her own phone."""
    return street.links()["Wang Fang"]


def test_two_are_asked_one_goes_the_other_is_told_kindly(
    street: Street, operator: Operator, opened: Open, other_link: str, complaints: list[str]
) -> None:
    first, second = opened("Li Ming", "/phone", **PHONE), opened(None, "/in", **PHONE)
    second.goto(other_link)
    second.wait_for_url("**/phone")
    assert "#" not in second.url
    second.wait_for_selector("[data-stream=live]")
    street.trigger("smoke", HOME)
    for page in (first, second):
        expect(page.locator("[data-offer]")).to_be_visible(timeout=PATIENCE_MS)
        assert_all_said(page)
        assert "502" not in page.locator("main").inner_text(), "the flat shows only after accepting"
    for button in first.locator("[data-offer] button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= LEAST_TARGET_PX
    asked = second.locator("[data-offer]").get_attribute("data-offer")
    first.locator("[data-act=accept]").tap()
    expect(first.locator("[data-assignment]")).to_contain_text("502", timeout=PATIENCE_MS)
    told = second.locator(f'[data-message="{asked}"]')
    expect(told).to_have_attribute("data-offer-state", re.compile("withdrawn|late"), timeout=PATIENCE_MS)
    expect(second.locator("[data-offer]")).to_have_count(0)
    for step in ("on-the-way", "on-scene"):
        first.locator(f"[data-act={step}]").tap()
        expect(first.locator(f"[data-assignment][data-state={step}]")).to_be_visible(timeout=PATIENCE_MS)
    first.locator("textarea").fill("aired the flat")
    first.locator("[data-act=done]").tap()
    expect(first.locator("[data-assignment][data-state=done]")).to_be_visible(timeout=PATIENCE_MS)
    assert "502" not in first.locator("main").inner_text(), "after the end the address is gone"
    assert complaints == []


def test_what_is_tapped_in_a_dead_spot_is_sent_later(
    street: Street, operator: Operator, volunteer: Volunteer, opened: Open
) -> None:
    page = opened("Li Ming", "/phone", **PHONE)
    street.trigger("smoke", HOME)
    page.wait_for_selector("[data-offer]")
    page.context.set_offline(True)
    expect(page.locator("[data-stream=lost]")).to_be_visible(timeout=PATIENCE_MS)
    page.locator("[data-act=accept]").tap()
    expect(page.get_by_test_id("unsynced")).to_be_visible(timeout=PATIENCE_MS)
    page.context.set_offline(False)
    expect(page.locator("[data-assignment]")).to_contain_text("502", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("unsynced")).to_have_count(0)
    page.locator("[data-testid=release]").tap()
    page.locator("[data-act=release]").tap()
    eventually("the task is given back", lambda: volunteer.me()["assignment"]["state"] == "released")


def test_the_page_opens_in_a_dead_spot(street: Street, operator: Operator, opened: Open) -> None:
    page = opened("Li Ming", "/phone", **PHONE)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    shell_is_kept(page)
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_test_id("duty")).to_be_attached(timeout=PATIENCE_MS)
    expect(page.locator("[data-stream=live]")).to_have_count(0)
    page.context.set_offline(False)
    expect(page.locator("[data-stream=live]")).to_be_visible(timeout=PATIENCE_MS)


def test_duty_is_switched(street: Street, operator: Operator, volunteer: Volunteer, opened: Open) -> None:
    page = opened("Li Ming", "/phone", **PHONE)
    switch = page.get_by_test_id("duty")
    expect(switch).to_be_checked()
    for wanted in (False, True):
        switch.click(force=True)
        eventually("the service knows", partial(is_on_duty, volunteer, wanted))


def test_a_used_link_is_refused_in_one_sentence(opened: Open, other_link: str) -> None:
    page = opened(None, "/in")
    page.goto("about:blank")
    page.goto(other_link)
    expect(page.get_by_test_id("fault")).not_to_be_empty()
    expect(page.locator("input[type=password]")).to_be_visible()
    assert "#" not in page.url


def is_on_duty(volunteer: Volunteer, wanted: bool) -> bool:
    """Whether the service has the duty that was switched."""
    return volunteer.me()["responder"]["on_duty"] is wanted


def shell_is_kept(page: Page) -> None:
    """Wait until the service worker controls the page and has its shell."""
    page.wait_for_function("async () => (await (await caches.open('liandong-shell-1')).keys()).length > 15")
    page.reload()
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    page.wait_for_selector("[data-stream=live]")
