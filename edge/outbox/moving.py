"""An outbox that was kept in memory moves into the file: its epoch with its numbers, and the states that go with it."""

from __future__ import annotations

import sqlite3
from typing import Final

from edge.outbox.database import transaction
from edge.outbox.holdings import key, place
from edge.outbox.statements import statements

_SQL: Final = statements("edge.outbox", "statements.sql")
_EPOCHS: Final = """
SELECT e.id, e.uuid, e.opened_ms, b.uuid, b.offset_ms, b.estimated FROM epoch e JOIN boot b ON b.id = e.boot
"""
_BLOCKS: Final = "SELECT id, last, acknowledged, messages, size, dropped, body FROM block ORDER BY id"
_PUT: Final = """
INSERT INTO block (id, last, acknowledged, messages, size, dropped, body) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_STATES: Final = {
    "driver_state": "driver, state",
    "rule_state": "rule, device, phase, since_ms, at_ms, reason, owed",
}


def move(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy everything of `source` into `target`, in one transaction. Raises sqlite3.Error; then nothing is copied."""
    with transaction(target):
        rows = {epoch: _move_epoch(source, target, epoch, *values) for epoch, *values in source.execute(_EPOCHS)}
        for block, *values in source.execute(_BLOCKS):
            epoch, lane, first = place(block)
            target.execute(_PUT, (key(rows[epoch], lane, first), *values))
        for _, epoch, lane, first, last, count, reason in source.execute(_SQL["losses"]):
            loss = {"epoch": epoch, "lane": lane, "first": first, "last": last, "count": count, "reason": reason}
            target.execute(_SQL["put_loss"], loss)
        for table, names in _STATES.items():
            marks = ", ".join("?" * len(names.split(", ")))
            put = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - constants
            target.executemany(put, source.execute(f"SELECT {names} FROM {table}"))  # noqa: S608


def _move_epoch(
    source: sqlite3.Connection,
    target: sqlite3.Connection,
    row: int,
    name: str,
    opened_ms: int,
    boot: str,
    offset_ms: int | None,
    estimated: int,
) -> int:
    """An epoch with its lanes behind those that are there; its row."""
    (clock,) = target.execute(_SQL["this_boot"], {"uuid": boot}).fetchone()
    if offset_ms is not None:
        target.execute(_SQL["set_offset"], {"boot": clock, "offset": offset_ms, "estimated": estimated}).fetchall()
    (moved,) = target.execute(_SQL["open_epoch"], {"uuid": name, "opened": opened_ms, "boot": clock}).fetchone()
    lanes = source.execute("SELECT lane, next, unknown FROM lane WHERE epoch = ?", (row,)).fetchall()
    target.executemany(f"INSERT INTO lane (epoch, lane, next, unknown) VALUES ({moved}, ?, ?, ?)", lanes)  # noqa: S608
    return int(moved)
