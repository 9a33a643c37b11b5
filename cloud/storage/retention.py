"""Forgetting what is too old, kind by kind: whole days where everything in them is, rows where some is kept longer.

One run deletes in bounded transactions, each of one day of the table of readings or of a limited number of summaries;
a day that is done is remembered, so a run looks at new days only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from psycopg.sql import SQL, Identifier

from cloud.storage.database import Transaction
from cloud.storage.editions import edition_of, forget_before
from cloud.storage.kinds import Keep, Kind, kind_of, longest, retention
from cloud.storage.queries import load
from cloud.storage.rollups import Level

MOST_ROWS: Final = 200_000
"""Summaries deleted in one transaction."""
LOOKS_BACK: Final = timedelta(days=40)
"""How many days of readings a first run looks at; what is older goes with its whole day."""


def forget(tx: Transaction, now: datetime) -> bool:
    """One bounded piece of forgetting, in the caller's transaction; whether there is more."""
    edition = edition_of(tx)
    if edition is not None:
        forget_before(tx, edition, now - longest().readings)
    series = _by_kind(tx)
    for kind, keep in retention().items():
        if series[kind] and (_readings(tx, kind, series[kind], keep, now) or _summaries(tx, series[kind], keep, now)):
            return True
    return False


def _readings(tx: Transaction, kind: Kind, series: list[int], keep: Keep, now: datetime) -> bool:
    """Delete one day of readings of a kind that others outlive; whether there is another day."""
    if keep.readings == longest().readings:
        return False
    over = (now - keep.readings).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    row = tx.one(load("retention")["done_until"], {"kind": kind})
    begin = max(row["until"], over - LOOKS_BACK) if row is not None else over - LOOKS_BACK
    if begin >= over:
        return False
    end = begin + timedelta(days=1)
    tx.execute(load("retention")["forget_readings"], {"series": series, "begin": begin, "end": end})
    tx.execute(load("retention")["done"], {"kind": kind, "until": end})
    return end < over


def _summaries(tx: Transaction, series: list[int], keep: Keep, now: datetime) -> bool:
    """Delete some summaries; whether there are more."""
    for level, kept in zip(Level, (keep.minutes, keep.hours, keep.days), strict=True):
        statement = SQL(load("retention")["forget_summaries"]).format(table=Identifier(level.table))
        which = {"series": series, "cutoff": now - kept, "most": MOST_ROWS}
        if tx.connection.execute(statement, which).rowcount == MOST_ROWS:
            return True
    return False


def _by_kind(tx: Transaction) -> dict[Kind, list[int]]:
    found: dict[Kind, list[int]] = {kind: [] for kind in Kind}
    for row in tx.fetch(load("retention")["all_series"]):
        found[kind_of(row["metric"], row["datatype"], row["type"])].append(row["id"])
    return found
