"""The storage port on every edition that this machine can run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloud.storage.database import Database
from cloud.storage.migrate import migrate

MANY = ("postgres", pytest.param("timescale", marks=pytest.mark.needs("timescaledb")))
"""Editions that serve many connections."""
ONE = pytest.param("community", marks=pytest.mark.needs("community"))
"""The edition that can be had for a single connection only."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Suite A (``*_one_connection.py``) runs on all editions, suite B on those that serve many."""
    if "empty" in metafunc.fixturenames:
        editions = (*MANY, ONE) if metafunc.module.__name__.endswith("_one_connection") else MANY
        metafunc.parametrize("empty", editions, indirect=True)


@pytest.fixture
def empty(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An open, empty database."""
    edition: str = request.param
    database = Database(request.getfixturevalue(edition), max_size=1 if edition == "community" else 12)
    database.open()
    yield database
    database.close()


@pytest.fixture
def database(empty: Database) -> Database:
    """An open database with the schema."""
    migrate(empty)
    return empty
