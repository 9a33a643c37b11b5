"""Summaries of minutes, hours and days, made from readings by our own code: the same on every edition.

Whoever stores readings marks what they touched, in the same transaction (`mark`): one row per commit group, so ingest
neither waits for anybody nor looks anything up. The roller takes marks in bounded transactions, makes the minutes they
touch anew from all readings of those minutes, and notes their hours and days, which are made when they are over; late
readings make them once more. A minute of a few readings has no summary of its own (`finest`). A mark becomes visible
with its readings, so nothing is missed; the order of arrival changes nothing, because a stretch is always made from all
that is stored of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from psycopg.sql import SQL, Composed, Identifier

from cloud.history.figures import day_edges
from cloud.history.summary import DAY_MS, HOUR_MS, MINUTE_MS, READING, SUMMARY, Ints, Rows, joined, of_readings, sizes
from cloud.storage.database import Transaction
from cloud.storage.kinds import Kind, kinds, retention
from cloud.storage.order import by_series_and_time
from cloud.storage.packed import Layout, copy_in, fetch
from cloud.storage.queries import load

READINGS: Final = Layout(READING, frozenset({"ts"}))
SUMMARIES: Final = Layout(SUMMARY, frozenset({"bucket", "begins", "ends"}))
STRETCH: Final = np.dtype([("series", "i4"), ("begin", "i8"), ("end", "i8")])
"""Of one series, ms since 1970 UTC. In marks `end` is the last reading's time; when worked on, it is excluded."""
MARKS: Final = Layout(STRETCH)

MOST_MARKS: Final = 2000
MOST_MINUTES: Final = 500_000
"""Series-minutes of one transaction; and of one statement a tenth of that."""
MOST_DUE: Final = 5_000
FEWEST: Final = 6
"""A summary takes more room than so many readings save: a minute with fewer is read from its readings."""
MOST_AT_ONCE: Final = 60_000
"""Series-minutes that hours and days are made from in one step, each perhaps from `FEWEST` readings."""
AFTERWARDS: Final = timedelta(minutes=1)
"""So long after its end an hour or a day is made: what comes on time has come by then."""


class Level(IntEnum):
    """How coarse summaries are."""

    MINUTE = 0
    HOUR = 1
    DAY = 2

    @property
    def table(self) -> str:
        """Its table."""
        return f"rollup_{self.name.lower()}"

    def statement(self, name: str) -> Composed:
        """A statement of rollups.sql over its table."""
        return SQL(load("rollups")[name]).format(table=Identifier(self.table))


def mark(tx: Transaction, series: NDArray[np.int32], at_ms: Ints) -> None:
    """Note that readings of these series and times (n,) were stored in this transaction."""
    if not len(series):
        return
    order = by_series_and_time(series, at_ms)
    series, at_ms = series[order], at_ms[order]
    hour = at_ms // HOUR_MS
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (series[1:] != series[:-1]) | (hour[1:] != hour[:-1])
    starts = np.flatnonzero(fresh)
    stretches = np.empty(len(starts), STRETCH)
    stretches["series"], stretches["begin"] = series[starts], at_ms[starts]
    stretches["end"] = at_ms[np.append(starts[1:], len(order)) - 1]
    tx.execute(load("rollups")["mark"], {"stretches": MARKS.packed(stretches)})


class Roller:
    """Makes summaries. One at a time over all services; `zone` is the street's, whose days are made."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def step(self, tx: Transaction, now: datetime) -> bool:
        """One bounded piece of work, in the caller's transaction; whether there may be more."""
        sql = load("rollups")
        held = tx.one(sql["hold"])
        if held is None or not held["held"]:
            return False
        self._keep_zone(tx)
        rows = tx.fetch(sql["take_marks"], {"most": MOST_MARKS})
        if rows:
            marked = np.concatenate([MARKS.unpacked(row["stretches"]) for row in rows])
            self._minutes(tx, self._worth(tx, marked, now))
            return True
        return any([self._over(tx, Level.HOUR, now), self._over(tx, Level.DAY, now)])

    def _keep_zone(self, tx: Transaction) -> None:
        """Days are days of a time zone: in another one they are made anew."""
        sql, known = load("rollups"), tx.one(load("rollups")["zone"])
        if known is None or known["name"] != self._zone.key:
            tx.execute(sql["set_zone"], {"zone": self._zone.key})
            tx.execute(sql["all_days_due"], {"zone": self._zone.key})

    def _worth(self, tx: Transaction, marked: Rows, now: datetime) -> Rows:
        """Without what is so old that readings beside it are forgotten: the summary knows more than they do."""
        known = kinds(tx, np.unique(marked["series"]).tolist())
        oldest = {kind: _ms(now - keep.readings) for kind, keep in retention().items()}
        from_ms = _per_series(marked, {series: oldest[kind] for series, kind in known.items()}, oldest[Kind.GAUGE])
        return marked[marked["begin"] >= from_ms]

    def _minutes(self, tx: Transaction, marked: Rows) -> None:
        wanted = _merged(marked)
        minutes = np.cumsum((wanted["end"] - wanted["begin"]) // MINUTE_MS)
        now_done = minutes <= max(MOST_MINUTES, int(minutes[0]) if len(minutes) else 0)
        if not now_done.all():
            rest = wanted[~now_done]
            rest["end"] -= 1
            tx.execute(load("rollups")["put_back"], {"stretches": MARKS.packed(rest)})
        wanted, minutes = wanted[now_done], minutes[now_done]
        piece = np.stack([wanted["begin"] // DAY_MS, minutes // max(1, MOST_MINUTES // 10)])
        for one in np.unique(piece, axis=1).T:
            self._minutes_of_day(tx, wanted[(piece == one[:, None]).all(axis=0)], int(one[0]))

    def _minutes_of_day(self, tx: Transaction, wanted: Rows, day: int) -> None:
        sql = load("rollups")
        columns = {
            "series": wanted["series"].tolist(),
            "begins": wanted["begin"].tolist(),
            "ends": wanted["end"].tolist(),
        }
        bounds = {"day": moment(day * DAY_MS), "day_after": moment((day + 1) * DAY_MS)}
        rows = of_readings(fetch(tx, READINGS, sql["readings"], columns | bounds))
        minute = rows["bucket"] // MINUTE_MS * MINUTE_MS
        made = joined(rows, minute, _holds(tx, rows))
        tx.execute(sql["clear_minutes"], columns)
        copy_in(tx, SUMMARIES, Level.MINUTE.statement("copy"), made[sizes(rows, minute) >= _fewest(tx, made)])
        first, hours = wanted["begin"] // HOUR_MS, (wanted["end"] - 1) // HOUR_MS - wanted["begin"] // HOUR_MS + 1
        nth = np.arange(hours.sum()) - np.repeat(np.cumsum(hours) - hours, hours)
        self._note(tx, Level.HOUR, np.repeat(wanted["series"], hours), (np.repeat(first, hours) + nth) * HOUR_MS)

    def _over(self, tx: Transaction, level: Level, now: datetime) -> bool:
        """Make hours or days that are over; whether there may be more."""
        upto = now - AFTERWARDS - timedelta(hours=1 if level is Level.HOUR else 25)
        taken = tx.fetch(load("rollups")["take_due"], {"level": level, "upto": upto, "most": MOST_DUE})
        by_bucket: dict[int, list[int]] = {}
        for row in taken:
            by_bucket.setdefault(row["bucket"], []).append(row["series_id"])
        for bucket, series in by_bucket.items():
            series.sort()
            most = max(1, MOST_AT_ONCE * MINUTE_MS // (bucket_end(level, bucket, self._zone) - bucket))
            for at in range(0, len(series), most):
                self._make(tx, level, bucket, series[at : at + most])
        return len(taken) == MOST_DUE

    def _make(self, tx: Transaction, level: Level, bucket: int, series: list[int]) -> None:
        end = bucket_end(level, bucket, self._zone)
        span = {"series": series, "begin": moment(bucket), "end": moment(end)}
        if level is Level.DAY and aligned(bucket, end):
            rows = fetch(tx, SUMMARIES, Level.HOUR.statement("summaries"), span)
            rows = rows[np.lexsort((rows["bucket"], rows["series"]))]
        else:
            rows = finest(tx, series, bucket, end)
        made = joined(rows, np.full(len(rows), bucket), _holds(tx, rows))
        tx.connection.execute(level.statement("clear"), span)
        copy_in(tx, SUMMARIES, level.statement("copy"), made)
        if level is Level.HOUR:
            for at in {bucket, end - 1}:
                day = day_of(at, self._zone)
                self._note(tx, Level.DAY, np.array(series), np.full(len(series), day))

    def _note(self, tx: Transaction, level: Level, series: Ints, buckets: Ints) -> None:
        both = np.unique(np.stack([series.astype(np.int64), buckets], axis=1), axis=0)
        params = {"level": level, "series": both[:, 0].tolist(), "buckets": both[:, 1].tolist()}
        tx.execute(load("rollups")["due"], params)


def moment(at_ms: int) -> datetime:
    """ms since 1970 as an aware UTC datetime; the calendar's end for what lies beyond it."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)


def day_of(at_ms: int, zone: ZoneInfo) -> int:
    """The midnight of `zone` at or before a moment, ms."""
    here = moment(at_ms)
    return _ms(day_edges(here, here, zone)[0])


def bucket_end(level: Level, bucket: int, zone: ZoneInfo) -> int:
    """The end of a stretch that begins at `bucket`, ms. A day of `zone` has 23 to 25 hours."""
    if level is not Level.DAY:
        return bucket + (HOUR_MS if level is Level.HOUR else MINUTE_MS)
    return day_of(bucket + DAY_MS + 4 * HOUR_MS, zone)


def aligned(*edges: int) -> bool:
    """Whether moments are full hours of UTC."""
    return not any(edge % HOUR_MS for edge in edges)


def rows_of(tx: Transaction, level: Level, series: int, begin: int, end: int) -> Rows:
    """Stored summaries of a series with `begin` <= bucket < `end` (ms), in the order of time."""
    span = {"series": [series], "begin": moment(begin), "end": moment(end)}
    rows = fetch(tx, SUMMARIES, level.statement("summaries"), span)
    return rows[np.argsort(rows["bucket"])]


def finest(tx: Transaction, series: Sequence[int], begin: int, end: int) -> Rows:
    """Summaries of minutes, and readings where a minute has none, of `begin` <= time < `end` (ms, full minutes).

    Sorted by series and time.
    """
    wanted = np.unique(np.array(series, dtype=np.int32))
    span = {"series": wanted.tolist(), "begin": moment(begin), "end": moment(end)}
    made = fetch(tx, SUMMARIES, Level.MINUTE.statement("summaries"), span)
    minutes = (end - begin) // MINUTE_MS
    edges = np.zeros((len(wanted), minutes + 2), dtype=np.int8)
    edges[:, 1:-1] = 1
    edges[np.searchsorted(wanted, made["series"]), (made["bucket"] - begin) // MINUTE_MS + 1] = 0
    steps = np.diff(edges, axis=1)
    which, first = np.nonzero(steps == 1)
    columns = {
        "series": wanted[which].tolist(),
        "begins": (begin + first * MINUTE_MS).tolist(),
        "ends": (begin + np.nonzero(steps == -1)[1] * MINUTE_MS).tolist(),
    }
    bounds = {"day": span["begin"], "day_after": span["end"]}
    single = of_readings(fetch(tx, READINGS, load("rollups")["readings"], columns | bounds))
    rows = np.concatenate([made, single])
    return rows[np.lexsort((rows["ends"], rows["begins"], rows["series"]))]


def _merged(marked: Rows) -> Rows:
    """Whole minutes, without overlap, sorted by series and time; none across a midnight of UTC."""
    stretches = np.empty(len(marked), STRETCH)
    stretches["series"] = marked["series"]
    stretches["begin"] = marked["begin"] // MINUTE_MS * MINUTE_MS
    stretches["end"] = marked["end"] // MINUTE_MS * MINUTE_MS + MINUTE_MS
    stretches = stretches[np.lexsort((stretches["begin"], stretches["series"]))]
    far = np.int64(2**32)  # more minutes than the calendar has
    begin = stretches["series"] * far + stretches["begin"] // MINUTE_MS
    reach = np.maximum.accumulate(stretches["series"] * far + stretches["end"] // MINUTE_MS)
    fresh = np.ones(len(stretches), dtype=bool)
    day = stretches["begin"] // DAY_MS
    fresh[1:] = (begin[1:] > reach[:-1]) | (day[1:] != day[:-1])
    starts = np.flatnonzero(fresh)
    found = stretches[starts]
    if len(found):
        found["end"] = np.maximum.reduceat(stretches["end"], starts)
    return found


def _holds(tx: Transaction, rows: Rows) -> Ints:
    """How long each row's value holds, ms."""
    known = kinds(tx, np.unique(rows["series"]).tolist())
    return _per_series(rows, {series: kind.hold_ms for series, kind in known.items()}, Kind.GAUGE.hold_ms)


def _fewest(tx: Transaction, rows: Rows) -> Ints:
    """From how many readings on a minute has a summary: all of a kind whose minutes outlive its readings."""
    known, keep = kinds(tx, np.unique(rows["series"]).tolist()), retention()
    outlive = {series: 1 for series, kind in known.items() if keep[kind].minutes > keep[kind].readings}
    return _per_series(rows, outlive, FEWEST)


def _per_series(rows: Rows, values: dict[int, int], otherwise: int) -> Ints:
    """A value for each row by its series."""
    ids, where = np.unique(rows["series"], return_inverse=True)
    found: Ints = np.array([values.get(int(one), otherwise) for one in ids], dtype=np.int64)[where]
    return found


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
