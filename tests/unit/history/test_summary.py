"""Summaries joined in any way say what the readings say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.history.figures import gap_ms, over
from cloud.history.summary import HOLD_MS as HOUR_LONG
from cloud.history.summary import MINUTE_MS, SUMMARY, Rows, joined, of_readings
from tests.unit.history.told import HOLD_MS, NAMES, Raw, as_rows, streams, told

FIVE_MINUTES = 5 * MINUTE_MS


def by(rows: Rows, step_ms: int) -> Rows:
    return joined(rows, rows["bucket"] // step_ms * step_ms, HOLD_MS)


def same(found: Sequence[float], wanted: Sequence[float]) -> None:
    np.testing.assert_allclose(np.array(found, float), np.array(wanted, float), rtol=1e-9, atol=1e-6)


@given(streams(), st.randoms(use_true_random=False))
def test_minutes_from_any_order_and_hours_from_minutes(readings: list[Raw], chance: object) -> None:
    chance.shuffle(readings)  # type: ignore[attr-defined]
    minutes = by(of_readings(as_rows(readings)), MINUTE_MS)
    fives = by(minutes, FIVE_MINUTES)
    for rows, step in ((minutes, MINUTE_MS), (fives, FIVE_MINUTES)):
        assert sorted(rows["bucket"]) == sorted({at // step * step for at, _, _ in readings})
        for row in rows:
            begin = int(row["bucket"])
            wanted = told(readings, begin, begin + step, inner=True)
            same([row[name] for name in NAMES], list(astuple(wanted)))


@given(streams(), st.integers(0, 400_000), st.integers(1, 6))
def test_figures_over_any_edges(readings: list[Raw], begin: int, minutes: int) -> None:
    """Charts ask for stretches: what held before them, and across them where nothing was said, counts."""
    begin = begin // MINUTE_MS * MINUTE_MS
    edges = begin + np.arange(4, dtype=np.int64) * minutes * MINUTE_MS
    rows = by(of_readings(as_rows(readings)), MINUTE_MS)
    until = 10_000_000
    found = over(rows[rows["bucket"] < edges[-1]], edges, HOLD_MS, until)
    kept = [one for one in readings if one[0] < edges[-1]]
    for index in range(3):
        wanted = told(kept, int(edges[index]), int(edges[index + 1]))
        same(
            [found.count[index], found.held[index], found.increase[index]], [wanted.count, wanted.held, wanted.increase]
        )
        same([found.low[index], found.high[index]], [wanted.low, wanted.high])
        same([found.first[index], found.last[index]], [wanted.first, wanted.last])
        same([found.mean[index]], [wanted.total / wanted.count if wanted.count else math.nan])
        same([found.weighted[index]], [wanted.area / wanted.held if wanted.held else math.nan])


def test_two_series_never_touch() -> None:
    readings = np.concatenate([as_rows([(0, 5.0, 192), (1000, 7.0, 192)], 1), as_rows([(500, 90.0, 192)], 2)])
    one, two = joined(of_readings(readings), np.zeros(3, np.int64), HOLD_MS)
    assert (one["series"], one["increase"], one["held"], one["area"]) == (1, 2.0, 1000, 5000.0)
    assert (two["series"], two["increase"], two["held"]) == (2, 0.0, 0)


def test_nothing_is_known_after_now() -> None:
    rows = of_readings(as_rows([(0, 4.0, 192)]))
    edges = np.array([0, 10_000, 20_000], dtype=np.int64)
    found = over(rows, edges, HOLD_MS, 12_000)
    assert found.held.tolist() == [10_000, 2_000]
    assert over(rows[:0], edges, HOLD_MS, 12_000).count.tolist() == [0, 0]


def test_a_counter_that_begins_anew_gained_what_it_shows() -> None:
    rows = of_readings(as_rows([(0, 98.0, 192), (1, 99.0, 192), (2, math.nan, 192), (3, 2.0, 192), (4, 6.0, 192)]))
    (row,) = joined(rows, np.zeros(5, np.int64), HOLD_MS)
    assert row["increase"] == 1 + 2 + 4


@pytest.mark.parametrize(("every_s", "wanted_s"), [(1, 60), (10, 60), (60, 300), (3000, 3600)])
def test_silence_is_a_gap_by_what_is_usual(every_s: int, wanted_s: int) -> None:
    rows = of_readings(as_rows([(n * every_s * 1000, 1.0, 192) for n in range(100)]))
    assert gap_ms(rows, HOUR_LONG) == wanted_s * 1000
    assert gap_ms(joined(rows, rows["bucket"] // 600_000, HOUR_LONG), HOUR_LONG) == wanted_s * 1000
    assert gap_ms(rows[:1], HOUR_LONG) == HOUR_LONG


def test_no_rows_are_no_summaries() -> None:
    assert len(joined(np.zeros(0, SUMMARY), np.zeros(0, np.int64), HOLD_MS)) == 0
