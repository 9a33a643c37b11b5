"""Stamps of a clock that is not set, in the outbox: kept, resolved once, and never changed after the first sending."""

from __future__ import annotations

import uuid
from pathlib import Path

from edge.outbox.gather import blocks
from edge.outbox.quota import Quota
from edge.outbox.stamp import is_unresolved, monotonic_of, unresolved
from edge.outbox.store import START, Block, Commit, Outbox
from edge.outbox.tending import MERGE_S
from protocols.delivery import Lane
from protocols.events import Reading

BOOT, NEXT = uuid.UUID(int=1), uuid.UUID(int=2)
WALL = 1_700_000_000_000


class Machine:
    """A gateway that is switched off and on."""

    def __init__(self, folder: Path) -> None:
        self.path, self.now = folder / "outbox.db", 0.0
        self.start(BOOT)

    def start(self, boot: uuid.UUID) -> None:
        quota = Quota(total=10**8, acknowledged=10**7)
        self.outbox = Outbox(self.path, now_ms=1, quota=quota, boot=boot, monotonic=lambda: self.now)

    def restart(self, boot: uuid.UUID) -> None:
        self.outbox.close()
        self.start(boot)

    def put(self, at_ms: int, lane: Lane = Lane.BULK) -> None:
        reading = Reading(device="d", metric="power", value=float(at_ms % 1000), at_ms=at_ms)
        self.outbox.append(Commit(blocks=blocks(lane, [reading])))

    def queued(self, lane: Lane = Lane.BULK, *, unresolved: bool = True) -> list[Block]:
        return self.outbox.queued(lane, START, 1000, unresolved=unresolved)

    def times(self, lane: Lane = Lane.BULK) -> list[tuple[str, int]]:
        return [(block.time, one.at_ms) for block in self.queued(lane, unresolved=False) for one in block.read()]


def test_a_stamp_says_of_itself_that_it_is_not_known() -> None:
    assert is_unresolved(unresolved(0))
    assert is_unresolved(unresolved(10**12))
    assert not is_unresolved(0)
    assert not is_unresolved(-62_135_596_800_000)
    assert monotonic_of(unresolved(77)) == 77
    assert unresolved(9) - unresolved(4) == 5


def test_what_has_no_time_waits_and_is_resolved_when_the_clock_is_known(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put(unresolved(5_000))
    machine.put(WALL + 9_000)
    assert machine.queued(unresolved=False) == []
    (boot,) = machine.outbox.boots()
    assert (boot.uuid, boot.offset_ms, boot.monotonic_ms) == (BOOT, None, (5_000, 5_000))
    assert boot.wall_ms == (WALL + 9_000, WALL + 9_000)
    assert machine.outbox.set_offset(boot.row, WALL)
    assert machine.times() == [("known", WALL + 5_000), ("known", WALL + 9_000)]
    machine.restart(BOOT)
    assert machine.times() == [("known", WALL + 5_000), ("known", WALL + 9_000)]
    machine.outbox.close()


def test_an_offset_is_set_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put(unresolved(5_000))
    (boot,) = machine.outbox.boots()
    assert machine.outbox.set_offset(boot.row, WALL)
    assert not machine.outbox.set_offset(boot.row, WALL + 1)
    machine.restart(BOOT)
    assert not machine.outbox.set_offset(boot.row, WALL + 1)
    assert machine.times() == [("known", WALL + 5_000)]
    machine.outbox.close()


def test_a_stamp_never_changes_after_the_first_sending(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put(unresolved(1_000), Lane.URGENT)
    (sent,) = machine.queued(Lane.URGENT)
    assert (sent.time, sent.read()[0].at_ms) == ("unknown", unresolved(1_000))
    machine.put(unresolved(2_000), Lane.URGENT)
    (boot,) = machine.outbox.boots()
    machine.outbox.set_offset(boot.row, WALL)
    expected = [("unknown", unresolved(1_000)), ("known", WALL + 2_000)]
    assert machine.times(Lane.URGENT) == expected
    machine.restart(NEXT)
    assert machine.times(Lane.URGENT) == expected
    machine.outbox.close()


def test_a_boot_that_never_learned_the_time_is_estimated_from_the_next(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put(unresolved(5_000))
    machine.restart(NEXT)
    machine.put(WALL)
    old, current = machine.outbox.boots()
    assert (old.uuid, current.uuid, current.wall_ms) == (BOOT, NEXT, (WALL, WALL))
    assert machine.queued(unresolved=False) == []
    machine.outbox.set_offset(old.row, WALL - 60_000, estimated=True)
    assert machine.times() == [("estimated", WALL - 55_000), ("known", WALL)]
    machine.outbox.close()


def test_merging_keeps_stamps_as_they_are(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for second in range(int(MERGE_S) + 1):
        machine.now += 1
        machine.put(unresolved(second * 1000) if second < 30 else WALL + second * 1000)
    assert machine.outbox.tend()
    (boot,) = machine.outbox.boots()
    machine.outbox.set_offset(boot.row, WALL)
    assert machine.times() == [("known", WALL + second * 1000) for second in range(int(MERGE_S) + 1)]
    machine.outbox.close()
