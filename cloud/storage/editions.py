"""What the server offers for the table of readings, and the form in which a database keeps them.

=========  =======================================================  ===================================================
edition    server                                                   readings
=========  =======================================================  ===================================================
COMMUNITY  TimescaleDB under its community licence                  hypertable, by column (`cloud.storage.columnstore`)
APACHE     TimescaleDB of the Apache edition (Debian's package)     hypertable
PLAIN      PostgreSQL                                               daily range partitions, one for absurd clocks
=========  =======================================================  ===================================================

The form is chosen once, when the table is made; a database that was made plain stays plain when TimescaleDB is
installed later. Days are UTC days.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

import psycopg
from psycopg import sql as compose

from cloud.storage.database import Transaction
from cloud.storage.queries import load

DAYS_BEHIND: Final = 7
DAYS_AHEAD: Final = 7
"""Partitions of a plain database that exist around today; what lies outside goes to the default partition."""


class Edition(StrEnum):
    """In which form a database keeps readings."""

    COMMUNITY = "timescaledb-community"
    APACHE = "timescaledb-apache"
    PLAIN = "postgresql"


def edition_of(tx: Transaction) -> Edition | None:
    """The form of the existing table, or None when there is none yet."""
    row = tx.one(load("editions")["form"])
    if row is None:
        return None
    return Edition.PLAIN if row["partitioned"] else _licence(tx)


def prepare(tx: Transaction) -> Edition:
    """Make the table of readings if there is none, in the best form that the server offers."""
    found = edition_of(tx)
    if found is not None:
        return found
    queries = load("editions")
    offered = _offered(tx)
    if offered is Edition.PLAIN:
        tx.execute(queries["create_plain"])
        keep_ahead(tx, datetime.now(UTC).date())
        return offered
    tx.execute(queries["create_hypertable"])
    if offered is Edition.COMMUNITY:
        tx.execute(queries["compress_columns"])
    return offered


def keep_ahead(tx: Transaction, today: date) -> int:
    """Make the missing daily partitions around `today` of a plain database; how many were made."""
    queries = load("editions")
    have = {row["name"] for row in tx.fetch(queries["partitions"])}
    days = (today + timedelta(days=offset) for offset in range(-DAYS_BEHIND, DAYS_AHEAD + 1))
    missing = [day for day in days if _name(day) not in have]
    for day in missing:
        _make_partition(tx, day)
    return len(missing)


def size(tx: Transaction) -> int:
    """Bytes on the disk of the table of readings and all that belongs to it, indexes too."""
    row = tx.one(load("editions")["size" if edition_of(tx) is Edition.PLAIN else "size_of_hypertable"])
    assert row is not None
    found: int = row["bytes"]
    return found


def forget_before(tx: Transaction, edition: Edition, cutoff: datetime) -> None:
    """Drop what is wholly older than `cutoff`: chunks, or partitions and the old rows of the default partition."""
    queries = load("editions")
    if edition is not Edition.PLAIN:
        tx.fetch(queries["drop_chunks"], {"cutoff": cutoff})
        return
    for row in tx.fetch(queries["partitions"]):
        day = _day(row["name"])
        if day is not None and day + timedelta(days=1) <= cutoff.astimezone(UTC).date():
            tx.connection.execute(compose.SQL("DROP TABLE {}").format(compose.Identifier(row["name"])))
    tx.execute(queries["trim_default"], {"cutoff": cutoff})


def _offered(tx: Transaction) -> Edition:
    """What the server can do; tries to create the extension where it is installed and we may."""
    queries = load("editions")
    row = tx.one(queries["timescaledb"])
    if row is None or not (row["loaded"] or row["created"]):
        return Edition.PLAIN
    if not row["created"]:
        try:
            with tx.connection.transaction():
                tx.execute(queries["create_extension"])
        except psycopg.Error:  # no right to create it, or not preloaded after all: plain partitions serve as well
            return Edition.PLAIN
    return _licence(tx)


def _licence(tx: Transaction) -> Edition:
    row = tx.one(load("editions")["licence"])
    return Edition.COMMUNITY if row is not None and row["licence"] == "timescale" else Edition.APACHE


def _make_partition(tx: Transaction, day: date) -> None:
    """A partition of one day. Rows of that day that went to the default partition move over."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    parts = {
        "partition": compose.Identifier(_name(day)),
        "begin": compose.Literal(begin),
        "end": compose.Literal(begin + timedelta(days=1)),
    }
    for step in ("create_partition", "move_strays", "attach_partition"):
        tx.connection.execute(compose.SQL(load("editions")[step]).format(**parts))


def _name(day: date) -> str:
    return f"reading_{day:%Y%m%d}"


def _day(name: str) -> date | None:
    try:
        return datetime.strptime(name, "reading_%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
