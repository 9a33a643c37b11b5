"""Readings in the order of series and time: an index takes them best so, and the newest of each stands last."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_SHORT: Final = 1 << 16
"""Keys of 16 bits are sorted by counting, in a quarter of the time."""


def by_series_and_time(series: NDArray[np.int32], at_ms: NDArray[np.int64]) -> NDArray[np.intp]:
    """The places of readings by series, then by time; of equals the one that came first stands first."""
    if not len(series) or _in_order(series, at_ms):
        return np.arange(len(series))
    lowest = int(series.min())
    narrow = int(series.max()) - lowest < _SHORT
    order = np.argsort((series - lowest).astype(np.uint16) if narrow else series, kind="stable")
    if not _in_order(series[order], at_ms[order]):
        order = np.lexsort((at_ms, series))
    return order


def last_of_each(series: NDArray[np.int32]) -> NDArray[np.intp]:
    """Where the last reading of each series stands, in readings that are in order."""
    ends = np.ones(len(series), dtype=bool)
    ends[:-1] = series[1:] != series[:-1]
    return np.flatnonzero(ends)


def _in_order(series: NDArray[np.int32], at_ms: NDArray[np.int64]) -> bool:
    same = series[1:] == series[:-1]
    return bool(((series[1:] > series[:-1]) | (same & (at_ms[1:] >= at_ms[:-1]))).all())
