"""The schema of the database: numbered SQL files, forward only, each recorded with its checksum.

``migrations/NNN_name.sql`` runs once, in the order of the numbers, all pending ones in one transaction under an
advisory lock: two services that start together wait for each other, and a file that fails leaves nothing behind.
Afterwards the table of readings is made in the form that the server offers (`cloud.storage.editions`).
"""

from __future__ import annotations

import hashlib
import logging
import random
import re
import time
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, LiteralString

from cloud.storage.database import Database, Transaction
from cloud.storage.editions import Edition, edition_of, prepare
from cloud.storage.queries import load
from protocols.errors import StorageError, UnavailableError

_LOG: Final = logging.getLogger("liandong.cloud")
_FILE = re.compile(r"(?P<number>\d{3})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: LiteralString
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """How far the database is: `applied` (0 = empty) of `known` steps, and the form in which it keeps readings."""

    applied: int
    known: int
    edition: Edition | None

    @property
    def current(self) -> bool:
        """Whether this program can work with this database."""
        return self.applied == self.known and self.edition is not None


@cache
def migrations() -> tuple[Migration, ...]:
    """The steps that this program knows, in order. Raises ValueError when their numbers are not 1, 2, 3 …"""
    found = []
    for entry in (files("cloud.storage") / "migrations").iterdir():
        if match := _FILE.fullmatch(entry.name):
            text = entry.read_text("utf-8")
            checksum = hashlib.sha256(text.encode()).hexdigest()
            found.append(Migration(number=int(match["number"]), name=entry.name, sql=text, checksum=checksum))
    found.sort(key=lambda step: step.number)
    if [step.number for step in found] != list(range(1, len(found) + 1)):
        raise ValueError([step.name for step in found])
    return tuple(found)


REACHED_WITHIN_S: Final = 60.0
"""At the start of a service a database that is away is waited for this long."""
_LONGEST_S: Final = 6 * 3600.0
"""How long one statement may take: an index over the readings of years is built in hours."""


def migrate(database: Database) -> SchemaStatus:
    """Bring the database to the newest schema.

    Raises StorageError when it was made by a newer program, or by files that differ from ours; UnavailableError when it
    is away, or another migration does not end within a minute.
    """
    sql = load("schema")
    with database.transaction() as tx:
        tx.be_patient(_LONGEST_S)
        tx.execute(sql["lock"])
        tx.execute(sql["create_history"])
        applied = _check(tx)
        for step in migrations()[applied:]:
            tx.execute(step.sql)
            tx.execute(sql["record"], {"number": step.number, "name": step.name, "checksum": step.checksum})
        edition = prepare(tx)
    return SchemaStatus(applied=len(migrations()), known=len(migrations()), edition=edition)


def reach(database: Database, within_s: float = REACHED_WITHIN_S) -> None:
    """Bring the schema up to date, waiting for a database that is away. Raises UnavailableError and StorageError."""
    until, attempt = time.monotonic() + within_s, 0
    while True:
        try:
            migrate(database)
        except UnavailableError as error:
            if time.monotonic() >= until:
                raise
            pause_s = min(5.0, 0.2 * 2.0**attempt) * random.uniform(0.75, 1.25)  # noqa: S311  # jitter
            _LOG.warning("waiting for the database: %s", error)
            time.sleep(pause_s)
            attempt += 1
        else:
            return


def schema_status(database: Database) -> SchemaStatus:
    """Where the database stands, without changing it. Raises StorageError and UnavailableError as `migrate`."""
    sql = load("schema")
    with database.transaction() as tx:
        row = tx.one(sql["has_history"])
        if row is None or not row["present"]:
            return SchemaStatus(applied=0, known=len(migrations()), edition=None)
        return SchemaStatus(applied=_check(tx), known=len(migrations()), edition=edition_of(tx))


def _check(tx: Transaction) -> int:
    """How many steps are applied, after making sure that they are ours."""
    known = {step.number: step for step in migrations()}
    rows = tx.fetch(load("schema")["history"])
    for row in rows:
        step = known.get(row["number"])
        if step is None:
            raise StorageError("cloud.database.newer", found=row["number"], known=len(known))
        if step.checksum != row["checksum"]:
            raise StorageError("cloud.database.altered", name=row["name"])
    return len(rows)
