"""The decision whether a message is new belongs to one transaction at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from cloud.storage import received
from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from cloud.storage.received import LaneKey
from protocols.delivery import Lane, NumberSet
from protocols.errors import UnavailableError


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    opened = Database(postgres)
    opened.open()
    migrate(opened)
    yield opened
    opened.close()


def is_held(database: Database, key: LaneKey) -> bool:
    """Whether somebody else's transaction decides about the lane now."""
    try:
        with database.transaction() as tx:
            tx.execute("SET LOCAL lock_timeout = '100ms'")
            received.lock(tx, [key])
    except UnavailableError:
        return True
    return False


def test_who_decides_about_a_lane_holds_it_until_the_commit(database: Database) -> None:
    key = (uuid.uuid4(), Lane.BULK)
    with database.transaction() as first:
        assert received.lock(first, [key]) == {key: NumberSet()}
    assert not is_held(database, key)
    with database.transaction() as first:
        received.lock(first, [key])
        assert is_held(database, key)


def test_also_about_a_lane_that_nobody_has_heard_of(database: Database) -> None:
    key = (uuid.uuid4(), Lane.BULK)
    with database.transaction() as first:
        received.lock(first, [key])
        assert is_held(database, key)


def test_a_worker_that_is_paused_does_not_hold_a_lane_for_ever(database: Database) -> None:
    with database.transaction() as tx:
        row = tx.one("SELECT current_setting('idle_in_transaction_session_timeout')::interval AS bound")
    assert row is not None
    assert 0 < row["bound"].total_seconds() <= 60
