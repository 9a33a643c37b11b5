"""The outbox on a bad disk: full, read-only, torn, damaged; and files of version 1."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import uuid
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from edge.identity.bdseq import BdSeq
from edge.identity.register import Register
from edge.outbox.gather import blocks
from edge.outbox.quota import Quota
from edge.outbox.store import START, Commit, Outbox, RuleRecord
from protocols.delivery import Lane, NumberSet
from protocols.delivery.numbers import MAX_NUMBER
from protocols.errors import StorageError
from protocols.events import Observation, Reading
from protocols.rules import RuleState

AMPLE = Quota(total=100_000_000, acknowledged=20_000_000)
ALL = NumberSet([(1, MAX_NUMBER)])


def opened(path: Path) -> Outbox:
    return Outbox(path, now_ms=1, quota=AMPLE)


def put(outbox: Outbox, count: int, *, lane: Lane = Lane.BULK, chance: random.Random | None = None) -> None:
    """`count` flushes of ten readings that do not compress."""
    rng = chance or random.Random(1)
    for number in range(count):
        told = [Reading(device="d", metric=f"m{one}", value=rng.random(), at_ms=number) for one in range(10)]
        outbox.append(Commit(blocks=blocks(lane, told)))


def stored(outbox: Outbox, lane: Lane = Lane.BULK) -> list[Observation]:
    return [one for block in outbox.queued(lane, START, 100_000) for one in block.read()]


def test_a_full_disk_refuses_keeps_what_is_stored_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from edge.identity.register import Register
from protocols.errors import StorageError
from protocols.delivery import Lane
from tests.unit.edge.test_outbox_damage import opened, put, stored, ALL
folder = Path(sys.argv[1])
names = Register(folder / "names.db", now_ms=1)
outbox = opened(folder / "outbox.db")
put(outbox, 20)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
refused = 0
for _ in range(3):
    try:
        put(outbox, 1)
    except StorageError as error:
        assert error.code == "edge.storage.unusable", error
        refused += 1
assert refused == 3
held = len(stored(outbox))
connections = [names.next_bdseq() for _ in range(300)]
assert connections == [number % 256 for number in range(300)]
(first, *_) = outbox.queued(Lane.BULK, (0, 0), 1)
outbox.drop(first.id)
assert not outbox.tend()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
put(outbox, 5)
print(held, len(stored(outbox)), names.next_bdseq())
"""
    command = [sys.executable, "-c", script, str(tmp_path), *sys.path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["200", "240", str(300 % 256)]
    outbox = opened(tmp_path / "outbox.db")
    assert len(stored(outbox)) >= 240
    outbox.close()
    names = Register(tmp_path / "names.db", now_ms=1)
    assert names.next_bdseq() == 301 % 256
    names.close()


def test_a_file_that_may_not_be_written_refuses_and_is_sent_from(tmp_path: Path) -> None:
    """Read-only: the very descriptors of the open file are replaced by ones that the kernel lets nobody write to."""
    outbox = opened(tmp_path / "outbox.db")
    put(outbox, 20)
    kept: list[tuple[int, int]] = []
    for entry in Path("/proc/self/fd").iterdir():
        target = str(entry.readlink()) if entry.is_symlink() else ""
        if target.startswith(str(tmp_path)) and not target.endswith("-shm"):
            number = int(entry.name)
            kept.append((number, os.dup(number)))
            readable = os.open(target, os.O_RDONLY)
            os.dup2(readable, number)
            os.close(readable)
    assert kept
    with pytest.raises(StorageError) as error:
        put(outbox, 1)
    assert error.value.code == "edge.storage.unusable"
    assert len(stored(outbox)) == 200
    for number, copy in kept:
        os.dup2(copy, number)
        os.close(copy)
    put(outbox, 1)
    assert len(stored(outbox)) == 210
    outbox.close()


def test_bdseq_goes_on_in_ram_when_its_file_cannot_be_written(tmp_path: Path) -> None:
    counter = BdSeq(tmp_path / "bdseq")
    assert [counter.take(), counter.take()] == [0, 1]
    number = next(
        int(e.name) for e in Path("/proc/self/fd").iterdir() if os.path.realpath(e) == str(tmp_path / "bdseq")
    )
    writable, readable = os.dup(number), os.open(tmp_path / "bdseq", os.O_RDONLY)
    os.dup2(readable, number)
    assert counter.take() == 2
    os.dup2(writable, number)
    assert counter.take() == 3
    for one in (writable, readable):
        os.close(one)
    counter.close()
    counter = BdSeq(tmp_path / "bdseq")
    assert counter.take() == 4
    counter.close()


@pytest.mark.parametrize("torn", [0, 1])
def test_a_torn_record_of_bdseq_costs_at_most_the_newest(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "bdseq"
    counter = BdSeq(path)
    given = [counter.take() for _ in range(8)]
    counter.close()
    raw = bytearray(path.read_bytes())
    raw[torn * 512 + 3] ^= 0xFF
    path.write_bytes(raw)
    counter = BdSeq(path)
    assert counter.take() in (given[-1], given[-1] + 1)
    counter.close()
    assert path.stat().st_size == 1024


def test_bdseq_goes_on_from_where_it_was_counted_before(tmp_path: Path) -> None:
    Register(tmp_path / "names.db", now_ms=1).close()
    (tmp_path / "bdseq").unlink()
    with closing(sqlite3.connect(tmp_path / "names.db")) as file:
        file.execute("UPDATE counter SET next = 17 WHERE name = 'bdseq'")
        file.commit()
    names = Register(tmp_path / "names.db", now_ms=1)
    assert names.next_bdseq() == 17
    names.close()


@pytest.mark.parametrize("cut", [7, 500, 3000])
def test_a_torn_tail_of_the_wal_is_cut_off(tmp_path: Path, cut: int) -> None:
    path, copy = tmp_path / "outbox.db", tmp_path / "copy.db"
    outbox = opened(path)
    put(outbox, 20)
    copy.write_bytes(path.read_bytes())
    wal = path.with_name("outbox.db-wal").read_bytes()
    whole = stored(outbox)
    outbox.close()
    copy.with_name("copy.db-wal").write_bytes(wal[:-cut] + os.urandom(cut // 2))
    torn = opened(copy)
    found = stored(torn)
    assert found == whole[: len(found)]
    assert 0 < len(found) < len(whole)
    assert torn.was_set_aside is None
    torn.close()


def test_what_can_be_read_of_a_damaged_file_is_sent_under_its_old_numbers(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = opened(path)
    put(outbox, 300)
    outbox.acknowledge(outbox.epoch, Lane.BULK, NumberSet([(1, 10)]), ALL)
    record = RuleRecord(rule="r", device="d", state=RuleState(phase="firing", since_ms=5, at_ms=6), owed=(0,))
    outbox.append(Commit(driver_states={"bus": {"read": 7}}, rules=[record]))
    epoch, whole = outbox.epoch, {block.id: block.read() for block in outbox.queued(Lane.BULK, START, 1000)}
    outbox.close()
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2 // 1024 * 1024
    raw[middle : middle + 3 * 1024] = os.urandom(3 * 1024)
    path.write_bytes(raw)
    outbox = opened(path)
    assert outbox.was_set_aside is not None
    found = {block.id: block.read() for block in outbox.queued(Lane.BULK, START, 1000)}
    assert {identity.epoch for identity in found} == {epoch}
    assert found.items() <= whole.items()
    assert len(found) > 100
    assert outbox.salvaged == len(found) + 10
    (old, current) = outbox.declare().lanes[Lane.BULK]
    assert (old.epoch, old.last_given, current.epoch) == (epoch, 300, outbox.epoch)
    assert outbox.driver_state("bus") == {"read": 7}
    assert outbox.rule_records() == [record]
    put(outbox, 1)
    outbox.close()


def test_damage_found_while_reading_makes_the_next_commit_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = opened(path)
    put(outbox, 300)
    outbox._opening.write.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(30 * 1024)
        file.write(os.urandom(path.stat().st_size - 60 * 1024))
    with pytest.raises(StorageError) as error:
        stored(outbox)
    assert error.value.code == "edge.storage.corrupt"
    with pytest.raises(StorageError) as again:
        put(outbox, 1)
    assert again.value.code == "edge.storage.corrupt"
    outbox.reopen(again.value, 2)
    put(outbox, 1)
    assert outbox.was_set_aside is not None
    assert len(stored(outbox)) == 10 * (outbox.salvaged + 1)
    assert outbox.salvaged > 0
    outbox.close()


def test_what_drivers_and_rules_stored_outlives_a_file_of_which_nothing_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    record = RuleRecord(rule="siren", device="smoke-1", state=RuleState(phase="firing", since_ms=3), owed=(0,))
    before = opened(path)
    before.append(Commit(driver_states={"bus": {"read": 7}}))
    before.close()
    outbox = opened(path)
    assert outbox.driver_state("bus") == {"read": 7}
    outbox.append(Commit(driver_states={"machine": {"sold": 4}}, rules=[record]))
    outbox._opening.write.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.write_bytes(os.urandom(path.stat().st_size))
    outbox.reopen(StorageError("edge.storage.corrupt", file=path, why="damaged"), 2)
    assert outbox.salvaged == 0
    outbox.close()
    again = opened(path)
    assert (again.driver_state("bus"), again.driver_state("machine")) == ({"read": 7}, {"sold": 4})
    assert again.rule_records() == [record]
    again.close()


@pytest.mark.parametrize("keeps_tables", [False, True], ids=["nothing", "no-epochs"])
def test_states_outlive_a_file_that_the_next_agent_cannot_read(tmp_path: Path, *, keeps_tables: bool) -> None:
    """They are read where only the rest is broken, and else taken from their copy."""
    path = tmp_path / "outbox.db"
    record = RuleRecord(rule="siren", device="smoke-1", state=RuleState(phase="firing", since_ms=3), owed=(0,))
    before = opened(path)
    before.append(Commit(driver_states={"machine": {"sold": 3}}, rules=[record]))
    before.append(Commit(driver_states={"machine": {"sold": 4}}))
    before.close()
    if keeps_tables:
        with closing(sqlite3.connect(path)) as file:
            (page,) = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'epoch'").fetchone()
        (tmp_path / "outbox-states.db").unlink()
        raw = bytearray(path.read_bytes())
        raw[(page - 1) * 1024 : page * 1024] = os.urandom(1024)
        path.write_bytes(raw)
    else:
        path.write_bytes(os.urandom(path.stat().st_size))
    outbox = opened(path)
    assert outbox.was_set_aside is not None
    assert (outbox.driver_state("machine"), outbox.rule_records()) == ({"sold": 4}, [record])
    outbox.close()


def test_a_copy_of_the_states_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    path, copy = tmp_path / "outbox.db", tmp_path / "outbox-states.db"
    before = opened(path)
    before.append(Commit(driver_states={"machine": {"sold": 4}}))
    before.close()
    copy.write_bytes(os.urandom(copy.stat().st_size))
    between = opened(path)
    assert (between.was_set_aside, between.driver_state("machine")) == (None, {"sold": 4})
    between.close()
    path.write_bytes(os.urandom(path.stat().st_size))
    after = opened(path)
    assert after.driver_state("machine") == {"sold": 4}
    after.close()


VERSION_1 = """
CREATE TABLE epoch (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, opened_ms INTEGER NOT NULL) STRICT;
CREATE TABLE lane (
    epoch INTEGER NOT NULL REFERENCES epoch (id) ON DELETE CASCADE, lane INTEGER NOT NULL CHECK (lane IN (0, 1)),
    next INTEGER NOT NULL DEFAULT 1 CHECK (next >= 1), PRIMARY KEY (epoch, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE block (
    id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, lane INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL CHECK (last >= first), device TEXT NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0 CHECK (acknowledged IN (0, 1)), size INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (epoch, lane, first), FOREIGN KEY (epoch, lane) REFERENCES lane (epoch, lane)
) STRICT;
CREATE INDEX block_in_order ON block (acknowledged, lane, epoch, first, last, size);
CREATE INDEX block_of_device ON block (device) WHERE acknowledged = 0;
CREATE TABLE driver_state (driver TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE rule_state (
    rule TEXT NOT NULL, device TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('idle', 'pending', 'firing', 'clearing')), since_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, reason TEXT NOT NULL, owed TEXT NOT NULL DEFAULT '[]', PRIMARY KEY (rule, device)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
"""
OLD = uuid.UUID("11111111-2222-4333-8444-555555555555")


def version_1(path: Path) -> None:
    """A file as version 1 left it: three bulk messages, the first acknowledged, one urgent event."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.executescript(VERSION_1)
        file.execute("INSERT INTO epoch VALUES (4, ?, 99)", (str(OLD),))
        file.executemany("INSERT INTO lane VALUES (4, ?, ?)", [(0, 8), (1, 9)])
        event = [-1, 3, "sos", {"门": 1}, "0b7f8a34-91a2-4a3c-8d0e-5a4ef1f0a001"]
        messages = [(1, number, [[0, number, float(number)], [0, 9, 1.5, "bad"]]) for number in (6, 7, 8)]
        for lane, first, rows in [(0, 7, [event]), *messages]:
            document = {"d": "meter-1", "t": 1_000, "n": ["power"], "r": rows}
            body = b"\x01" + zlib.compress(json.dumps(document, ensure_ascii=False).encode(), 1)
            values = (4, lane, first, first, "meter-1", int(first == 6), len(body), body)
            query = "INSERT INTO block (epoch, lane, first, last, device, acknowledged, size, body) VALUES "
            file.execute(query + "(?, ?, ?, ?, ?, ?, ?, ?)", values)
        file.execute("INSERT INTO driver_state VALUES ('bus', '{\"read\": 7}')")
        file.execute("INSERT INTO rule_state VALUES ('r', 'd', 'firing', 5, 6, '{}', '[0]')")
        file.commit()


def test_a_file_of_version_1_is_taken_over_with_all_that_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    version_1(path)
    for _ in range(2):
        outbox = opened(path)
        bulk, urgent = (outbox.queued(lane, START, 10) for lane in (Lane.BULK, Lane.URGENT))
        assert [str(block.id) for block in bulk] == [f"{OLD}/bulk/7-7", f"{OLD}/bulk/8-8"]
        assert [str(block.id) for block in urgent] == [f"{OLD}/urgent/7-7"]
        assert bulk[0].read() == [
            Reading(device="meter-1", metric="power", value=7.0, at_ms=1_007),
            Reading(device="meter-1", metric="power", value=1.5, at_ms=1_009, quality="bad"),
        ]
        (event,) = urgent[0].read()
        assert (event.at_ms, event.device) == (1_003, "meter-1")
        assert bulk[0].device == urgent[0].device == "meter-1"
        old, current = outbox.declare().lanes[Lane.BULK]
        assert (old.epoch, old.held, old.last_given) == (OLD, NumberSet([(6, 8)]), 8)
        assert current.epoch == outbox.epoch
        assert outbox.driver_state("bus") == {"read": 7}
        assert [record.rule for record in outbox.rule_records()] == ["r"]
        outbox.close()
    outbox = opened(path)
    assert outbox.acknowledge(OLD, Lane.BULK, NumberSet([(7, 8)]), ALL)
    assert [block.id.first for block in outbox.queued(Lane.BULK, START, 10)] == [6]
    outbox.close()


def test_a_damaged_file_of_version_1_gives_what_it_can(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    version_1(path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'block_in_order'").fetchone()
        (size,) = file.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(b"\xa5" * size)
    outbox = opened(path)
    assert outbox.was_set_aside is not None
    assert outbox.salvaged == 4
    assert len(stored(outbox)) == 4
    outbox.close()


def test_an_acknowledgement_that_the_disk_refused_is_wanted_again(tmp_path: Path) -> None:
    """Also of an older epoch, of which nothing new is sent that would be answered: else it would count as waiting."""
    path = tmp_path / "outbox.db"
    before = opened(path)
    put(before, 3)
    before.close()
    outbox = opened(path)
    (older, *_) = outbox.queued(Lane.BULK, START, 10)
    outbox._opening.write.execute("PRAGMA query_only = ON")  # as a full disk: nothing can be noted
    with pytest.raises(StorageError):
        outbox.acknowledge(older.id.epoch, Lane.BULK, NumberSet([(1, 3)]), ALL)
    outbox._opening.write.execute("PRAGMA query_only = OFF")
    again = outbox.queued(Lane.BULK, START, 10)
    assert [block.id.first for block in again] == [1, 2, 3]
    outbox.acknowledge(older.id.epoch, Lane.BULK, NumberSet([(1, 3)]), ALL)
    assert (outbox.queued(Lane.BULK, START, 10), outbox.totals.waiting[Lane.BULK]) == ([], 0)
    outbox.close()
