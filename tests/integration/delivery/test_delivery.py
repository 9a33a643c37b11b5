"""The whole way of an observation against crashes at every step; `--hypothesis-profile=long` searches for an hour.

A search of two thousand examples: ``pytest tests/integration/delivery --hypothesis-profile=long --timeout=0 -s``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from tests.integration.delivery.machine import Delivery, World, replay
from tests.services.databases import DatabaseServer

IN_CI = settings(max_examples=25, stateful_step_count=60, derandomize=True, database=None)


@pytest.fixture(scope="module")
def world(postgres_server: DatabaseServer) -> Iterator[World]:
    with postgres_server.database() as dsn, pytest.MonkeyPatch.context() as patch:
        database = Database(dsn)
        database.open()
        migrate(database)
        database.close()
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield World(dsn, connection, patch)


def test_nothing_is_lost_nothing_is_stored_twice(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    long = settings.get_current_profile_name() == "long"
    run_state_machine_as_test(Delivery.on(world), settings=settings() if long else IN_CI)
    assert world.steps > 0
    if long:
        with capsys.disabled():
            sys.stdout.write(f"\n{world.actions} actions, {world.steps} turns of uplinks and workers\n")


TRACES = {
    "a restored database gets again what is held": "observe good restore(1,1) good",
    "a wiped database, noticed by a worker": "observe good observe(0,1) flush good restore(0,0)",
    "an older epoch after a wiped database": "observe good kill observe good restore(0,0) good",
    "a lost acknowledgement": "observe send deliver(2,1) work cmd_drop cmd_drop cmd_drop",
    "a worker killed before the commit": "observe send deliver(0,1) work send deliver(0,1) bad_commit(0,0)",
    "a worker killed between commit and answer": "observe send deliver(0,1) work send deliver(0,1) bad_commit(0,1)",
    "a commit that broke and was none": "observe good observe send deliver(0,3) bad_commit(0,2)",
    "a commit that broke and was one": "observe good observe send deliver(0,3) bad_commit(0,3) good",
    "both workers carry the same messages": "observe good observe observe send deliver(2,3) work work(1,0)",
    "a message that comes twice": "observe good observe send dup dup dup deliver(0,3) work deliver(0,3) work",
    "a card put back and sent on": "observe good copy observe good power observe good",
    "a cloned card": "observe observe(0,1) flush copy clone good observe(4,0) good",
    "a corrupt file": "observe good corrupt observe good",
    "a second host on the broker": "observe good observe observe send second_host cmd cmd",
    "a killed gateway with two epochs": "observe send drop drop kill observe send deliver(0,3) work",
    "merged while nobody heard, then sent twice": "observe good drop birth merge(0,3) send deliver(0,3) cmd_drop good",
    "merged, single on the old card": "good observe(0,1) flush copy merge(0,1) send deliver(0,3) work power good",
    "single from a cloned card, then merged": (
        "good observe(0,1) flush copy clone merge(0,1) send(4,0) deliver work good"
    ),
    "room for a part": "observe observe(0,1) flush observe(0,1) flush quota(0,2) observe send deliver(0,3) work",
    "given up while it was on its way": "observe(0,1) flush send observe(0,1) flush send quota(0,2) deliver(0,3) work",
    "given up before any birth spoke of it": "observe(0,1) flush quota(0,2) kill observe good",
    "given up by an older epoch that nobody heard of": "observe(0,1) flush kill quota(0,2) kill observe good kill good",
    "thinned while nobody heard": "good drop birth thin(0,3) send deliver(0,3) cmd_drop good",
    "a killer among others": "observe observe killer observe send deliver(2,3) work work(1,0)",
    "a killer in a merged block": "good drop birth observe(0,1) killer(0,1) merge(0,3) send deliver(2,3) work",
    "a killer, and a worker that dies of something else": "killer observe send deliver(0,3) work bad_commit(0,0) work",
    "messages in another order": "good observe observe observe send hold late send deliver(1,3) work(0,0)",
}


@pytest.mark.parametrize("what", TRACES)
def test_what_once_went_wrong_or_nearly(world: World, what: str) -> None:
    replay(world, TRACES[what])
