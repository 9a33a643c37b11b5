"""Merging and thinning of what was never sent, and blocks of which only a part is acknowledged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.outbox.body import unpack
from edge.outbox.gather import blocks
from edge.outbox.quota import Quota
from edge.outbox.store import START, Block, Commit, Outbox
from edge.outbox.tending import MERGE_S, MOST_READINGS
from protocols.delivery import Lane, NumberSet
from protocols.delivery.numbers import MAX_NUMBER
from protocols.errors import StorageError
from protocols.events import Observation, Reading

AMPLE = Quota(total=100_000_000, acknowledged=20_000_000)
ALL = NumberSet([(1, MAX_NUMBER)])
DEVICES = ("meter-1", "meter-2", "meter-3")


class Bench:
    """An outbox whose clock is turned by hand."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "outbox.db"
        self.now = 0.0
        self.chance = random.Random(1)
        self.told: list[Reading] = []
        self.open()

    def open(self, quota: Quota = AMPLE) -> None:
        self.outbox = Outbox(self.path, now_ms=1, quota=quota, monotonic=lambda: self.now)

    def second(self, *devices: str, step_s: float = 1.0) -> None:
        """A flush with a reading of each device."""
        self.now += step_s
        at_ms = 1_700_000_000_000 + int(self.now * 1000)
        readings: list[Observation] = []
        for device in devices or DEVICES:
            reading = Reading(device=device, metric="power", value=self.chance.random(), at_ms=at_ms)
            self.told.append(reading)
            readings.append(reading)
        self.outbox.append(Commit(blocks=blocks(Lane.BULK, readings)))

    def minute(self) -> None:
        for _ in range(int(MERGE_S) + 1):
            self.second()
        assert self.outbox.tend()

    def queued(self, lane: Lane = Lane.BULK) -> list[Block]:
        return self.outbox.queued(lane, START, 10_000)

    def ranges(self) -> list[tuple[int, int]]:
        return [(block.id.first, block.id.last) for block in self.queued()]

    def stored(self) -> dict[str, list[Observation]]:
        found: dict[str, list[Observation]] = {}
        for block in self.queued():
            found.setdefault(block.device, []).extend(block.read())
        return found

    def by_device(self) -> dict[str, list[Observation]]:
        return {device: [one for one in self.told if one.device == device] for device in DEVICES}

    def acknowledge(self, *ranges: tuple[int, int], speaks: NumberSet = ALL) -> bool:
        return self.outbox.acknowledge(self.outbox.epoch, Lane.BULK, NumberSet(ranges), speaks)

    @property
    def held(self) -> NumberSet:
        (declared,) = self.outbox.declare().lanes[Lane.BULK]
        return declared.held


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.outbox.close()


def test_a_minute_becomes_one_block_with_the_same_numbers_and_nothing_left_out(bench: Bench) -> None:
    bench.minute()
    assert bench.outbox.totals.blocks == 1
    count = len(bench.told)
    assert bench.held == NumberSet([(1, count)])
    assert bench.ranges() == [(1, count // 3), (count // 3 + 1, 2 * count // 3), (2 * count // 3 + 1, count)]
    assert bench.stored() == bench.by_device()


def test_less_than_a_minute_is_not_merged(bench: Bench) -> None:
    for _ in range(int(MERGE_S) - 1):
        bench.second()
    assert not bench.outbox.tend()


def test_many_readings_are_merged_before_the_minute_is_over_and_within_bounds(bench: Bench) -> None:
    at_ms = 1_700_000_000_000
    for number in range(6):
        readings = [
            Reading(device="meter-1", metric="power", value=float(one), at_ms=at_ms + one)
            for one in range(MOST_READINGS // 4)
        ]
        bench.outbox.append(Commit(blocks=blocks(Lane.BULK, readings)))
        assert bench.outbox.tend() == (number == 3)
    assert bench.outbox.totals.blocks == 3
    assert all(len(block.read()) < 300 for block in bench.queued())


def test_what_was_handed_out_is_never_merged(bench: Bench) -> None:
    for _ in range(30):
        bench.second()
    (sent,) = bench.outbox.queued(Lane.BULK, START, 1)
    for _ in range(90):
        bench.second()
    assert bench.outbox.tend()
    assert bench.ranges()[:3] == [(1, 1), (2, 2), (3, 3)]
    assert bench.queued()[0].read() == sent.read()
    assert bench.held == NumberSet([(1, 360)])
    assert bench.stored() == bench.by_device()


def test_what_was_handed_out_while_it_was_being_merged_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(int(MERGE_S) + 1):
        bench.second()
    handed: list[Block] = []

    def late(body: bytes) -> object:
        monkeypatch.undo()
        handed.extend(bench.outbox.queued(Lane.BULK, START, 1))
        return unpack(body)

    monkeypatch.setattr("edge.outbox.rewriting.unpack", late)
    bench.outbox.tend()
    assert [block.id.first for block in handed] == [1]
    assert bench.queued()[0].id == handed[0].id
    assert bench.outbox.totals.blocks == int(MERGE_S) + 1


def test_an_older_epoch_is_never_merged_or_thinned(bench: Bench) -> None:
    for _ in range(int(MERGE_S) - 1):
        bench.second()
    bench.outbox.close()
    bench.open()
    bench.second()
    bench.second(step_s=MERGE_S)
    bench.outbox.set_quota(Quota(total=int(bench.outbox.totals.size / 0.97), acknowledged=0))
    while bench.outbox.tend():
        pass
    old = [(number, number) for number in range(1, 3 * int(MERGE_S) - 2)]
    assert bench.ranges() == [*old, (1, 2), (3, 4), (5, 6)]
    assert bench.stored() == bench.by_device()


def test_urgent_is_not_merged(bench: Bench) -> None:
    for number in range(70):
        bench.now += 1
        reading = Reading(device="meter-1", metric="power", value=1.0, at_ms=number)
        bench.outbox.append(Commit(blocks=blocks(Lane.URGENT, [reading])))
    assert not bench.outbox.tend()
    assert len(bench.queued(Lane.URGENT)) == 70


def test_a_part_of_a_block_is_acknowledged_requeued_and_declared(bench: Bench) -> None:
    bench.minute()
    first, second, third = bench.ranges()
    bench.acknowledge(second)
    assert bench.ranges() == [first, third]
    assert bench.held == NumberSet([(1, third[1])])
    assert bench.acknowledge(first, speaks=NumberSet([first, second]))
    assert bench.ranges() == [second, third]
    assert not bench.acknowledge(first, second, third)
    assert bench.ranges() == []
    assert bench.outbox.totals.kept[Lane.BULK] == 3
    assert bench.acknowledge(first, second)
    assert bench.ranges() == [third]
    assert bench.held == NumberSet([(1, third[1])])


def test_a_part_of_a_message_is_not_acknowledged(bench: Bench) -> None:
    bench.minute()
    first, *rest = bench.ranges()
    bench.acknowledge((first[0], first[1] - 1))
    assert bench.ranges() == [first, *rest]


def test_one_message_that_cannot_be_sent_goes_and_its_block_stays(bench: Bench) -> None:
    bench.minute()
    first, second, third = bench.ranges()
    bench.outbox.drop(bench.queued()[1].id)
    assert bench.ranges() == [first, third]
    assert bench.held == NumberSet([first, third])
    bench.outbox.close()
    bench.open()
    (_, declared) = sorted(bench.outbox.declare().lanes[Lane.BULK], key=lambda one: one.last_given == 0, reverse=True)
    assert declared.held == NumberSet([first, third])
    assert bench.ranges() == [first, third]
    assert not bench.outbox.acknowledge(declared.epoch, Lane.BULK, NumberSet([first, third]), ALL)
    assert bench.outbox.totals.waiting[Lane.BULK] == 0
    assert second[0] not in {number for number, _ in bench.ranges()}


def test_a_block_that_cannot_be_unpacked_is_one_message_and_goes_as_a_whole(bench: Bench) -> None:
    bench.minute()
    bench.second()
    bench.outbox._opening.write.execute("UPDATE block SET body = x'0312' WHERE first = 1")
    broken, *rest = bench.queued()
    assert (broken.id.first, broken.id.last) == (1, 183)
    with pytest.raises(StorageError):
        broken.read()
    bench.outbox.drop(broken.id)
    assert [block.id for block in bench.queued()] == [block.id for block in rest]
    assert bench.held == NumberSet([(184, 186)])


def test_a_block_is_unpacked_once_however_many_messages_it_holds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.minute()
    calls: list[int] = []

    def counting(body: bytes) -> object:
        calls.append(len(body))
        return unpack(body)

    monkeypatch.setattr("edge.outbox.waiting.unpack", counting)
    at = START
    while found := bench.outbox.queued(Lane.BULK, at, 1):
        at = found[0].position
    assert len(calls) == 1


def test_thinning_keeps_the_first_least_greatest_and_last_of_each_minute_and_says_what_went(bench: Bench) -> None:
    bench.minute()
    bench.outbox.set_quota(Quota(total=int(bench.outbox.totals.size / 0.97), acknowledged=0))
    while bench.outbox.tend():
        pass
    kept = bench.stored()
    for device, told in bench.by_device().items():
        assert set(kept[device]) <= set(told)
        for minute in {one.at_ms // 60_000 for one in told}:
            readings = [one for one in told if one.at_ms // 60_000 == minute and isinstance(one, Reading)]
            values = [one.value for one in readings if isinstance(one.value, float)]
            left = [one for one in kept[device] if one.at_ms // 60_000 == minute and isinstance(one, Reading)]
            assert {readings[0], readings[-1]} <= set(left)
            assert {min(values), max(values)} <= {one.value for one in left}
            assert len(left) <= 4
    assert bench.held == NumberSet([(1, len(bench.told))])
    (loss,) = bench.outbox.append(Commit())
    left_out = len(bench.told) - sum(map(len, kept.values()))
    assert (loss.reason, loss.first, loss.last, loss.count) == ("thinned", 1, len(bench.told), left_out)
    assert bench.outbox.totals.thinned == left_out
    assert bench.outbox.append(Commit()) == []


def test_nothing_is_thinned_when_that_frees_nothing(bench: Bench) -> None:
    for _ in range(2):
        bench.second()
    bench.outbox.set_quota(Quota(total=int(bench.outbox.totals.size / 0.97), acknowledged=0))
    while bench.outbox.tend():
        pass
    assert bench.outbox.totals.thinned == 0
    assert bench.stored() == bench.by_device()


def test_a_loss_that_no_event_told_is_told_after_a_restart(bench: Bench) -> None:
    bench.minute()
    bench.outbox.set_quota(Quota(total=int(bench.outbox.totals.size / 0.97), acknowledged=0))
    while bench.outbox.tend():
        pass
    (loss,) = bench.outbox.append(Commit())
    bench.outbox.close()
    bench.open()
    assert bench.outbox.append(Commit()) == [loss]
    bench.outbox.append(Commit(told=[loss]))
    bench.outbox.close()
    bench.open()
    assert bench.outbox.append(Commit()) == []


def test_what_is_no_good_number_is_not_thinned(bench: Bench) -> None:
    odd: list[Observation] = []
    for number in range(40):
        value = (None, True, "shut", 1.0)[number % 4]
        quality = "uncertain" if value == 1.0 else "good"
        odd.append(Reading(device="meter-1", metric=f"m{number % 4}", value=value, at_ms=1_000, quality=quality))  # type: ignore[arg-type]
    bench.outbox.append(Commit(blocks=blocks(Lane.BULK, odd)))
    bench.outbox.set_quota(Quota(total=int(bench.outbox.totals.size / 0.97), acknowledged=0))
    while bench.outbox.tend():
        pass
    assert bench.queued()[0].read() == odd


def test_confirmed_blocks_go_before_anything_is_thinned(bench: Bench) -> None:
    for _ in range(40):
        bench.second()
    bench.acknowledge((1, 60))
    bench.outbox.set_quota(Quota(total=int(bench.outbox.totals.size / 0.96), acknowledged=AMPLE.acknowledged))
    while bench.outbox.tend():
        pass
    assert (bench.outbox.totals.thinned, bench.outbox.append(Commit())) == (0, [])
    assert bench.outbox.totals.kept[Lane.BULK] < 60
    assert len(bench.queued()) == 60
