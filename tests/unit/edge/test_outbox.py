"""The outbox file: numbers, states, quota, corruption, and a kill at any time."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge.identity.register import Register
from edge.outbox.body import MAX_MESSAGE_BYTES, Part, pack, split, unpack, wire_size
from edge.outbox.gather import blocks
from edge.outbox.quota import Quota, Room
from edge.outbox.store import START, Block, Commit, Outbox, RuleRecord
from protocols.delivery import Lane, NumberSet
from protocols.delivery.numbers import MAX_NUMBER
from protocols.errors import StorageError
from protocols.events import Event, Observation, Reading
from protocols.rules import RuleState

AMPLE = Quota(total=10_000_000, acknowledged=2_000_000)
ALL = NumberSet([(1, MAX_NUMBER)])


def reading(number: int, device: str = "meter-1") -> Reading:
    return Reading(device=device, metric="power", value=float(number), at_ms=1_000 + number)


def opened(folder: Path, quota: Quota = AMPLE) -> Outbox:
    return Outbox(folder / "outbox.db", now_ms=1, quota=quota)


def put(outbox: Outbox, lane: Lane, *observations: Observation) -> None:
    outbox.append(Commit(blocks=blocks(lane, observations)))


def numbers(outbox: Outbox, lane: Lane = Lane.BULK) -> list[int]:
    return [block.id.first for block in outbox.queued(lane, START, 1000)]


def test_a_block_says_what_was_put_in() -> None:
    told: list[Observation] = [
        reading(1),
        Reading(device="meter-1", metric="voltage", value=None, at_ms=900, quality="bad"),
        Reading(device="meter-1", metric="on", value=True, at_ms=901, quality="uncertain"),
        Event(device="meter-1", kind="sos", at_ms=5_000, data={"门": ["三", 1]}),
        Reading(device="meter-1", metric="text", value="水", at_ms=902),
    ]
    parts = [
        Part(device="meter-1", numbers=1, observations=told),
        Part(device="meter-2", numbers=3, observations=[reading(7, "meter-2")]),
    ]
    assert unpack(pack(parts)).parts() == parts


@pytest.mark.parametrize(
    "body", [b"", b"\x02abc", b"\x01abc", pack([Part(device="meter-1", numbers=1, observations=[reading(1)])])[:-3]]
)
def test_a_damaged_block_is_an_error(body: bytes) -> None:
    with pytest.raises(StorageError) as error:
        unpack(body)
    assert error.value.code == "edge.outbox.unreadable-block"


def test_messages_are_cut_to_size() -> None:
    many: list[Observation] = [Event(device="d", kind="sos", at_ms=1, data={"x": "y" * 5_000}) for _ in range(10)]
    parts = list(split(many))
    assert [event for part in parts for event in part] == many
    assert all(sum(map(wire_size, part)) <= MAX_MESSAGE_BYTES for part in parts)


def test_each_lane_numbers_from_one_in_each_epoch(tmp_path: Path) -> None:
    first = opened(tmp_path)
    put(first, Lane.BULK, reading(1), reading(2, "meter-2"), reading(3))
    put(first, Lane.URGENT, reading(4))
    assert (numbers(first), numbers(first, Lane.URGENT)) == ([1, 2], [1])
    first.close()
    second = opened(tmp_path)
    assert second.epoch != first.epoch
    put(second, Lane.BULK, reading(5))
    assert [(b.id.epoch, b.id.first) for b in second.queued(Lane.BULK, START, 10)] == [
        (first.epoch, 1),
        (first.epoch, 2),
        (second.epoch, 1),
    ]
    second.close()


def test_a_number_is_never_given_again(tmp_path: Path) -> None:
    outbox = opened(tmp_path, Quota(total=10_000_000, acknowledged=0))
    put(outbox, Lane.BULK, reading(1))
    outbox.acknowledge(outbox.epoch, Lane.BULK, NumberSet([(1, 1)]), ALL)
    assert outbox.totals.size == 0
    put(outbox, Lane.BULK, reading(2))
    assert numbers(outbox) == [2]
    outbox.close()


def test_acknowledged_is_kept_and_queued_again_when_the_cloud_lacks_it(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    for number in range(1, 6):
        put(outbox, Lane.BULK, reading(number))
    assert not outbox.acknowledge(outbox.epoch, Lane.BULK, NumberSet([(1, 2), (4, 4)]), ALL)
    assert numbers(outbox) == [3, 5]
    assert (outbox.totals.waiting[Lane.BULK], outbox.totals.kept[Lane.BULK]) == (2, 3)
    assert outbox.acknowledge(outbox.epoch, Lane.BULK, NumberSet([(4, 4)]), NumberSet([(2, MAX_NUMBER)]))
    assert numbers(outbox) == [2, 3, 5]
    (declared,) = outbox.declare().lanes[Lane.BULK]
    assert (declared.held, declared.last_given) == (NumberSet([(1, 5)]), 5)
    outbox.close()


def test_a_full_quota_drops_confirmed_then_bulk_then_urgent_and_tells(tmp_path: Path) -> None:
    outbox = opened(tmp_path, Quota(total=12_000, acknowledged=12_000))
    put(outbox, Lane.URGENT, reading(0))
    for number in range(1, 41):
        put(outbox, Lane.BULK, reading(number))
    outbox.acknowledge(outbox.epoch, Lane.BULK, NumberSet([(1, 30)]), ALL)
    lost = []
    for number in range(41, 141):
        lost += outbox.append(Commit(blocks=blocks(Lane.BULK, [reading(number)])))
    assert outbox.totals.size <= 12_000
    assert outbox.totals.kept[Lane.BULK] == 0
    assert lost[0].first == 31
    gone = NumberSet((loss.first, loss.last) for loss in lost)
    assert sum(loss.count for loss in lost) == len(gone)
    assert (gone | NumberSet((n, n) for n in numbers(outbox))) == NumberSet([(31, 140)])
    assert numbers(outbox, Lane.URGENT) == [1]
    outbox.close()
    again = opened(tmp_path, Quota(total=12_000, acknowledged=0))
    assert again.totals == replace(outbox.totals, lost=0)
    again.close()


def test_confirmed_blocks_are_kept_up_to_their_share(tmp_path: Path) -> None:
    outbox = opened(tmp_path, Quota(total=1_000_000, acknowledged=4_000))
    for number in range(1, 101):
        put(outbox, Lane.BULK, reading(number))
    outbox.acknowledge(outbox.epoch, Lane.BULK, NumberSet([(1, 90)]), ALL)
    assert 0 < outbox.totals.kept_bytes[Lane.BULK] <= 4_000
    assert outbox.totals.waiting[Lane.BULK] == 10
    outbox.set_quota(Quota(total=1_000_000, acknowledged=0))
    outbox.acknowledge(outbox.epoch, Lane.BULK, NumberSet([(1, 100)]), ALL)
    assert outbox.totals.lost == 0
    (declared,) = outbox.declare().lanes[Lane.BULK]
    assert (declared.held, declared.last_given) == (NumberSet(), 100), "what was given is known without what is held"
    outbox.close()


def test_nothing_is_handed_out_before_it_is_on_the_disk(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    early: list[Block] = []
    statements: list[str] = []

    def look(statement: str) -> None:
        statements.append(statement)
        early.extend(outbox.queued(Lane.BULK, START, 10))

    outbox._opening.write.set_trace_callback(look)
    put(outbox, Lane.BULK, reading(1))
    outbox._opening.write.set_trace_callback(None)
    assert statements[-1] == "COMMIT"
    assert early == []
    assert numbers(outbox) == [1]
    outbox.acknowledge(outbox.epoch, Lane.BULK, NumberSet([(1, 1)]), ALL)
    (synchronous,) = outbox._opening.write.execute("PRAGMA synchronous").fetchone()
    assert synchronous == 2, "after an acknowledgement, commits are no longer on the disk before they return"
    outbox.close()


def test_room_that_cannot_be_made_does_not_undo_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = opened(tmp_path, Quota(total=1_000, acknowledged=0))

    def full(_: Room) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Room, "make", full)
    for number in range(1, 11):
        put(outbox, Lane.BULK, reading(number))
    assert numbers(outbox) == list(range(1, 11))
    monkeypatch.undo()
    put(outbox, Lane.BULK, reading(11))
    assert outbox.totals.size <= 1_000
    outbox.close()


def test_a_corrupt_file_is_set_aside(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    put(outbox, Lane.BULK, reading(1))
    outbox.close()
    file = tmp_path / "outbox.db"
    file.write_bytes(b"no database at all" * 1000)
    outbox = opened(tmp_path)
    assert outbox.was_set_aside is not None
    assert outbox.was_set_aside[0].read_bytes().startswith(b"no database")
    put(outbox, Lane.BULK, reading(2))
    assert numbers(outbox) == [1]
    outbox.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / "outbox.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError) as error:
        opened(tmp_path)
    assert (error.value.code, error.value.params["found"]) == ("edge.storage.newer-version", 99)


def test_states_go_with_the_observations(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    record = RuleRecord(rule="r", device="d", state=RuleState(phase="firing", since_ms=5, at_ms=6), owed=(0, 2))
    outbox.append(Commit(driver_states={"bus": {"read": 7}}, rules=[record]))
    outbox.close()
    outbox = opened(tmp_path)
    assert outbox.driver_state("bus") == {"read": 7}
    assert outbox.driver_state("other") == {}
    assert outbox.rule_records() == [record]
    outbox.close()


WRITER = """
import sys
from pathlib import Path
from edge.outbox.gather import blocks
from edge.outbox.quota import Quota, Room
from edge.outbox.store import Commit, Outbox
from protocols.delivery import Lane
from protocols.events import Reading
outbox = Outbox(Path(sys.argv[1]), now_ms=1, quota=Quota(total=10**9, acknowledged=10**8))
for number in range(1, 10**6):
    told = Reading(device="d", metric="power", value=float(number), at_ms=number)
    outbox.append(Commit(blocks=blocks(Lane.URGENT, [told]), driver_states={"bus": {"read": number}}))
    print(number, flush=True)
"""


def test_kill_9_loses_nothing_that_was_told_to_be_stored(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "outbox.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 50:
                writer.send_signal(signal.SIGKILL)
                break
        told = [int(line) for line in writer.stdout.read().split()] or [50]
    outbox = opened(tmp_path)
    values = [o.value for b in outbox.queued(Lane.URGENT, START, 10_000) for o in b.read() if isinstance(o, Reading)]
    assert values == [float(number) for number in range(1, len(values) + 1)]
    assert len(values) in (told[-1], told[-1] + 1)
    assert outbox.driver_state("bus") == {"read": len(values)}
    outbox.close()


def test_aliases_are_given_once_and_bdseq_wraps(tmp_path: Path) -> None:
    names = Register(tmp_path / "names.db", now_ms=1)
    first = names.alias("", "memory", "Double"), names.alias("d", "memory", "Double")
    assert first == (2, 3)
    assert [names.next_bdseq() for _ in range(257)][-3:] == [254, 255, 0]
    names.close()
    names = Register(tmp_path / "names.db", now_ms=1)
    names.give([("d", "new", "String"), ("d", "memory", "Double")])
    assert (names.alias("", "memory", "Double"), names.alias("d", "memory", "Double")) == first
    assert names.metrics("d") == {"memory": "Double", "new": "String"}
    assert names.next_bdseq() == 1
    names.close()


def test_after_a_corrupt_file_of_names_no_alias_returns(tmp_path: Path) -> None:
    (tmp_path / "names.db").write_bytes(b"x" * 5000)
    names = Register(tmp_path / "names.db", now_ms=1_700_000_000_000)
    assert names.was_set_aside is not None
    assert names.alias("", "memory", "Double") == 1_700_000_000_000
    names.close()
