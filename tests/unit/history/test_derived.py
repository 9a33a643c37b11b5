"""Figures that follow from the past, on cases whose answers are known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cloud.history.derived import Demand, anomaly, demand, night_leak, pattern, stock_out, time_above
from cloud.history.summary import HOUR_MS, MINUTE_MS, of_readings
from tests.unit.history.told import as_rows

NAN = math.nan


def test_a_usual_day_is_the_middle_of_the_days() -> None:
    days = np.array([[float(10 * hour + day) for hour in range(24)] for day in range(5)])
    usual = pattern(days)
    assert usual is not None
    assert usual.days == 5
    assert usual.middle.tolist() == [10.0 * hour + 2 for hour in range(24)]
    assert (usual.low[3], usual.high[3]) == (31.0, 33.0)


def test_four_days_are_no_habit_and_empty_days_do_not_count() -> None:
    days = np.vstack([np.ones((4, 24)), np.full((3, 24), NAN)])
    assert pattern(days) is None


def test_an_hour_that_is_never_known_stays_unknown() -> None:
    days = np.ones((6, 24))
    days[:, 7] = NAN
    usual = pattern(days)
    assert usual is not None
    assert math.isnan(usual.middle[7])
    assert math.isnan(anomaly(days, usual)[7])


def test_out_of_the_ordinary_in_robust_deviations() -> None:
    days = np.tile(np.array([[98.0], [99.0], [100.0], [101.0], [102.0], [100.0]]), (1, 24))
    days = np.vstack([days, np.full((1, 24), 100.0)])
    days[-1, 5], days[-1, 6] = 130.0, 70.0
    score = anomaly(days, pattern(days))
    # Middle 100, median absolute deviation 1 → 1.48, but at least a twentieth of the middle: 5.
    assert score[4] == 0.0
    assert score[5] == pytest.approx(6.0)
    assert score[6] == pytest.approx(-6.0)


def test_too_little_is_no_score() -> None:
    assert np.isnan(anomaly(np.ones((3, 24)), None)).all()
    nothing = np.zeros((7, 24))
    assert anomaly(nothing, pattern(nothing)).tolist() == [0.0] * 24


def test_a_steady_week_is_forecast_without_error() -> None:
    week = [10.0, 12.0, 11.0, 13.0, 20.0, 40.0, 35.0]
    expected = demand(np.array(week * 4))
    assert expected is not None
    assert expected.coming.tolist() == pytest.approx(week)
    assert expected.error == pytest.approx(0.0)


def test_the_error_is_what_the_forecast_missed_by() -> None:
    expected = demand(np.array([10.0] * 14 + [14.0] * 7))
    assert expected is not None
    # Days 7 to 13 are forecast exactly; days 14 to 20 by 10, four too few.
    assert expected.error == pytest.approx(2.0)
    assert expected.coming[0] == pytest.approx((14 + 0.7 * 10 + 0.49 * 10) / 2.19)


def test_two_weeks_are_needed_and_days_before_the_first_do_not_count() -> None:
    assert demand(np.full(13, 5.0)) is None
    assert demand(np.array([NAN] * 10 + [5.0] * 13)) is None
    assert demand(np.full(20, NAN)) is None
    known = demand(np.array([NAN] * 10 + [5.0] * 14))
    assert known is not None
    assert known.days == 14


@pytest.mark.parametrize(
    ("stock", "error", "wanted"),
    [
        (25, 0.0, (2.5, 2.5, 2.5)),
        (0, 0.0, (0.0, 0.0, 0.0)),
        (30, 5.0, (3.0, 2.0, 6.0)),
        (75, 0.0, (7.5, 7.5, 7.5)),
        (30, 10.0, (3.0, 1.5, math.inf)),
    ],
)
def test_when_the_stock_is_gone(stock: float, error: float, wanted: tuple[float, float, float]) -> None:
    found = stock_out(stock, Demand(coming=np.full(7, 10.0), error=error, days=28))
    assert (found.days, found.early, found.late) == pytest.approx(wanted)


def test_water_that_never_stands_still_at_night() -> None:
    nights = np.zeros((6, 24))
    nights[:, 8] = 0.2
    quiet = night_leak(nights)
    assert quiet is not None
    assert (quiet.leaking, quiet.nights) == (False, 0)
    nights[3:, 2:5] = 0.01
    found = night_leak(nights)
    assert found is not None
    assert (found.leaking, found.nights, found.least_per_hour) == (True, 3, 0.01)
    nights[4, 3] = 0.001  # one still hour in the second night: nothing leaks all the time
    found = night_leak(nights)
    assert found is not None
    assert (found.leaking, found.nights) == (False, 1)
    assert night_leak(np.full((3, 24), NAN)) is None


def test_time_above_is_counted_while_a_value_held() -> None:
    minute = MINUTE_MS
    rows = of_readings(
        as_rows(
            [
                (-5 * minute, 9.0, 192),  # above before the begin: only what lies inside counts
                (10 * minute, 5.0, 192),
                (20 * minute, 9.5, 192),
                (30 * minute, 10.0, 192),  # goes on: one stretch of 25 minutes
                (45 * minute, 8.0, 192),  # at the limit is not above it
                (50 * minute, 12.0, 192),
                (52 * minute, NAN, 192),  # nothing is known from here on
            ]
        )
    )
    found = time_above(rows, 8.0, 0, 60 * minute, HOUR_MS)
    assert found.above_ms == (10 + 25 + 2) * minute
    assert (found.longest_ms, found.times, found.highest) == (25 * minute, 3, 12.0)
    assert found.known_ms == 52 * minute


def test_silence_longer_than_the_hold_is_no_violation() -> None:
    rows = of_readings(as_rows([(0, 9.0, 192), (3 * HOUR_MS, 9.0, 192)]))
    found = time_above(rows, 8.0, 0, 4 * HOUR_MS, HOUR_MS)
    assert (found.above_ms, found.longest_ms, found.times) == (2 * HOUR_MS, HOUR_MS, 2)
    assert time_above(rows[:0], 8.0, 0, HOUR_MS, HOUR_MS).known_ms == 0
