"""Figures that can be worked out by hand: means weighted by time, counters over borders, days with 23 to 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from cloud.history.figures import Figures, as_ms, day_edges, over
from cloud.history.summary import HOLD_MS, HOUR_MS, MINUTE_MS, joined, of_readings
from cloud.storage.rollups import Level, bucket_end
from tests.unit.history.told import Raw, as_rows

TEN = round(datetime(2026, 10, 24, 10, tzinfo=UTC).timestamp() * 1000)


def at(minute: float, value: float) -> Raw:
    """A good reading so many minutes after ten o'clock."""
    return (TEN + round(minute * MINUTE_MS), value, 192)


def hours(readings: list[Raw], count: int) -> Figures:
    """Figures of the hours from ten o'clock, made from minutes as the roller makes them."""
    rows = of_readings(as_rows(readings))
    minutes = joined(rows, rows["bucket"] // MINUTE_MS * MINUTE_MS, HOLD_MS)
    edges = TEN + np.arange(count + 1, dtype=np.int64) * HOUR_MS
    return over(minutes, edges, HOLD_MS, int(edges[-1]))


def test_a_mean_weighted_by_time_counts_how_long_a_value_held() -> None:
    found = hours([at(0, 10.0), at(50, 40.0)], 1)
    assert found.mean.tolist() == [25.0]
    assert found.weighted.tolist() == [(10 * 50 + 40 * 10) / 60]


def test_a_value_holds_on_into_the_next_hour() -> None:
    found = hours([at(0, 10.0), at(50, 40.0), at(75, 0.0)], 2)
    assert found.weighted[1] == pytest.approx((40 * 15 + 0 * 45) / 60)
    assert found.mean[1] == 0.0


@pytest.mark.parametrize("minute", [59.9, 60, 60.1])
def test_a_counter_that_begins_anew_beside_a_border_loses_nothing(minute: float) -> None:
    """100 units before, 8 after it began anew at zero; the first that it shows then is its gain."""
    found = hours([at(1, 500.0), at(30, 600.0), at(minute, 3.0), at(90, 8.0)], 2)
    assert found.increase.sum() == 100 + 3 + 5
    assert found.increase.tolist() == ([103, 5] if minute < 60 else [100, 8])


def test_what_a_counter_gained_over_a_border_is_the_later_hours() -> None:
    assert hours([at(30, 100.0), at(70, 130.0), at(110, 140.0)], 2).increase.tolist() == [0, 40]


@pytest.mark.parametrize(
    ("zone", "begin", "lengths"),
    [
        ("Asia/Shanghai", datetime(2026, 3, 28, tzinfo=UTC), [24, 24, 24]),
        ("Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), [24, 23, 24]),
        ("Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), [24, 25, 24]),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 12, tzinfo=UTC), [24, 23.5, 24]),
        ("America/Santiago", datetime(2026, 9, 5, 12, tzinfo=UTC), [24, 23, 24]),
        ("Asia/Kathmandu", datetime(2026, 3, 28, 12, tzinfo=UTC), [24, 24, 24]),
    ],
)
def test_days_are_as_long_as_the_zones_clocks_make_them(zone: str, begin: datetime, lengths: list[float]) -> None:
    here = ZoneInfo(zone)
    local = begin.astimezone(here)
    edges = as_ms(day_edges(begin, datetime.fromtimestamp(begin.timestamp() + 2 * 86_400, UTC), here))
    assert (np.diff(edges) / HOUR_MS).tolist() == lengths
    assert datetime.fromtimestamp(edges[0] / 1000, here).date() == local.date()
    assert [bucket_end(Level.DAY, int(edge), here) for edge in edges[:-1]] == edges[1:].tolist()


def test_a_day_with_25_hours_has_25_hours_of_power() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin = round(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp() * 1000)
    raw = [(begin + n * 30 * MINUTE_MS, float(n), 192) for n in range(25 * 2 + 4)]
    rows = of_readings(as_rows(raw))
    made = joined(rows, rows["bucket"] // HOUR_MS * HOUR_MS, HOLD_MS)
    edges = np.array([begin, bucket_end(Level.DAY, begin, berlin)], dtype=np.int64)
    found = over(made[made["bucket"] < edges[1]], edges, HOLD_MS, int(edges[1]))
    assert found.held.tolist() == [25 * HOUR_MS]
    assert found.count.tolist() == [50]
    assert found.increase.tolist() == [49]
