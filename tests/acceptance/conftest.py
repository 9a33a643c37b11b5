"""A running street for each file, and people who are signed in to it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.people import Operator, Volunteer
from tests.acceptance.street import Street, running_street


@pytest.fixture(scope="module")
def street() -> Iterator[Street]:
    """`liandong up` on a fresh data directory, shared by the tests that leave it as they found it."""
    with tempfile.TemporaryDirectory(prefix="liandong-street-") as folder, running_street(Path(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def sessions(street: Street) -> dict[str, httpx.Client]:
    """A signed-in client for each person; links work once, so they are used once for the whole file."""
    return {name: street.sign_in(name) for name in street.links()}


@pytest.fixture
def operator(sessions: dict[str, httpx.Client]) -> Operator:
    """Chen Jing in the command centre."""
    return Operator(sessions["Chen Jing"])


@pytest.fixture
def volunteers(sessions: dict[str, httpx.Client]) -> tuple[Volunteer, Volunteer]:
    """Li Ming and Wang Fang."""
    return Volunteer(sessions["Li Ming"]), Volunteer(sessions["Wang Fang"])
