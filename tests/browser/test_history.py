"""A device's panel: its past as a chart at several spans, what follows from it, its file; in both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.acceptance.people import Operator
from tests.browser.conftest import Open
from tests.browser.test_console import assert_all_said

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(240)]

PATIENCE_MS = 40_000


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_device_shows_its_past(opened: Open, operator: Operator, complaints: list[str], language: str) -> None:
    operator.client.put("/api/v1/session/language", json={"language": language}).raise_for_status()
    page = opened("Chen Jing", "/console")
    page.locator("[data-device=coldchain-1]").click()
    panel = page.locator("[data-testid=device]")
    said = {"zh-CN": "从第一个值开始", "en": "begins with the first value"}[language]
    expect(panel.locator("[data-testid=past] figcaption")).to_contain_text(said, timeout=PATIENCE_MS)
    for span in ("hour", "year"):
        panel.locator(f"[data-span={span}]").click()
        expect(panel.locator("[data-testid=past] canvas")).to_be_visible(timeout=PATIENCE_MS)
    panel.locator("[data-metric=humidity]").click()
    expect(panel.locator("[data-testid=past] canvas")).to_be_visible(timeout=PATIENCE_MS)
    expect(panel.locator("[data-figure=violations]")).to_be_visible()
    assert_all_said(page)
    with page.expect_download() as download:
        panel.locator("a[download]").first.click()
    assert download.value.path().read_text("utf-8-sig").startswith('"device","metric","unit","time","value"')
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    assert complaints == []
