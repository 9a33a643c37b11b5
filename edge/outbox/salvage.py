"""What can still be read out of a damaged outbox file goes into the new one, under the numbers that it had."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from edge.outbox.body import unpack
from edge.outbox.database import transaction
from edge.outbox.holdings import place
from protocols.errors import StorageError

_Row = tuple[int, int, int, int, int, bytes]
"""Key, last, acknowledged, messages, size, body."""
_BATCH: Final = 50
_BLOCKS: Final = {
    1: "SELECT id, (lane << 62) | (epoch << 38) | first, last, acknowledged, body FROM block ORDER BY id",
    2: "SELECT id, id, last, acknowledged, body FROM block ORDER BY id",
}
_EPOCHS: Final = {
    1: "SELECT id, uuid, opened_ms, NULL, NULL, 0, NULL FROM epoch",
    2: """SELECT e.id, e.uuid, e.opened_ms, b.id, b.offset_ms, b.estimated, b.uuid
          FROM epoch e JOIN boot b ON b.id = e.boot""",
}
_LANES: Final = {1: "SELECT epoch, lane, next, 0 FROM lane", 2: "SELECT epoch, lane, next, unknown FROM lane"}
_PUT: Final = "INSERT OR IGNORE INTO block (id, last, acknowledged, messages, size, body) VALUES (?, ?, ?, ?, ?, ?)"


def salvage(damaged: Path, connection: sqlite3.Connection) -> int:
    """Copy every whole message of `damaged` (read only, never changed) into the new file; how many these were.

    Only blocks that unpack, cover exactly their numbers, and belong to a readable epoch and lane. States of drivers and
    rules come along. Raises sqlite3.Error when the new file cannot be written.
    """
    with closing(sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro", uri=True)) as source:
        try:
            (version,) = source.execute("PRAGMA user_version").fetchone()
            if version not in _BLOCKS:
                return 0
        except sqlite3.Error:
            return 0
        copy_states(source, connection)  # whatever became of the rest
        try:
            known = _copy_epochs(source, connection, version)
        except sqlite3.Error:
            return 0
        messages = 0
        batch: list[_Row] = []
        for row in _readable(source, _BLOCKS[version], known):
            batch.append(row)
            messages += row[3]
            if len(batch) == _BATCH:
                _put(connection, batch)
                batch.clear()
        _put(connection, batch)
        return messages


def _copy_epochs(source: sqlite3.Connection, target: sqlite3.Connection, version: int) -> dict[tuple[int, int], int]:
    """Epochs, boots and lanes; the next number of each (epoch, lane) that was readable."""
    epochs = source.execute(_EPOCHS[version]).fetchall()
    lanes = source.execute(_LANES[version]).fetchall()
    with transaction(target):
        for epoch, name, opened, boot, offset, estimated, uuid in epochs:
            target.execute(
                "INSERT OR IGNORE INTO boot (id, uuid, offset_ms, estimated) VALUES (?, ?, ?, ?)",
                (boot or 1, uuid, offset, estimated),
            )
            target.execute("INSERT INTO epoch VALUES (?, ?, ?, ?)", (epoch, name, opened, boot or 1))
        target.executemany("INSERT INTO lane (epoch, lane, next, unknown) VALUES (?, ?, ?, ?)", lanes)
    return {(epoch, lane): following for epoch, lane, following, _ in lanes}


def copy_states(source: sqlite3.Connection, connection: sqlite3.Connection) -> None:
    """States of drivers and rules, as far as they can be read and `connection` has none of their names."""
    columns = {"driver_state": "driver, state", "rule_state": "rule, device, phase, since_ms, at_ms, reason, owed"}
    for table, names in columns.items():
        rows = list(_until_damaged(source, f"SELECT {names} FROM {table}"))  # noqa: S608 - constants
        marks = ", ".join("?" * len(names.split(", ")))
        with transaction(connection):
            connection.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608


def _readable(source: sqlite3.Connection, statement: str, known: dict[tuple[int, int], int]) -> Iterator[_Row]:
    """Whole blocks, from both ends of the table: a damaged page in the middle hides only what hangs on it."""
    seen = -1
    for direction in ("", " DESC"):
        for row in _until_damaged(source, statement + direction):
            if direction and row[0] <= seen:
                return
            seen = seen if direction else row[0]
            with suppress(StorageError, TypeError, IndexError):
                yield _checked(known, *row[1:])


def _checked(known: dict[tuple[int, int], int], block: int, last: int, acknowledged: int, packed: bytes) -> _Row:
    epoch, lane, first = place(block)
    body = unpack(packed)
    if last - first + 1 != body.numbers or last >= known.get((epoch, block >> 62), 0) or acknowledged not in (0, 1):
        raise TypeError(lane)
    return block, last, acknowledged, len(body.messages), len(packed), packed


def _until_damaged(source: sqlite3.Connection, statement: str) -> Iterator[tuple[Any, ...]]:
    with suppress(sqlite3.Error):
        yield from source.execute(statement)


def _put(connection: sqlite3.Connection, rows: list[_Row]) -> None:
    with transaction(connection):
        connection.executemany(_PUT, rows)
