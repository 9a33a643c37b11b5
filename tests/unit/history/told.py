"""What readings amount to, told the slow way: one reading after the other, straight from the definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from hypothesis import strategies as st

from cloud.history.summary import READING, Rows

HOLD_MS = 50_000


@dataclass(frozen=True, slots=True)
class Told:
    """Figures of one stretch."""

    count: int
    total: float
    low: float
    high: float
    first: float
    last: float
    area: float
    held: int
    increase: float


NAMES = tuple(field.name for field in fields(Told))

Raw = tuple[int, float, int]
"""Time in ms, value, quality."""


def in_order(readings: Sequence[Raw]) -> list[tuple[int, float]]:
    """By time; what is no value is NaN, and stands behind values of the same time."""
    cleaned = [(at, value if quality >= 64 else math.nan) for at, value, quality in readings]
    return sorted(cleaned, key=lambda one: (one[0], math.isnan(one[1]), 0.0 if math.isnan(one[1]) else one[1]))


def told(readings: Sequence[Raw], begin: int, end: int, hold_ms: int = HOLD_MS, *, inner: bool = False) -> Told:
    """Figures of `[begin, end)`. `inner`: only what happened between the first and the last row inside it."""
    rows = in_order(readings)
    inside = [(at, value) for at, value in rows if begin <= at < end]
    values = [value for _, value in inside if not math.isnan(value)]
    area, held = 0.0, 0
    low_edge, high_edge = (inside[0][0], inside[-1][0]) if inner and inside else (begin, end)
    for index, (at, value) in enumerate(rows):
        following = rows[index + 1][0] if index + 1 < len(rows) else at + hold_ms
        upto = min(following, at + hold_ms)
        span = max(0, min(upto, high_edge) - max(at, low_edge))
        if not math.isnan(value) and (not inner or inside):
            area += value * span
            held += span
    increase, before = 0.0, math.nan
    for at, value in rows:
        if math.isnan(value):
            continue
        if begin <= at < end and not math.isnan(before):
            increase += value - before if value >= before else value
        before = value if not inner or begin <= at < end else math.nan
    return Told(
        len(values),
        sum(values),
        min(values, default=math.nan),
        max(values, default=math.nan),
        values[0] if values else math.nan,
        values[-1] if values else math.nan,
        area if not inner or inside else 0.0,
        held if not inner or inside else 0,
        increase,
    )


def as_rows(readings: Sequence[Raw], series: int = 1) -> Rows:
    """Readings of one series as an array."""
    rows = np.zeros(len(readings), READING)
    for index, (at, value, quality) in enumerate(readings):
        rows[index] = (series, at, value, quality)
    return rows


def streams(most_ms: int = 600_000) -> st.SearchStrategy[list[Raw]]:
    """Readings in any order: equal times, unknown values, bad qualities, counters that begin anew."""
    value = st.one_of(st.integers(0, 50).map(float), st.just(math.nan), st.floats(-100, 100))
    at = st.one_of(st.integers(0, most_ms - 1), st.integers(0, most_ms // 15_000 - 1).map(lambda n: n * 15_000))
    return st.lists(st.tuples(at, value, st.sampled_from([192, 192, 192, 64, 0])), max_size=60)
