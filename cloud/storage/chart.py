"""What a chart or a table of one series needs: as few rows as the screen has room for, peaks and gaps kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import numpy as np

from cloud.history.figures import Figures, as_ms, day_edges, gap_ms, over
from cloud.history.summary import HOUR_MS, MINUTE_MS, Floats, Ints, Rows
from cloud.storage.history import MOST_READINGS, Past
from cloud.storage.kinds import Kind, retention
from cloud.storage.rollups import FEWEST, Level, moment
from protocols.errors import RefusedError

Step = Literal["raw", "minute", "hour", "day"]
MOST_ROWS: Final = 20_000
"""Rows of a table that is asked for by its step."""
MOST_MINUTES: Final = MOST_READINGS // FEWEST
"""Minutes of a chart: each of them may have to be made from almost as many readings."""
_STEP_MS: Final = {Level.MINUTE: MINUTE_MS, Level.HOUR: HOUR_MS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Points in the order of time, (n,) each; NaN in `value` is a gap. `low`, `high`: None where each reading shows.

    `ms`: of a reading its time, of a stretch its begin. `step_ms`: 0 for readings, else the first stretch's length.
    """

    step: Step | Literal["pixels"]
    step_ms: int
    ms: Ints
    value: Floats
    low: Floats | None = None
    high: Floats | None = None
    increase: Floats | None = None


def chart(past: Past, kind: Kind, begin: int, end: int, width: int) -> Chart:
    """At most `width` stretches with least, mean and greatest, or at most 2 × `width` readings, for `width` pixels.

    Raises RefusedError when it would have to read too many readings.
    """
    keep, now = retention()[kind], round(past.now.timestamp() * 1000)
    if begin >= now - _in_ms(keep.readings):
        readings = past.readings(begin, end, 2 * width + 1)
        if len(readings) <= 2 * width:
            return _of_readings(past, kind, readings, begin)
    level = _level((end - begin) / max(1, width - 1), now - begin, keep.minutes, keep.hours)
    if level is Level.MINUTE and end - begin > MOST_MINUTES * MINUTE_MS:
        level = Level.HOUR
    if level is None:
        return _pixels(past, kind, begin, end, width)
    edges = edges_of(past, level, begin, end, width)
    rows = past.rows(level, int(edges[0]), int(edges[-1]))
    return _of_figures(past, kind, rows, edges, ("minute", "hour", "day")[level])


def table(past: Past, kind: Kind, level: Level, begin: int, end: int) -> Figures:
    """Figures of every minute, hour or day (of the street's zone) that the span touches. Raises RefusedError."""
    nominal = {Level.MINUTE: MINUTE_MS, Level.HOUR: HOUR_MS, Level.DAY: 24 * HOUR_MS}[level]
    if (end - begin) / nominal > MOST_ROWS:
        raise RefusedError("cloud.history.too-long", rows=round((end - begin) / nominal), most=MOST_ROWS)
    edges = edges_of(past, level, begin, end)
    rows = past.rows(level, int(edges[0]), int(edges[-1]))
    now = round(past.now.timestamp() * 1000)
    return over(np.concatenate([past.before(int(edges[0])), rows]), edges, kind.hold_ms, now)


def edges_of(past: Past, level: Level, begin: int, end: int, most: int | None = None) -> Ints:
    """Edges of `level` around the span; with `most` so many stretches at most, each of several."""
    if level is Level.DAY:
        days = day_edges(moment(begin), moment(end), past.zone)
        every = 1 if most is None else -(-(len(days) - 1) // most)
        kept = days[::every]
        return as_ms(kept if kept[-1] == days[-1] else [*kept, days[-1]])
    step = _STEP_MS[level]
    if most is not None:
        step *= max(1, -(-(end - begin) // (step * max(1, most - 1))))
    return np.arange(begin // step * step, end + step, step, dtype=np.int64)[
        : -(-(end - begin // step * step) // step) + 1
    ]


def _level(target_ms: float, age_ms: int, minutes: timedelta, hours: timedelta) -> Level | None:
    """The coarsest level that is not coarser than `target_ms`, or that alone is old enough; None: readings."""
    if target_ms >= 24 * HOUR_MS or age_ms > _in_ms(hours):
        return Level.DAY
    if target_ms >= HOUR_MS or age_ms > _in_ms(minutes):
        return Level.HOUR
    return Level.MINUTE if target_ms >= MINUTE_MS else None


def _pixels(past: Past, kind: Kind, begin: int, end: int, width: int) -> Chart:
    """More readings than pixels within less than a minute a pixel."""
    edges = np.linspace(begin, end, width + 1).astype(np.int64)
    rows = past.readings(begin, end, MOST_READINGS + 1)
    if len(rows) > MOST_READINGS:
        raise RefusedError("cloud.history.too-many", most=MOST_READINGS)
    return _of_figures(past, kind, rows, edges, "pixels")


def _of_readings(past: Past, kind: Kind, rows: Rows, begin: int) -> Chart:
    """Each reading, and a gap behind what is followed by silence; what held at the begin stands there."""
    hold = gap_ms(rows, kind.hold_ms) if kind is not Kind.STATE else kind.hold_ms
    before = past.before(begin)[-1:]
    if len(before) and before["carries"][0] and begin - before["ends"][0] < hold:
        held = before.copy()
        held["begins"] = begin
        rows = np.concatenate([held, rows])
    silent = np.flatnonzero(np.diff(rows["begins"]) > hold)
    ms = np.insert(rows["begins"], silent + 1, rows["begins"][silent] + hold)
    value = np.insert(rows["last"], silent + 1, np.nan)
    return Chart(step="raw", step_ms=0, ms=ms, value=value)


def _of_figures(past: Past, kind: Kind, rows: Rows, edges: Ints, step: Step | Literal["pixels"]) -> Chart:
    hold = gap_ms(rows, kind.hold_ms) if kind is not Kind.STATE else kind.hold_ms
    now = round(past.now.timestamp() * 1000)
    found = over(np.concatenate([past.before(int(edges[0])), rows]), edges, hold, now)
    value = np.where(found.held > 0, found.weighted, found.mean)
    shown = ~np.isnan(value)
    shown[1:] |= shown[:-1]  # of a silence its first stretch, as the gap
    low, high = np.fmin(found.low, value), np.fmax(found.high, value)
    return Chart(
        step=step,
        step_ms=int(edges[1] - edges[0]),
        ms=found.begins[shown],
        value=value[shown],
        low=low[shown],
        high=high[shown],
        increase=found.increase[shown] if kind is Kind.COUNTER else None,
    )


def columns(values: Any) -> list[float | None]:
    """Numbers as JSON has them: null for NaN, six digits."""
    return [None if value != value else float(f"{value:.6g}") for value in values.tolist()]


def _in_ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
