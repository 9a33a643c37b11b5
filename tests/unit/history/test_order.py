"""The order of series and time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cloud.storage.order import by_series_and_time, last_of_each

ROWS = st.lists(st.tuples(st.sampled_from([1, 2, 3, 70_000, 2**31 - 1]), st.integers(0, 4)), max_size=30)


@given(ROWS)
def test_readings_stand_by_series_and_time_and_equals_as_they_came(rows: list[tuple[int, int]]) -> None:
    series = np.array([one for one, _ in rows], np.int32)
    at_ms = np.array([at for _, at in rows], np.int64)
    order = by_series_and_time(series, at_ms).tolist()
    assert order == sorted(range(len(rows)), key=lambda place: (rows[place], place))
    last = series[order][last_of_each(series[order])].tolist()
    assert last == sorted(set(series.tolist()))
