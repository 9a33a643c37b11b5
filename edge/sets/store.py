"""The file of delivered sets: pages by their hash, which of them the gateway works by, and which are arriving."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from edge.log import Log
from edge.outbox.cramped import without_room
from edge.outbox.database import failure, in_memory, open_database, set_aside, transaction
from edge.sets.copies import Copies
from protocols.errors import StorageError
from protocols.sets import KINDS_OF_SETS, Kind, name_of, set_hash

VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A set by its number and the names of its pages; number 0: none was delivered yet."""

    kind: Kind
    number: int = 0
    pages: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """The hash that names its content."""
        return set_hash(self.kind, self.pages)


class SetStore:
    """May be used from any thread. Every method raises StorageError when the disk refuses; then nothing changed."""

    def __init__(self, path: Path) -> None:
        """Open or make `path`, for this user alone. A damaged one is set aside, and filled from the copies beside it.

        On a disk without room for it this is kept in memory until the next start.
        """
        self._path, self._lock, self._copies = path, threading.Lock(), Copies(path)
        schema = files("edge.sets").joinpath("schema.sql").read_text("utf-8")
        try:
            self._connection = self._open(schema)
        except StorageError as error:
            if error.code != "edge.storage.corrupt":
                raise
            Log("sets").error("sets-set-aside", file=set_aside(path), why=error)
            self._connection = self._open(schema)
            self._restore()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def held(self, kind: Kind) -> Held:
        """What the gateway works by."""
        with self._using() as connection:
            row = connection.execute("SELECT number, pages FROM held WHERE kind = ?", (kind,)).fetchone()
        return Held(kind=kind) if row is None else Held(kind=kind, number=row[0], pages=tuple(row[1].split()))

    def delivered_before(self, kind: Kind) -> bool:
        """Whether a set of this kind was ever held here, also where the file has lost it."""
        return self._mark(kind).exists()

    def lacking(self, names: Sequence[str]) -> list[int]:
        """Which of these pages, by their place, are not here."""
        with self._using() as connection:
            known = {name for (name,) in connection.execute("SELECT hash FROM page")}
        return [place for place, name in enumerate(names) if name not in known]

    def pages(self, names: Sequence[str]) -> list[bytes]:
        """These pages. Raises StorageError when one is not here, or not what it was: that one is lacking then."""
        with self._using() as connection:
            rows = [connection.execute("SELECT body FROM page WHERE hash = ?", (name,)).fetchone() for name in names]
            bad = [(name,) for name, row in zip(names, rows, strict=True) if row is None or name_of(row[0]) != name]
            if bad:
                with transaction(connection):
                    connection.executemany("DELETE FROM page WHERE hash = ?", bad)
        if bad and not self._restored([name for (name,) in bad]):
            raise StorageError("edge.storage.corrupt", file=self._path, why="page")
        return self.pages(names) if bad else [row[0] for row in rows]

    def expect(self, kind: Kind, names: Sequence[str]) -> None:
        """These pages are about to arrive: what is here of them stays; what arrived of another version goes."""
        with self._using() as connection, transaction(connection):
            connection.execute("REPLACE INTO coming VALUES (?, ?)", (kind, " ".join(names)))
            self._tidy(connection)

    def keep(self, name: str, page: bytes) -> None:
        """A page has arrived. A power cut may cost it; then it is asked for again."""
        with self._using() as connection, transaction(connection, durable=False):
            connection.execute("REPLACE INTO page VALUES (?, ?)", (name, page))

    def hold(self, held: Held) -> None:
        """From now on the gateway works by this set, whose pages are all here."""
        self._copies.remove(held.kind)
        with self._using() as connection, transaction(connection):
            connection.execute("REPLACE INTO held VALUES (?, ?, ?)", (held.kind, held.number, " ".join(held.pages)))
            connection.execute("DELETE FROM coming WHERE kind = ?", (held.kind,))
            self._tidy(connection)
        self.mark(held.kind)
        with suppress(StorageError):  # a page that is spoilt already comes again
            self._copies.write(held.kind, held.number, self.pages(held.pages))

    def mark(self, kind: Kind) -> None:
        """A set of this kind is held: a file of its own says so, which outlives a damaged one."""
        try:
            self._mark(kind).touch(mode=0o600)
        except OSError as error:  # a full disk: the set itself counts all the same
            Log("sets").warning("set-not-marked", file=self._mark(kind), why=error)

    def _restore(self) -> None:
        """The file is new: what the copies hold is held again."""
        for kind in KINDS_OF_SETS:
            number, pages = self._copies.read(kind)
            if number == 0:
                continue
            names = [name_of(page) for page in pages]
            with self._using() as connection, transaction(connection):
                connection.executemany("REPLACE INTO page VALUES (?, ?)", zip(names, pages, strict=True))
                connection.execute("REPLACE INTO held VALUES (?, ?, ?)", (kind, number, " ".join(names)))
            Log("sets").info("set-restored", kind=kind, number=number)

    def _restored(self, names: Sequence[str]) -> bool:
        """Whether the copies had all of these pages, which are here again then."""
        copied = {name_of(page): page for kind in KINDS_OF_SETS for page in self._copies.read(kind)[1]}
        if not set(names) <= copied.keys():
            return False
        with self._using() as connection, transaction(connection):
            connection.executemany("REPLACE INTO page VALUES (?, ?)", [(name, copied[name]) for name in names])
        return True

    def _mark(self, kind: Kind) -> Path:
        return self._path.with_name(f"{self._path.name}.{kind}")

    def _tidy(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT pages FROM held UNION ALL SELECT pages FROM coming").fetchall()
        needed = {name for (pages,) in rows for name in pages.split()}
        spare = [row for row in connection.execute("SELECT hash FROM page").fetchall() if row[0] not in needed]
        connection.executemany("DELETE FROM page WHERE hash = ?", spare)

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise failure(error, self._path) from error

    def _open(self, schema: str) -> sqlite3.Connection:
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._path.chmod(0o600)
        except OSError as error:
            raise StorageError("edge.storage.unusable", file=self._path, why=error.strerror or error) from error
        try:
            return open_database(self._path, schema, VERSION, alone=True)
        except StorageError as error:
            if not without_room(error, self._path):
                raise
            Log("sets").error("sets-in-memory", file=self._path, why=error)
            return open_database(in_memory(), schema, VERSION)


def nothing_held() -> dict[Kind, Held]:
    """What a gateway works by to which nothing was delivered."""
    return {kind: Held(kind=kind) for kind in KINDS_OF_SETS}
