"""Summaries of stretches of one series, that two neighbours can be joined from without looking at readings again.

A reading is the smallest summary. A summary knows what happened between its first and its last row (`area`, `held`,
`increase`) and what it hands on (`last`, `carries`), so joining neighbours gives what the readings themselves would
have given, and a late reading changes the summary of its own stretch alone. The idea of keeping aggregates that can
be joined is that of the two-step aggregates of timescaledb-toolkit (`time_weight`, `counter_agg`).

A value holds until the next row of its series, but at most for the series' hold (ms). A row that is known to be
unknown (NaN) or of quality bad (below 64, OPC) is no value, and ends what held before. Of rows with the same time the
smaller value comes first, whichever arrived first. A counter that falls has begun anew: what it shows then is its
increase.

Times are ms since 1970 UTC; arrays have one row per summary.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

READING: Final = np.dtype([("series", "i4"), ("ts", "i8"), ("value", "f8"), ("quality", "i2")])
SUMMARY: Final = np.dtype(
    [
        ("series", "i4"),
        ("bucket", "i8"),  # begin of its stretch
        ("count", "i4"),  # values
        ("total", "f8"),
        ("low", "f8"),
        ("high", "f8"),
        ("first", "f8"),
        ("last", "f8"),
        ("begins", "i8"),  # first and last row, whether value or not
        ("ends", "i8"),
        ("carries", "?"),  # the last row is a value, which holds on
        ("area", "f8"),  # value × ms between `begins` and `ends`, where known
        ("held", "i8"),  # ms of those where known
        ("increase", "f8"),
    ]
)
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
HOLD_MS: Final = HOUR_MS
"""How long a measured value is taken to hold when nothing follows."""
STATE_HOLD_MS: Final = 366 * DAY_MS
"""A state is told when it changes, so it holds."""
BAD_BELOW: Final = 64


def of_readings(readings: Rows) -> Rows:
    """Each reading as a summary of its own, sorted by series and time; `bucket` is its time."""
    values = np.where(readings["quality"] >= BAD_BELOW, readings["value"], np.nan)
    order = np.lexsort((values, readings["ts"], readings["series"]))
    values, known = values[order], ~np.isnan(values[order])
    rows = np.zeros(len(readings), SUMMARY)
    rows["series"] = readings["series"][order]
    rows["bucket"] = rows["begins"] = rows["ends"] = readings["ts"][order]
    rows["count"], rows["carries"] = known, known
    rows["total"] = np.where(known, values, 0.0)
    for name in ("low", "high", "first", "last"):
        rows[name] = values
    return rows


def sizes(rows: Rows, bucket: Ints) -> Ints:
    """How many rows each summary of `joined` is made from."""
    found: Ints = np.diff(np.append(np.flatnonzero(_fresh(rows, bucket)), len(rows)))
    return found


def joined(rows: Rows, bucket: Ints, hold_ms: Ints | int) -> Rows:
    """One summary per series and `bucket`. `rows` are sorted by series and time; `bucket` (n,) is that of each row."""
    if not len(rows):
        return rows
    fresh = _fresh(rows, bucket)
    starts = np.flatnonzero(fresh)
    ends = np.append(starts[1:], len(rows)) - 1
    group = np.cumsum(fresh) - 1
    found = np.zeros(len(starts), SUMMARY)
    found["series"], found["bucket"] = rows["series"][starts], bucket[starts]
    found["begins"], found["ends"] = rows["begins"][starts], rows["ends"][ends]
    found["carries"] = rows["carries"][ends]
    for name in ("count", "total", "held", "area", "increase"):
        found[name] = np.add.reduceat(rows[name], starts)
    found["low"] = np.fmin.reduceat(rows["low"], starts)
    found["high"] = np.fmax.reduceat(rows["high"], starts)
    _bridge(found, rows, group, hold_ms)
    _count_up(found, rows, group)
    return found


def bridges(rows: Rows, hold_ms: Ints | int) -> Ints:
    """How long each row's last value holds on into what follows it (n - 1,), ms; 0 where it hands nothing on."""
    gap = np.clip(rows["begins"][1:] - rows["ends"][:-1], 0, _of_all_but_last(hold_ms))
    held: Ints = np.where(rows["carries"][:-1], gap, 0)
    return held


def increases(rows: Rows) -> tuple[Ints, Floats]:
    """Where rows with values stand, and by how much each's first value exceeds the one before it (0 for the first)."""
    where = np.flatnonzero(rows["count"])
    grown = np.zeros(len(where))
    if len(where) > 1:
        before, after = rows["last"][where[:-1]], rows["first"][where[1:]]
        grown[1:] = np.where(after >= before, after - before, after)
    return where, grown


def _fresh(rows: Rows, bucket: Ints) -> NDArray[np.bool_]:
    """Where the first row of each series and `bucket` stands."""
    fresh = np.ones(len(rows), dtype=bool)
    fresh[1:] = (rows["series"][1:] != rows["series"][:-1]) | (bucket[1:] != bucket[:-1])
    return fresh


def _bridge(found: Rows, rows: Rows, group: Ints, hold_ms: Ints | int) -> None:
    """Add what values did between neighbours of the same group."""
    inside = group[1:] == group[:-1]
    held = np.where(inside, bridges(rows, hold_ms), 0)
    into = group[:-1]
    last = np.where(held > 0, rows["last"][:-1], 0.0)
    found["held"] += np.bincount(into, held, len(found)).astype(np.int64)
    found["area"] += np.bincount(into, held * last, len(found))


def _count_up(found: Rows, rows: Rows, group: Ints) -> None:
    """First and last values, and what a counter gained between neighbours of the same group."""
    found["first"] = found["last"] = np.nan
    where, grown = increases(rows)
    if not len(where):
        return
    of = group[where]
    begins = np.ones(len(of), dtype=bool)
    begins[1:] = of[1:] != of[:-1]
    firsts = np.flatnonzero(begins)
    lasts = np.append(firsts[1:], len(of)) - 1
    found["first"][of[firsts]] = rows["first"][where[firsts]]
    found["last"][of[firsts]] = rows["last"][where[lasts]]
    found["increase"] += np.bincount(of, np.where(begins, 0.0, grown), len(found))


def _of_all_but_last(hold_ms: Ints | int) -> Any:
    return hold_ms if isinstance(hold_ms, int) else hold_ms[:-1]
