"""What outlives the agent, where a boot without a time belongs, and what a machine's clocks say."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import keeper as keeping
from edge.clock import source
from edge.clock.clock import Clock
from edge.clock.keeper import ClockKeeper, remembered
from edge.clock.placing import place
from edge.clock.source import Machine, Sight
from edge.clock.values import Word
from edge.outbox.stamp import Boot
from protocols.errors import StorageError
from protocols.events import Event

NOW_NS = 1_800_000_000_000_000_000


def boot(
    row: int,
    *,
    offset_ms: int | None = None,
    monotonic_ms: tuple[int, int] | None = None,
    wall_ms: tuple[int, int] | None = None,
) -> Boot:
    name = uuid.UUID(int=row)
    return Boot(row=row, uuid=name, offset_ms=offset_ms, estimated=False, monotonic_ms=monotonic_ms, wall_ms=wall_ms)


def test_one_boot_stands_in_the_middle_between_its_neighbours() -> None:
    boots = [
        boot(1, offset_ms=0, wall_ms=(900, 1000)),
        boot(2, monotonic_ms=(5, 100)),
        boot(3, offset_ms=2100, wall_ms=(2200, 2300)),
    ]
    (found,) = place(boots)
    assert (found.row, found.offset_ms, found.within_ms) == (2, 1500, 500)
    assert (found.first_ms, found.last_ms) == (1505, 1600)


def test_without_anything_known_before_it_ends_where_the_next_begins_and_without_anything_after_it_waits() -> None:
    unknown = boot(1, monotonic_ms=(5, 100))
    (found,) = place([unknown, boot(2, offset_ms=2000)])
    assert (found.offset_ms, found.within_ms) == (1900, None)
    assert place([boot(1, offset_ms=0), boot(2, monotonic_ms=(5, 100))]) == []


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=6), st.integers(0, 1_000_000), st.integers(0, 1000))
def test_boots_keep_their_order_and_stay_between_their_neighbours(ran: list[int], free: int, off: int) -> None:
    after = 1000 + sum(ran) + free
    unknown = [boot(row, monotonic_ms=(0, span)) for row, span in enumerate(ran, start=2)]
    places = place([boot(1, wall_ms=(0, 1000)), *unknown, boot(99, offset_ms=after + off)])
    edges = [1000, *(at for found in places for at in (found.first_ms, found.last_ms)), after + off]
    assert edges == sorted(edges)
    assert [found.row for found in places] == [one.row for one in unknown]


@dataclass
class Still:
    """A machine that does not know the time; the kernel's word can be given."""

    kernel: bool = False
    steady: int = 50_000_000_000

    def boot(self) -> str:
        return str(uuid.UUID(int=7))

    def steady_ns(self) -> int:
        return self.steady

    def look(self) -> Sight:
        return Sight(steady_ns=self.steady, wall_ns=NOW_NS, synchronised=self.kernel)

    def keeps_time(self) -> bool:
        return False


@dataclass
class Boots:
    """An outbox that holds something of three boots, and whose disk may refuse."""

    held: list[Boot] = field(
        default_factory=lambda: [
            boot(1, offset_ms=0, wall_ms=(1, NOW_NS // 1_000_000 - 3_600_000)),
            boot(2, monotonic_ms=(0, 1000)),
            boot(7, monotonic_ms=(40_000, 50_000)),
        ]
    )
    refuses: bool = False

    def boots(self) -> list[Boot]:
        return list(self.held)

    def set_offset(self, boot: int, offset_ms: int, *, estimated: bool = False) -> bool:
        if self.refuses:
            raise StorageError("edge.storage.unusable", file="x", why="full")
        for index, one in enumerate(self.held):
            if one.row == boot and one.offset_ms is None:
                self.held[index] = replace(one, offset_ms=offset_ms, estimated=estimated)
                return True
        return False


def test_once_the_time_is_known_this_boot_and_those_before_it_get_theirs(tmp_path: Path) -> None:
    machine, boots, told = Still(), Boots(), list[Event]()
    clock = Clock(machine)
    keeper = ClockKeeper(clock, boots, tmp_path / "clock.json", told.append)
    assert not clock.known
    boots.refuses = True
    true_ms = NOW_NS // 1_000_000 + 5
    keeper.hear(Word.between(asked_s=machine.steady / 1e9, told_ms=true_ms, heard_s=machine.steady / 1e9))
    assert [one.offset_ms for one in boots.held] == [0, None, None], "a full disk is no reason to give up"
    boots.refuses = False
    keeper.start()
    keeper.close()
    assert [one.estimated for one in boots.held] == [False, True, False]
    assert boots.held[2].offset_ms == clock.learned_ms
    assert [event.kind for event in told] == ["clock.known", "clock.time-estimated"]
    memory = remembered(tmp_path / "clock.json")
    assert memory is not None
    assert (memory.boot, memory.origin) == (machine.boot(), "host")
    assert Clock(machine, memory=memory).known


def test_one_look_that_fails_is_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LOOK_S", 0.001)
    machine, looks = Still(), threading.Event()
    clock = Clock(machine)
    keeper = ClockKeeper(clock, Boots(), tmp_path / "clock.json", lambda event: None)

    def look() -> Sight:
        if machine.kernel:
            looks.set()
            return Still.look(machine)
        machine.kernel = True
        raise RuntimeError("a bug in a look")

    monkeypatch.setattr(machine, "look", look)
    keeper.start()
    try:
        assert looks.wait(20.0)
    finally:
        keeper.close()


def test_what_cannot_be_read_is_not_remembered(tmp_path: Path) -> None:
    assert remembered(tmp_path / "none") is None
    (tmp_path / "torn").write_text('{"boot": "x"')
    assert remembered(tmp_path / "torn") is None


def test_the_machine_has_clocks() -> None:
    machine = Machine()
    first, boot_id = machine.look(), machine.boot()
    assert abs(first.wall_ns - time.time_ns()) < 60e9
    assert machine.look().steady_ns > first.steady_ns
    assert machine.boot() == boot_id


def test_a_real_time_clock_vouches_in_utc_or_local_time_and_not_after_its_battery_died(tmp_path: Path) -> None:
    clock = tmp_path / "rtc0"
    clock.mkdir()
    for shows, agrees in (
        ("1800000002", True),
        ("1800028799", True),
        ("1800000400", False),
        ("35", False),
        ("?", False),
    ):
        (clock / "since_epoch").write_text(shows + "\n")
        assert source.rtc_agrees(tmp_path, 1_800_000_000.0) is agrees, shows
    assert not source.rtc_agrees(tmp_path / "none", 1_800_000_000.0)
