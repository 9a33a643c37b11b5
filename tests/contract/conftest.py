"""The storage port on every edition that this machine can run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloud.storage.database import Database
from cloud.storage.migrate import migrate

EDITIONS = ["postgres", pytest.param("timescale", marks=pytest.mark.needs("timescaledb"))]


@pytest.fixture(params=EDITIONS)
def empty(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An open, empty database."""
    database = Database(request.getfixturevalue(request.param))
    database.open()
    yield database
    database.close()


@pytest.fixture
def database(empty: Database) -> Database:
    """An open database with the schema."""
    migrate(empty)
    return empty
