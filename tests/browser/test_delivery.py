"""What did not arrive, and a cloud that lags, for somebody who opens the console when it was told long ago."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.acceptance.people import Operator
from tests.acceptance.street import Street, eventually
from tests.browser.conftest import Open
from tests.browser.test_console import assert_all_said

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

PATIENCE_MS = 40_000


@pytest.fixture
def loss(street: Street) -> Iterator[int]:
    """A range of a lane that no birth names is missing; told by the service itself."""
    epoch = uuid.uuid4()
    street.rows(
        "INSERT INTO received (epoch, lane, numbers, highest, gateway_id)"
        " SELECT %s, 'bulk', '{[1,50),[60,100)}', 99, id FROM gateway WHERE code = 'gw-1' RETURNING epoch",
        epoch,
    )
    told = eventually("a loss", lambda: street.rows("SELECT id FROM loss WHERE epoch = %s", epoch))
    yield told[0]["id"]
    street.rows("UPDATE received SET numbers = '{[1,100)}' WHERE epoch = %s RETURNING epoch", epoch)
    eventually("its end", lambda: street.rows("SELECT FROM loss WHERE epoch = %s AND ended_at IS NOT NULL", epoch))


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_loss_of_the_night_is_news_until_it_was_looked_at(
    loss: int, opened: Open, operator: Operator, complaints: list[str], language: str
) -> None:
    operator.client.put("/api/v1/session/language", json={"language": language}).raise_for_status()
    page = opened("Chen Jing", "/console")
    button = page.get_by_test_id("delivery")
    expect(button).to_contain_text("●")
    button.click()
    expect(page.locator(f"[data-loss='{loss}']")).to_be_visible(timeout=PATIENCE_MS)
    assert_all_said(page)
    expect(button).not_to_contain_text("●")
    page.wait_for_function("localStorage.getItem('liandong.losses') !== null")
    page.reload()
    expect(button).to_be_visible(timeout=PATIENCE_MS)
    expect(button).not_to_contain_text("●")
    assert complaints == []


def test_a_cloud_that_lags_is_said_loudly_also_to_who_comes_later(
    opened: Open, operator: Operator, complaints: list[str]
) -> None:
    page = opened("Chen Jing", "/console")
    expect(page.get_by_test_id("lag")).to_have_count(0)

    def late(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(answer.json() | {"lag": 42}))

    page.route("**/api/v1/overview", late)
    page.reload()
    expect(page.get_by_test_id("lag")).to_contain_text("42", timeout=PATIENCE_MS)
    assert complaints == []
