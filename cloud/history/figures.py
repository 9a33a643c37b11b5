"""What a series did in each of a row of stretches: for charts, tables and whatever is derived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from cloud.history.summary import Floats, Ints, Rows, bridges, increases

GAP_TIMES: Final = 5
LEAST_GAP_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row per stretch `[edges[i], edges[i + 1])`, all (n,). NaN where nothing is known.

    `weighted`: mean over the time where a value held; `held`: that time, ms; `increase`: of a counter, what it gained.
    """

    begins: Ints
    count: Ints
    mean: Floats
    low: Floats
    high: Floats
    first: Floats
    last: Floats
    weighted: Floats
    held: Ints
    increase: Floats


def over(rows: Rows, edges: Ints, hold_ms: int, until_ms: int) -> Figures:
    """Figures of one series.

    `rows`: its summaries in the order of time, none across an edge; those before the first edge tell what held then.
    `edges` (n + 1,) rise. `until_ms`: now; nothing is known of what comes after.
    """
    n = len(edges) - 1
    into = np.searchsorted(edges, rows["bucket"], "right") - 1
    inside = (into >= 0) & (into < n)
    of, mine = into[inside], rows[inside]
    count = np.bincount(of, mine["count"], n).astype(np.int64)
    total = np.bincount(of, mine["total"], n)
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    np.fmin.at(low, of, mine["low"])
    np.fmax.at(high, of, mine["high"])
    area, held = _held(rows, edges, hold_ms, until_ms)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, weighted = total / np.where(count, count, np.nan), area / np.where(held > 0, held, np.nan)
    first, last = np.full(n, np.nan), np.full(n, np.nan)
    valued = mine["count"] > 0
    first[of[valued][::-1]] = mine["first"][valued][::-1]
    last[of[valued]] = mine["last"][valued]
    return Figures(
        begins=edges[:-1],
        count=count,
        mean=mean,
        low=low,
        high=high,
        first=first,
        last=last,
        weighted=weighted,
        held=np.rint(held).astype(np.int64),
        increase=_gained(rows, into, n),
    )


def typical_ms(rows: Rows) -> float:
    """The usual time between two rows, ms; NaN when there are not two."""
    several = rows[rows["count"] > 1]
    if len(several):
        return float(np.median((several["ends"] - several["begins"]) / (several["count"] - 1)))
    gaps = rows["begins"][1:] - rows["ends"][:-1]
    return float(np.median(gaps)) if len(gaps) else float("nan")


def gap_ms(rows: Rows, hold_ms: int) -> int:
    """From how long on silence is shown as a gap: five times the usual, at least a minute, at most the hold."""
    usual = typical_ms(rows)
    return hold_ms if np.isnan(usual) else int(min(hold_ms, max(LEAST_GAP_MS, GAP_TIMES * usual)))


def day_edges(begin: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """Midnights of `zone` from that at or before `begin` to that at or after `end`: days of 23 to 25 hours."""
    day: date = begin.astimezone(zone).date()
    found = [_midnight(day, zone)]
    while found[-1] < end:
        day += timedelta(days=1)
        found.append(_midnight(day, zone))
    return found


def as_ms(moments: Sequence[datetime]) -> Ints:
    """Moments as ms since 1970 UTC."""
    return np.array([round(moment.timestamp() * 1000) for moment in moments], dtype=np.int64)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _held(rows: Rows, edges: Ints, hold_ms: int, until_ms: int) -> tuple[Floats, Floats]:
    """Value × ms and ms known, in each stretch: the differences of running sums at its edges.

    An edge lies between rows, never inside one, and between rows the sums grow in straight lines.
    """
    if not len(rows):
        return np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    last_hold = min(hold_ms, max(0, until_ms - int(rows["ends"][-1]))) if rows["carries"][-1] else 0
    onwards = np.append(bridges(rows, hold_ms), last_hold)
    values = np.where(onwards > 0, rows["last"], 0.0)
    knots = np.stack([rows["begins"], rows["ends"], rows["ends"] + onwards], axis=1).ravel()
    sums = []
    for inner, outer in ((rows["area"], onwards * values), (rows["held"].astype(float), onwards.astype(float))):
        steps = np.stack([np.zeros(len(rows)), inner, outer], axis=1).ravel()
        sums.append(np.diff(np.interp(edges, knots, np.cumsum(steps))))
    return sums[0], sums[1]


def _gained(rows: Rows, into: Ints, n: int) -> Floats:
    """What a counter gained: inside the rows, and from each row to the next, which is the later one's."""
    gained = np.where(rows["count"] > 0, rows["increase"], 0.0)
    where, grown = increases(rows)
    gained[where] += grown
    inside = (into >= 0) & (into < n)
    return np.bincount(into[inside], gained[inside], n).astype(np.float64)
