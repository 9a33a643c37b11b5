"""Opening a SQLite file of the gateway: durable commits, a version, a corrupt file set aside."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from protocols.errors import StorageError

BUSY_S: Final = 5.0
_URI: Final = "file:"
_CHECK_UP_TO_BYTES: Final = 32 * 1024 * 1024
_WAL_BYTES: Final = 4 * 1024 * 1024
"""The WAL is copied into the file when it has grown to this: what was merged or deleted meanwhile is written once."""


def in_memory() -> Path:
    """The name of a database that lives in this process alone; it is gone with its last connection (`connect`)."""
    return Path(f"{_URI}/{uuid.uuid4()}?vfs=memdb")


def connect(path: Path) -> sqlite3.Connection:
    """A connection to `path`, for one thread at a time. Raises sqlite3.Error."""
    uri = path.parts[0] == _URI
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=uri)


def open_database(
    path: Path, schema: str, version: int, *, upgrade: str = "", page_bytes: int = 4096, alone: bool = False
) -> sqlite3.Connection:
    """A connection to `path` (made with `schema` when it is new): WAL, every commit on the disk before it returns.

    `upgrade` turns a file of the version before into this one, in one transaction, with `schema` in the place of its
    line ``-- schema``. It may be used from any thread, by one at a time. Nobody else opens it meanwhile if it is used
    `alone`: then a full disk lets it open. Raises StorageError for a file of a newer version
    (``edge.storage.newer-version``), one that cannot be opened, and one that is corrupt (``edge.storage.corrupt``).
    """
    try:
        connection = connect(path)
    except sqlite3.Error as error:
        raise StorageError("edge.storage.unusable", file=path, why=error) from error
    try:
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # the index of the WAL is in memory, not in a file
        connection.execute(f"PRAGMA page_size = {page_bytes}")
        found = _prepare(connection, path, version)
        if found < version:
            script = schema if found == 0 else upgrade.replace("-- schema", schema)
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {version};\nCOMMIT;")
    except StorageError:
        connection.close()
        raise
    except sqlite3.Error as error:
        connection.close()
        raise failure(error, path) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, version: int) -> int:
    """The version of the file, 0 of a new one."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -512")
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_BYTES // page_bytes}")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > version:
        raise StorageError("edge.storage.newer-version", file=path, found=found, known=version)
    if found and path.stat().st_size <= _CHECK_UP_TO_BYTES:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StorageError("edge.storage.corrupt", file=path, why=verdict)
    return int(found)


def failure(error: sqlite3.Error, path: Path) -> StorageError:
    """`error` as a StorageError: ``edge.storage.corrupt`` when the file's content is at fault, else ``.unusable``."""
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    corrupt = (getattr(error, "sqlite_errorcode", 0) & 0xFF) in codes
    return StorageError("edge.storage.corrupt" if corrupt else "edge.storage.unusable", file=path, why=error)


def set_aside(path: Path) -> Path:
    """Rename the file (with its WAL) so that a new one can begin; nothing is deleted. Returns the new name."""
    aside = path.with_name(f"{path.name}.corrupt-{time.time_ns() // 1_000_000}")
    for suffix in ("", "-wal"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    return aside


@contextmanager
def transaction(connection: sqlite3.Connection, *, durable: bool = True) -> Iterator[None]:
    """One transaction. Not `durable`: it may be lost in a power cut (never torn), and spares the flash a flush."""
    if not durable:
        connection.execute("PRAGMA synchronous = NORMAL")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # the COMMIT itself failed: the disk is full
            connection.execute("ROLLBACK")
        if not durable:
            connection.execute("PRAGMA synchronous = FULL")
