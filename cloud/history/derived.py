"""What follows from the past of a device: habits, forecasts, leaks, violations, what is out of the ordinary.

Pure functions over NumPy arrays; NaN is what is not known. Each says what it needs to say anything at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cloud.history.summary import Floats, Rows, bridges

NORMAL: Final = 1.4826
"""Makes the median absolute deviation of normal values their standard deviation."""
LEAST_SPREAD: Final = 0.05
"""A habit without any spread would call the least change infinite: a twentieth of its middle is taken at least."""
LEAST_DAYS: Final = 5
NIGHT: Final = slice(2, 5)
"""Hours in which nobody uses water for three hours in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A usual day: middle and quarters per hour of the day (24,), from `days` days."""

    low: Floats
    middle: Floats
    high: Floats
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What sells: per day of the coming week (7,), and how far such forecasts were off (`error`: mean, units a day)."""

    coming: Floats
    error: float
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockOut:
    """In how many days the stock is gone: expected, and early and late by the forecast's error; inf: not in sight."""

    days: float
    early: float
    late: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """The least use in an hour of the last nights; `nights` of them in a row never stood still."""

    nights: int
    least_per_hour: float
    leaking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Violations:
    """Time above a limit: in total, the longest stretch, how many stretches (ms); and of how much time it is known."""

    above_ms: int
    longest_ms: int
    times: int
    known_ms: int
    highest: float


def pattern(by_hour: Floats) -> Pattern | None:
    """A usual day from `by_hour` (days, 24); None from fewer than five days of which anything is known."""
    known = by_hour[~np.isnan(by_hour).all(axis=1)]
    if len(known) < LEAST_DAYS:
        return None
    quarters = np.full((3, 24), np.nan)
    for hour in range(24):
        values = known[:, hour][~np.isnan(known[:, hour])]
        if len(values):
            quarters[:, hour] = np.quantile(values, (0.25, 0.5, 0.75))
    return Pattern(low=quarters[0], middle=quarters[1], high=quarters[2], days=len(known))


def anomaly(by_hour: Floats, usual: Pattern | None) -> Floats:
    """How far each hour of the newest day is from the same hour of the days before, in robust standard deviations.

    `by_hour` (days, 24), oldest first, the newest last. (Rousseeuw and Croux, 1993, on the median absolute deviation.)
    Above 3.5 is out of the ordinary (Iglewicz and Hoaglin, 1993). NaN where either is not known.
    """
    score = np.full(24, np.nan)
    if usual is None or len(by_hour) < LEAST_DAYS + 1:
        return score
    before, today = by_hour[:-1], by_hour[-1]
    scale = np.nanmedian(np.abs(by_hour[:-1]))
    for hour in range(24):
        values = before[:, hour][~np.isnan(before[:, hour])]
        if len(values) >= LEAST_DAYS and not np.isnan(today[hour]):
            middle = np.median(values)
            spread = NORMAL * np.median(np.abs(values - middle))
            least = LEAST_SPREAD * max(abs(middle), scale)
            score[hour] = (today[hour] - middle) / max(spread, least) if max(spread, least) else 0.0
    return score


def demand(sold: Floats) -> Demand | None:
    """The coming week's sales from `sold` per day, oldest first, today not among them; None from less than two weeks.

    Each weekday is forecast by the exponentially weighted mean of the same weekdays before (half of the weight on the
    newest two). The error is that of the same forecast made for each of the last days from what was known before.
    """
    days = sold[np.flatnonzero(~np.isnan(sold))[0] :] if not np.isnan(sold).all() else sold[:0]
    if len(days) < 14:
        return None
    coming = np.array([_same_weekday(days, len(days) + ahead) for ahead in range(7)])
    tested = range(max(7, len(days) - 28), len(days))
    misses = [abs(days[day] - _same_weekday(days[:day], day)) for day in tested]
    return Demand(coming=coming, error=float(np.nanmean(misses)), days=len(days))


def stock_out(stock: float, expected: Demand) -> StockOut:
    """When `stock` units are sold, if people buy as forecast, the error more, or the error less each day."""
    return StockOut(
        days=_lasts(stock, expected.coming),
        early=_lasts(stock, expected.coming + expected.error),
        late=_lasts(stock, np.maximum(0.0, expected.coming - expected.error)),
    )


def night_leak(used: Floats, least: float = 0.002, nights: int = 3) -> Leak | None:
    """Water that never stands still at night: `used` (nights, 24) per hour, oldest first; None while nothing is known.

    A leak: in each of the last `nights` nights every hour between 2 and 5 used more than `least` (m³: 2 litres).
    """
    per_night = used[:, NIGHT]
    known = per_night[~np.isnan(per_night).any(axis=1)]
    if not len(known):
        return None
    lowest = known.min(axis=1)
    still = np.flatnonzero(lowest <= least)
    running = len(known) - 1 - int(still[-1]) if len(still) else len(known)
    return Leak(nights=running, least_per_hour=float(lowest[-nights:].min()), leaking=running >= nights)


def time_above(rows: Rows, limit: float, begin: int, end: int, hold_ms: int) -> Violations:
    """How long a value stood above `limit` in `[begin, end)` ms. `rows`: readings as summaries, one before included."""
    if not len(rows):
        return Violations(above_ms=0, longest_ms=0, times=0, known_ms=0, highest=float("nan"))
    last = min(hold_ms, max(0, end - int(rows["ends"][-1]))) if rows["carries"][-1] else 0
    onwards = np.append(bridges(rows, hold_ms), last)
    held = np.clip(rows["ends"] + onwards, begin, end) - np.clip(rows["ends"], begin, end)
    value = np.where(rows["count"] > 0, rows["last"], np.nan)
    over = (value > limit) & (held > 0)
    unbroken = np.zeros(len(rows), dtype=bool)
    unbroken[1:] = over[:-1] & (rows["begins"][1:] == rows["ends"][:-1] + onwards[:-1])
    run = np.cumsum(over & ~unbroken)
    lengths = np.bincount(run[over], held[over]) if over.any() else np.zeros(1)
    inside = value[held > 0]
    return Violations(
        above_ms=int(held[over].sum()),
        longest_ms=int(lengths.max()),
        times=int((lengths > 0).sum()),
        known_ms=int(held.sum()),
        highest=float(np.nanmax(inside)) if len(inside) and not np.isnan(inside).all() else float("nan"),
    )


def _same_weekday(days: Floats, day: int) -> float:
    """The forecast for `day` from the same weekdays among `days`."""
    newest_first = np.arange(day - 7, -1, -7)
    newest_first = newest_first[newest_first < len(days)]
    values, weights = days[newest_first], 0.7 ** np.arange(len(newest_first))
    known = ~np.isnan(values)
    if not known.any():
        return float(np.nanmean(days))
    return float(np.average(values[known], weights=weights[known]))


def _lasts(stock: float, per_day: Floats) -> float:
    """Days until `stock` is gone, the week repeating itself; inf when nothing sells."""
    week = float(per_day.sum())
    if stock <= 0:
        return 0.0
    if week <= 0:
        return float("inf")
    weeks, left = divmod(stock, week)
    gone = np.cumsum(per_day)
    day = int(np.searchsorted(gone, left))
    before = float(gone[day - 1]) if day else 0.0
    part = (left - before) / per_day[day] if per_day[day] > 0 else 0.0
    return float(weeks * 7 + day + part)
