"""The commissioning page in a real browser: what only a browser decides (origin of a form, cookies, the script)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from edge.commissioning.photos import MOST_BYTES, clean
from tests.unit.commissioning.test_page import Page, config, page  # noqa: F401  # fixtures

pytestmark = pytest.mark.needs("chromium")
PICTURE = Path(__file__).parents[3] / "docs" / "images" / "console-en.png"


def test_a_phone_enters_places_and_photographs(chromium: Browser, page: Page) -> None:  # noqa: F811
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="en")
    complaints: list[str] = []
    try:
        phone = context.new_page()
        phone.on("pageerror", lambda error: complaints.append(str(error)))
        phone.on("console", lambda line: complaints.append(line.text) if "Content Security" in line.text else None)
        phone.goto(page.base)
        phone.locator("input[name=code]").fill("AAAA-AAAA")
        phone.get_by_role("button", name="Begin").click()
        expect(phone.get_by_role("alert")).to_contain_text("That is not the code")
        phone.locator("input[name=code]").fill(page.door.code)
        phone.get_by_role("button", name="Begin").click()
        expect(phone.locator("progress")).to_have_attribute("value", "0")
        phone.get_by_role("link", name="smoke-1").click()
        expect(phone.locator(".trigger")).to_have_text("✓ Heard last: SMOKE (no. 1)")
        page.agent.devices[1]["trigger"] = {"number": 2, "what": "tamper", "value": True, "at_ms": 0}
        expect(phone.locator(".trigger")).to_have_text(re.compile(r"\(no\. 2\)"), timeout=20_000)
        phone.locator("input[name=place]").fill("3/1")
        phone.get_by_role("button", name="Keep").click()
        expect(phone.get_by_role("status")).to_contain_text("smoke-1: kept")
        phone.locator("input[type=file]").set_input_files(PICTURE)
        expect(phone.locator("section img")).to_have_count(1, timeout=20_000)
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in context.cookies())
        kept = page.client.get("/photo?name=smoke-1", headers={"Cookie": cookies})
        assert kept.headers["Content-Type"] == "image/jpeg", "made small by the page"
        assert len(kept.content) < MOST_BYTES
        assert clean(kept.content)[1] == kept.content
        phone.goto(f"{page.base}/walk")
        phone.get_by_role("button", name="Ask for a walk test").click()
        expect(phone.get_by_role("status")).to_contain_text("The walk test runs")
        phone.goto(f"{page.base}/handover")
        expect(phone.locator("tbody tr")).to_have_count(2)
        assert complaints == []
    finally:
        context.close()
