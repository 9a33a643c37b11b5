"""What births say of epochs of which nothing is left: once, until the cloud has heard it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from edge.outbox import declaring
from edge.outbox.cramped import open_in_memory
from edge.outbox.gather import blocks
from edge.outbox.opening import Opening
from edge.outbox.quota import Quota
from edge.outbox.store import START, Commit, Outbox
from protocols.delivery import Lane, NumberSet
from protocols.delivery.numbers import MAX_NUMBER
from protocols.errors import StorageError
from protocols.events import Reading

AMPLE: Final = Quota(total=10_000_000, acknowledged=2_000_000)
NOTHING: Final = Quota(total=0, acknowledged=0)
ALL: Final = NumberSet([(1, MAX_NUMBER)])


class Bench:
    """An outbox file that is opened again and again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outbox = Outbox(path, now_ms=1, quota=AMPLE)

    def open_again(self) -> UUID:
        """Returns the epoch that is over."""
        before = self.outbox.epoch
        self.outbox.close()
        self.outbox = Outbox(self.path, now_ms=1, quota=AMPLE)
        return before

    def put(self, count: int, lane: Lane = Lane.BULK) -> None:
        for number in range(count):
            reading = Reading(device="meter-1", metric="power", value=float(number), at_ms=1_000 + number)
            self.outbox.append(Commit(blocks=blocks(lane, [reading])))

    def give_all_up(self) -> None:
        self.outbox.set_quota(NOTHING)
        losses = self.outbox.append(Commit())
        assert {loss.reason for loss in losses} == {"quota"}
        self.outbox.append(Commit(told=losses))
        self.outbox.set_quota(AMPLE)

    def declared(self, lane: Lane = Lane.BULK) -> dict[UUID, tuple[str, int]]:
        """What is declared of other epochs than the current one, which always is."""
        found = {one.epoch: (str(one.held), one.last_given) for one in self.outbox.declare().lanes[lane]}
        del found[self.outbox.epoch]
        return found

    def answer(self, epoch: UUID, received: NumberSet = NumberSet(), lane: Lane = Lane.BULK) -> None:  # noqa: B008
        self.outbox.acknowledge(epoch, lane, received, ALL)

    def epochs(self) -> set[UUID]:
        with closing(sqlite3.connect(self.path)) as file:
            return {UUID(name) for (name,) in file.execute("SELECT uuid FROM epoch")}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "outbox.db")
    yield made
    made.outbox.close()


def test_what_went_before_any_birth_is_declared_until_the_cloud_answers(bench: Bench) -> None:
    bench.put(4)
    bench.give_all_up()
    gone = bench.open_again()
    bench.open_again()
    assert bench.declared() == {gone: ("{}", 4)}
    assert bench.declared(Lane.URGENT) == {}, "nothing was given there"
    bench.open_again()
    assert bench.declared() == {gone: ("{}", 4)}, "nobody has answered"
    bench.answer(gone)
    assert bench.declared() == {}
    bench.answer(gone)
    assert bench.declared() == {}, "an answer that comes twice"
    bench.open_again()
    assert bench.declared() == {}
    assert bench.epochs() == {bench.outbox.epoch}


def test_an_epoch_that_is_given_up_after_it_ended_is_declared(bench: Bench) -> None:
    bench.put(2)
    bench.put(1, Lane.URGENT)
    gone = bench.open_again()
    bench.give_all_up()
    assert bench.declared() == {gone: ("{}", 2)}
    assert bench.declared(Lane.URGENT) == {gone: ("{}", 1)}
    bench.answer(gone)
    assert bench.declared() == {}
    assert bench.declared(Lane.URGENT) == {gone: ("{}", 1)}, "each lane is answered on its own"


def test_one_empty_lane_of_an_epoch_is_declared_beside_the_other(bench: Bench) -> None:
    bench.put(3)
    bench.give_all_up()
    bench.put(1, Lane.URGENT)
    old = bench.open_again()
    assert (bench.declared(), bench.declared(Lane.URGENT)) == ({old: ("{}", 3)}, {old: ("{[1,2)}", 1)})
    bench.answer(old)
    bench.open_again()
    assert (bench.declared(), bench.declared(Lane.URGENT)) == ({}, {old: ("{[1,2)}", 1)})


def test_an_unreadable_message_that_was_the_last_of_its_epoch_is_declared(bench: Bench) -> None:
    bench.put(1)
    (block,) = bench.outbox.queued(Lane.BULK, START, 10)
    bench.outbox.drop(block.id)
    gone = bench.open_again()
    assert bench.declared() == {gone: ("{}", 1)}


def test_only_an_answer_to_a_birth_that_named_it_settles_an_epoch(bench: Bench) -> None:
    bench.put(3)
    bench.give_all_up()
    gone = bench.open_again()
    bench.answer(gone)
    assert bench.declared() == {gone: ("{}", 3)}, "no birth of this opening had named it: another one was answered"
    bench.answer(gone)
    assert bench.declared() == {}


def test_an_epoch_that_is_held_when_it_is_answered_is_declared_again_when_it_is_empty(bench: Bench) -> None:
    bench.put(3)
    old = bench.open_again()
    assert bench.declared() == {old: ("{[1,4)}", 3)}
    bench.answer(old, NumberSet([(1, 1)]))
    bench.give_all_up()
    assert bench.declared() == {old: ("{}", 3)}
    bench.answer(old, NumberSet([(1, 1)]))
    assert bench.declared() == {}


def test_an_epoch_that_gave_no_number_leaves_nothing_behind(bench: Bench) -> None:
    for _ in range(3):
        bench.open_again()
    assert bench.declared() == {}
    assert bench.epochs() == {bench.outbox.epoch}


def test_only_the_newest_empty_epochs_are_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaring, "MOST_EMPTY", 2)
    gone = []
    for _ in range(4):
        bench.put(1)
        bench.give_all_up()
        gone.append(bench.open_again())
    assert list(bench.declared()) == gone[-2:]


def test_what_was_given_is_declared_though_nothing_of_the_file_can_be_read(bench: Bench) -> None:
    bench.put(2)
    older = bench.open_again()
    bench.put(5)
    bench.outbox._opening.write.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    bench.path.write_bytes(os.urandom(bench.path.stat().st_size))
    with pytest.raises(StorageError) as error:
        bench.outbox.queued(Lane.BULK, START, 10)
    epoch = bench.outbox.epoch
    bench.outbox.reopen(error.value, 2)
    assert bench.outbox.salvaged == 0
    assert bench.declared() == {older: ("{}", 2), epoch: ("{}", 5)}
    bench.open_again()
    assert bench.declared() == {older: ("{}", 2), epoch: ("{}", 5)}


def test_what_can_be_read_of_a_file_that_was_set_aside_is_held_and_the_rest_is_given(bench: Bench) -> None:
    bench.put(2)
    epoch = bench.outbox.epoch
    bench.outbox.reopen(StorageError("edge.storage.corrupt", file=bench.path, why="a page"), 2)
    assert bench.declared() == {epoch: ("{[1,3)}", 2)}


def test_an_outbox_in_memory_declares_the_empty_epochs_of_the_file(bench: Bench) -> None:
    bench.put(2)
    bench.give_all_up()
    gone = bench.open_again()
    bench.outbox.close()
    begin = partial(Opening, now_ms=1, boot=UUID(int=1), quota=AMPLE)
    why = StorageError("edge.storage.unusable", file=bench.path, why="full")
    opening, cramped = open_in_memory(bench.path, why, begin)
    opening.close()
    (declared,) = cramped.declared[Lane.BULK]
    assert (declared.epoch, declared.held, declared.last_given) == (gone, NumberSet(), 2)
