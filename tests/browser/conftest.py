"""A running street, and its people in front of their pages."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.acceptance.people import Operator, Volunteer
from tests.acceptance.street import Street, eventually, running_street

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def street() -> Iterator[Street]:
    """`liandong up` on a fresh data directory, shared by the tests of a file; idle streets cost the others time."""
    with tempfile.TemporaryDirectory(prefix="liandong-pages-") as folder, running_street(Path(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def sessions(street: Street) -> dict[str, httpx.Client]:
    """A signed-in client for each person; links work once."""
    return {name: street.sign_in(name) for name in street.links() if name != "Wang Fang"}


@pytest.fixture
def operator(street: Street, sessions: dict[str, httpx.Client]) -> Iterator[Operator]:
    """Chen Jing; the street is quiet before and after."""
    person = Operator(sessions["Chen Jing"])
    _quiet(street, person)
    yield person
    _quiet(street, person)


@pytest.fixture
def volunteer(sessions: dict[str, httpx.Client]) -> Volunteer:
    """Li Ming."""
    return Volunteer(sessions["Li Ming"])


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said as an error, on every page of the test."""
    return []


@pytest.fixture
def context(chromium: Browser, street: Street) -> Iterator[Callable[..., BrowserContext]]:
    """Browser profiles of their own, with a person's session; all are closed at the end."""
    opened: list[BrowserContext] = []

    def make(client: httpx.Client | None, **options: Any) -> BrowserContext:
        profile = chromium.new_context(reduced_motion="reduce", **options)
        opened.append(profile)
        if client is not None:
            cookie = client.cookies["liandong_session"]
            profile.add_cookies([{"name": "liandong_session", "value": cookie, "url": street.url}])
        return profile

    yield make
    for profile in opened:
        profile.close()


@pytest.fixture
def opened(
    context: Callable[..., BrowserContext], street: Street, sessions: dict[str, httpx.Client], complaints: list[str]
) -> Open:
    """`opened(name, path, **options)`: a page as that person sees it, live."""

    def open_page(name: str | None, path: str, **options: Any) -> Page:
        page = context(sessions[name] if name else None, **options).new_page()
        watch(page, complaints)
        page.goto(street.url + path)
        if path != "/in":
            page.wait_for_selector("[data-stream=live]")
        return page

    return open_page


def watch(page: Page, complaints: list[str]) -> None:
    """Note every error of the page's console: blocked by the policy, missing, or thrown."""
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))


def _quiet(street: Street, operator: Operator) -> None:
    street.trigger("smoke-clear")
    eventually("the smoke is gone", lambda: not any(alarm["active"] for alarm in operator.alarms("smoke")))
    operator.closes_everything()
