"""The machine's Chromium, driven by Playwright."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.services.capabilities import find_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium for a file of tests; mark the test `needs("chromium")`.

    Not for the whole run: as long as Playwright is open its event loop counts as running, and no other test of the
    process could run one of its own.
    """
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to start as root; the pages are our own.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=flags)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def browser_page(chromium: Browser) -> Iterator[Page]:
    """A page with its own cookies and storage."""
    context = chromium.new_context()
    try:
        yield context.new_page()
    finally:
        context.close()
