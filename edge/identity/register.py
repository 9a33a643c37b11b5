"""Aliases and bdSeq: given once, stored before they are used."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Final

from edge.identity.bdseq import BdSeq
from edge.outbox.database import failure, open_database, set_aside, transaction
from protocols.catalog import Datatype
from protocols.errors import StorageError

VERSION: Final = 1
_DRAWN: Final = 1 << 52


class Register:
    """The file of names. May be used from any thread."""

    def __init__(self, path: Path, *, now_ms: int) -> None:
        """Open or make `path`. After a corrupt file aliases go on from `now_ms`, far above any that was given before.

        Raises StorageError for a file that cannot be used or is of a newer version.
        """
        self._path = path
        self._lock = threading.Lock()
        self.was_set_aside: tuple[Path, str] | None = None
        schema = files("edge.identity").joinpath("schema.sql").read_text("utf-8")
        try:
            self._connection = open_database(path, schema, VERSION, alone=True)
        except StorageError as error:
            if error.code != "edge.storage.corrupt":
                raise
            self.was_set_aside = (set_aside(path), str(error.params.get("why", "")))
            self._connection = open_database(path, schema, VERSION, alone=True)
            self._connection.execute("UPDATE counter SET next = ? WHERE name = 'alias'", (now_ms,))
        try:
            (begin,) = self._run("SELECT next FROM counter WHERE name = 'bdseq'", ())
            self._bdseq = BdSeq(path.with_name("bdseq"), begin=begin)
        except StorageError:
            self._connection.close()
            raise
        self._unstored: set[tuple[str, str]] = set()
        self._known: dict[tuple[str, str], tuple[int, Datatype]] = {
            (device, metric): (alias, datatype)
            for alias, device, metric, datatype in self._connection.execute("SELECT * FROM alias ORDER BY alias")
        }

    def alias(self, device: str, metric: str, datatype: Datatype) -> int:
        """The alias of `metric` of `device` ('' = the node), given now if it has none."""
        if (device, metric) not in self._known or (device, metric) in self._unstored:
            self.give([(device, metric, datatype)])
        return self._known[device, metric][0]

    def give(self, metrics: Iterable[tuple[str, str, Datatype]]) -> None:
        """Aliases for those of `metrics` (device, metric, type) that have none, in one transaction.

        A disk that refuses: they are drawn at random, so that nobody ever gave or gives them, and stored later.
        """
        wanted = {(device, metric): datatype for device, metric, datatype in metrics}
        with self._lock:
            new = {key: datatype for key, datatype in wanted.items() if key not in self._known}
            if not new and not self._unstored:
                return
            try:
                with transaction(self._connection):
                    given = {key: (self._give(*key, datatype), datatype) for key, datatype in new.items()}
                    for key in self._unstored:
                        self._put(self._known[key][0], *key, self._known[key][1])
                self._unstored = set()
            except (sqlite3.Error, StorageError):
                given = {key: (self._draw(), datatype) for key, datatype in new.items()}
                self._unstored |= given.keys()
            self._known |= given

    def datatype(self, device: str, metric: str) -> Datatype | None:
        """The type with which `metric` was born, or None if it never was."""
        found = self._known.get((device, metric))
        return None if found is None else found[1]

    def metrics(self, device: str) -> dict[str, Datatype]:
        """Every metric that `device` ever had, in the order of their aliases."""
        with self._lock:
            return {metric: datatype for (owner, metric), (_, datatype) in self._known.items() if owner == device}

    def next_bdseq(self) -> int:
        """The bdSeq of the next CONNECT: 0 at first, +1 each time, 0 again after 255 (`BdSeq`)."""
        return self._bdseq.take()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
            self._bdseq.close()

    def _give(self, device: str, metric: str, datatype: Datatype) -> int:
        (alias,) = self._run("UPDATE counter SET next = next + 1 WHERE name = 'alias' RETURNING next - 1", ())
        self._put(alias, device, metric, datatype)
        return alias

    def _put(self, alias: int, device: str, metric: str, datatype: Datatype) -> None:
        row = (alias, device, metric, datatype)
        self._run("INSERT INTO alias (alias, device, metric, datatype) VALUES (?, ?, ?, ?) RETURNING alias", row)

    def _draw(self) -> int:
        """An alias far above those that are counted, which begin at 2, or at a time in ms (see `__init__`)."""
        return _DRAWN + secrets.randbelow(_DRAWN)

    def _run(self, sql: str, values: tuple[object, ...]) -> tuple[int, ...]:
        try:
            return tuple(self._connection.execute(sql, values).fetchall()[0])
        except sqlite3.Error as error:
            raise failure(error, self._path) from error
