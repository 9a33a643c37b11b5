"""The decision whether a message is new belongs to one transaction at a time."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cloud.storage import received
from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from cloud.storage.queries import load
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


PATIENCE_S = 20.0
EPOCHS = sorted(uuid.uuid4() for _ in range(2))
LANES = {"epochs": EPOCHS[::-1], "lanes": ["bulk", "bulk"]}
NODES = {"groups": ["g", "g"], "codes": ["gw-2", "gw-1"]}
ONE_LANE = "SELECT FROM received WHERE epoch = %(one)s FOR UPDATE NOWAIT"
ONE_NODE = "SELECT FROM gateway WHERE code = %(one)s FOR UPDATE NOWAIT"


@pytest.mark.parametrize(
    ("which", "make", "given", "row", "first", "second"),
    [
        ("received", "insert_missing", LANES, ONE_LANE, EPOCHS[0], EPOCHS[1]),
        ("births", "insert_gateways", NODES, ONE_NODE, "gw-1", "gw-2"),
    ],
    ids=["lanes", "gateways"],
)
def test_the_statement_itself_locks_in_one_order(
    database: Database, which: str, make: str, given: Mapping[str, Any], row: Any, first: Any, second: Any
) -> None:
    """Whatever order the caller names them in: who waits for the first row does not hold the second one."""
    with database.transaction() as tx:
        for index in range(2):  # neither as they are named nor as they lie on the disk
            tx.execute(load(which)[make], {key: values[index : index + 1] for key, values in given.items()})

    def lock_all() -> None:
        with database.transaction() as tx:
            tx.execute(load(which)["lock"], given)

    waiting = threading.Thread(target=lock_all)
    with database.transaction() as holder:
        holder.execute(row, {"one": first})
        waiting.start()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with database.transaction() as tx:
                if tx.one("SELECT FROM pg_locks WHERE NOT granted") is not None:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with database.transaction() as tx:
            tx.execute(row, {"one": second})
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
