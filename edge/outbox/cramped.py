"""A disk without room for the outbox file: until there is some, a bounded one in memory takes its place.

It has an epoch of its own, is sent from and confirmed like the file. What the file holds stays declared meanwhile, and
the states of drivers and rules are read out of it. Once there is room, everything moves into the file, under the
numbers that it has. A kill before that costs what the cloud had not confirmed; there it is counted as lost.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.outbox.database import connect, failure, in_memory
from edge.outbox.declaring import declarations
from edge.outbox.holdings import Holdings
from edge.outbox.opening import VERSION, Opening
from edge.outbox.quota import Quota
from edge.outbox.salvage import copy_states
from edge.outbox.statements import statements
from protocols.delivery import Declaration, Lane
from protocols.errors import StorageError

MEMORY: Final = Quota(total=8_000_000, acknowledged=1_000_000)
_ROOM_BYTES: Final = 256 * 1024
"""Less than this, and the reason why a file cannot be opened is taken to be the want of room."""
_SHARED: Final = (3, 36)
"""From this SQLite on, two connections can share a database in memory."""
_SQL: Final = statements("edge.outbox", "statements.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cramped:
    """Why the file is not open, and what it holds all the same."""

    why: StorageError
    declared: Mapping[Lane, Sequence[Declaration]]


def without_room(error: StorageError, path: Path) -> bool:
    """Whether `path` could not be opened because its disk is full."""
    if error.code != "edge.storage.unusable" or sqlite3.sqlite_version_info < _SHARED:
        return False
    found = os.statvfs(path.parent)
    return found.f_bavail * found.f_frsize < _ROOM_BYTES


def open_in_memory(path: Path, why: StorageError, begin: Callable[[Path], Opening]) -> tuple[Opening, Cramped]:
    """An opening in memory in the place of the file at `path`. Raises StorageError when that cannot be read, either."""
    opening = begin(in_memory())
    opening.room.quota = bounded(opening.room.quota)
    try:
        declared = _glimpse(path, opening.write)
    except sqlite3.Error as error:
        opening.close()
        raise failure(error, path) from error
    return opening, Cramped(why=why, declared=declared)


def bounded(quota: Quota) -> Quota:
    """What of `quota` memory may take."""
    return Quota(total=min(quota.total, MEMORY.total), acknowledged=min(quota.acknowledged, MEMORY.acknowledged))


def _glimpse(path: Path, target: sqlite3.Connection) -> Mapping[Lane, Sequence[Declaration]]:
    """What the file declares; the states in it go to `target`. Needs no byte of the disk, and changes none."""
    if not path.exists():
        return {}
    with closing(connect(path)) as source:
        source.execute("PRAGMA locking_mode = EXCLUSIVE")  # the index of its WAL in memory, not in a file
        source.execute("PRAGMA query_only = ON")
        (version,) = source.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            return {}
        copy_states(source, target)
        holdings = Holdings()
        holdings.load(source.execute(_SQL["contents"]))
        return declarations(source.execute(_SQL["lanes"]), holdings)
