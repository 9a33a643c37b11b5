"""Readings as columns, appended by binary COPY; `cloud.storage.history` reads them.

No duplicate is looked for here; the received sets decide before (`cloud.storage.received`). The same statements run on
all editions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.storage.columnstore import copy_directly, worth_columns
from cloud.storage.database import Transaction
from cloud.storage.order import by_series_and_time, last_of_each
from cloud.storage.packed import COPY_HEADER, COPY_TRAILER, EPOCH_2000_MS
from cloud.storage.queries import load
from cloud.storage.rollups import mark

MAX_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, beyond which Python has no dates."""

_HEAD: Final = [("fields", ">i2"), ("ts_size", ">i4"), ("ts", ">i8"), ("series_size", ">i4"), ("series", ">i4")]
_QUALITY: Final = [("quality_size", ">i4"), ("quality", ">i2")]
_ROW: Final = np.dtype([*_HEAD, ("value_size", ">i4"), ("value", ">f8"), *_QUALITY])
_NULL_ROW: Final = np.dtype([*_HEAD, ("value_size", ">i4"), *_QUALITY])


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Columns of equal length. `at_ms`: ms since 1970 UTC, 0 … `MAX_MS`; `value`: NaN = known to be unknown (NULL)."""

    at_ms: NDArray[np.int64]
    series: NDArray[np.int32]
    value: NDArray[np.float64]
    quality: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.at_ms)

    def at(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Readings:
        """Some of them, in the order of `rows`."""
        return Readings(
            at_ms=self.at_ms[rows], series=self.series[rows], value=self.value[rows], quality=self.quality[rows]
        )


NO_READINGS: Final = Readings(
    at_ms=np.empty(0, np.int64),
    series=np.empty(0, np.int32),
    value=np.empty(0, np.float64),
    quality=np.empty(0, np.int16),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReading:
    """A value that is text."""

    series_id: int
    at_ms: int
    value: str
    quality: int


def append(tx: Transaction, readings: Readings) -> None:
    """Add `readings` to the table, as one COPY, and mark what is to be rolled up."""
    if not len(readings):
        return
    if worth_columns(readings.series):
        copy_directly(tx)
    with tx.connection.cursor() as cursor, cursor.copy(load("readings")["copy"]) as copy:
        copy.write(copy_bytes(readings))
    mark(tx, readings.series, readings.at_ms)


def append_texts(tx: Transaction, texts: Sequence[TextReading]) -> None:
    """Add readings whose value is text."""
    if not texts:
        return
    columns = {
        "series": [text.series_id for text in texts],
        "at_ms": [text.at_ms for text in texts],
        "value": [text.value.replace("\x00", "\ufffd") for text in texts],
        "quality": [text.quality for text in texts],
    }
    tx.execute(load("readings")["append_texts"], columns)


def touch_latest(tx: Transaction, readings: Readings, texts: Sequence[TextReading], received_ms: int) -> None:
    """Keep the newest value of each series, by observation time; of two with the same time the one that came last."""
    last: dict[int, TextReading] = {}
    for text in texts:
        if text.series_id not in last or last[text.series_id].at_ms <= text.at_ms:
            last[text.series_id] = text
    told = list(last.values())  # before the numbers: the array of texts is shorter, and gives NULL from there on
    if not told and not len(readings):
        return
    numbers = readings.at(_newest(readings))
    columns = {
        "series": _array([*(one.series_id for one in told), *numbers.series.tolist()]),
        "at_ms": _array([*(one.at_ms for one in told), *numbers.at_ms.tolist()]),
        "value": _array([*(math.nan for _ in told), *numbers.value.tolist()]),
        "text": [one.value.replace("\x00", "\ufffd") for one in told],
        "quality": _array([*(one.quality for one in told), *numbers.quality.tolist()]),
        "received_ms": received_ms,
    }
    tx.execute(load("readings")["touch_latest"], columns)


def _array(numbers: Sequence[float]) -> str:
    """Numbers as PostgreSQL writes an array, NaN as NULL: for a list the driver takes a step per value."""
    return "{" + str(numbers)[1:-1].replace("nan", "NULL") + "}"


def copy_bytes(readings: Readings) -> bytes:
    """`readings` in PostgreSQL's binary COPY format (columns ts, series_id, value, quality)."""
    known = ~np.isnan(readings.value)
    if known.all():
        return b"".join((COPY_HEADER, _rows(readings, _ROW).tobytes(), COPY_TRAILER))
    some, none = readings.at(known), readings.at(~known)
    return b"".join((COPY_HEADER, _rows(some, _ROW).tobytes(), _rows(none, _NULL_ROW).tobytes(), COPY_TRAILER))


def _rows(readings: Readings, shape: np.dtype[np.void]) -> NDArray[np.void]:
    rows = np.empty(len(readings), dtype=shape)
    rows["fields"], rows["ts_size"], rows["series_size"], rows["quality_size"] = 4, 8, 4, 2
    rows["ts"] = (readings.at_ms - EPOCH_2000_MS) * 1000
    rows["series"] = readings.series
    rows["quality"] = readings.quality
    if shape is _NULL_ROW:
        rows["value_size"] = -1
    else:
        rows["value_size"] = 8
        rows["value"] = readings.value
    return rows


def _newest(readings: Readings) -> NDArray[np.intp]:
    """Where the newest reading of each series stands, by rising series."""
    order = by_series_and_time(readings.series, readings.at_ms)
    newest: NDArray[np.intp] = order[last_of_each(readings.series[order])]
    return newest
