"""What the lab does to a SQLite file: a power cut costs nothing that was synced, a broken disk is noticed."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from liandong.lab import torn

ROWS = 400


def crashed(folder: Path, *, checkpoint: bool) -> Path:
    """A file with `ROWS` committed rows, as a killed process leaves it, in the middle of another transaction."""
    path, left = folder / "outbox.db", folder / "left" / "outbox.db"
    left.parent.mkdir()
    file = sqlite3.connect(path, isolation_level=None)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = OFF")  # the copy below is the crash
    file.execute("PRAGMA wal_autocheckpoint = 0")
    file.execute("PRAGMA cache_size = 5")
    file.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB)")
    for number in range(ROWS):
        if checkpoint and number == ROWS // 2:
            file.execute("PRAGMA wal_checkpoint(RESTART)")
        file.execute("INSERT INTO row VALUES (?, ?)", (number, bytes([number % 251]) * 700))
    file.execute("BEGIN")
    file.executemany("INSERT INTO row VALUES (?, ?)", [(ROWS + n, b"never committed" * 90) for n in range(60)])
    for name in ("outbox.db", "outbox.db-wal"):
        shutil.copy(folder / name, left.parent / name)
    file.execute("ROLLBACK")
    file.close()
    return left


def rows(path: Path) -> dict[int, bytes]:
    file = sqlite3.connect(path)
    try:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return dict(file.execute("SELECT id, body FROM row"))
    finally:
        file.close()


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_torn_page_costs_nothing_that_was_committed(tmp_path: Path, seed: int, checkpoint: bool) -> None:
    path = crashed(tmp_path, checkpoint=checkpoint)
    before = (path.read_bytes(), path.with_name("outbox.db-wal").read_bytes())
    assert torn.tear(path, random.Random(seed)) > 1
    assert (path.read_bytes(), path.with_name("outbox.db-wal").read_bytes()) != before
    assert rows(path) == {number: bytes([number % 251]) * 700 for number in range(ROWS)}


def test_the_log_is_read_as_sqlite_reads_it(tmp_path: Path) -> None:
    path = crashed(tmp_path, checkpoint=True)
    log = path.with_name("outbox.db-wal").read_bytes()
    page_bytes, pages, end = torn.whole(log)
    assert page_bytes == 4096
    assert pages
    file = sqlite3.connect(path)
    frames = file.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    file.close()
    assert (end - 32) // (24 + page_bytes) == frames
    assert torn.whole(b"") == (0, set(), 0)
    assert torn.whole(bytes(64)) == (0, set(), 0)


@pytest.mark.parametrize("seed", range(6))
def test_a_broken_file_is_not_read_as_if_it_were_whole(tmp_path: Path, seed: int) -> None:
    path = crashed(tmp_path, checkpoint=True)
    assert torn.corrupt(path, random.Random(seed)) >= 4096
    with pytest.raises((sqlite3.DatabaseError, AssertionError)):
        assert rows(path) == {number: bytes([number % 251]) * 700 for number in range(ROWS)}


def test_a_file_without_a_log_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"whole")
    assert torn.tear(path, random.Random(1)) == 0
    assert path.read_bytes() == b"whole"
