"""Reading the past of a series: from the coarsest summaries that serve, and from readings where none are made yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from cloud.history.summary import DAY_MS, HOUR_MS, MINUTE_MS, Rows, of_readings
from cloud.storage.database import Transaction
from cloud.storage.packed import fetch
from cloud.storage.queries import load
from cloud.storage.rollups import READINGS, Level, bucket_end, day_of, finest, moment, rows_of
from protocols.errors import RefusedError

MOST_READINGS: Final = 500_000
"""Readings of one question; who wants more exports them."""
LOOK_BACK_MS: Final = 31 * DAY_MS
"""So far back a value is looked for that still holds, or that a counter went on from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Reads one series inside one transaction. `now`: what is not over by then is not summarised yet."""

    tx: Transaction
    series: int
    zone: ZoneInfo
    now: datetime

    def readings(self, begin: int, end: int, most: int = MOST_READINGS) -> Rows:
        """Readings (`begin` <= time < `end`, ms) as summaries of their own, oldest first, at most `most`."""
        which = {"series": self.series, "begin": moment(begin), "end": moment(end), "most": most}
        return of_readings(fetch(self.tx, READINGS, load("history")["readings"], which))

    def before(self, begin: int) -> Rows:
        """What to put in front of rows that begin at `begin`: the last reading before it, and the last value."""
        back = moment(max(0, begin - LOOK_BACK_MS))
        which = {"series": self.series, "begin": moment(begin), "back": back}
        return of_readings(fetch(self.tx, READINGS, load("history")["before"], which))

    def rows(self, level: Level, begin: int, end: int) -> Rows:
        """Summaries of the whole span, none coarser than `level`; `begin` and `end` are edges of that level.

        What is not over yet, or waits for the roller, comes from finer summaries and from readings. Late readings that
        wait (seconds, unless the roller is behind) show when they are rolled up. Raises RefusedError when too many
        readings would have to be read.
        """
        return self._rows(level, begin, end, self._settled_until())

    def _rows(self, level: Level, begin: int, end: int, settled: int) -> Rows:
        if begin >= end:
            return of_readings(np.zeros(0, READINGS.row))
        edge = min(max(self._floor(level, settled), begin), end)
        if level is Level.MINUTE:
            parts = [finest(self.tx, [self.series], begin, edge)] if begin < edge else []
            return np.concatenate([*parts, self._finer(level, edge, end, settled)])
        missing = self._missing(level, begin, edge)
        stored = rows_of(self.tx, level, self.series, begin, edge)
        parts = [stored[~np.isin(stored["bucket"], missing)]]
        spans = [(bucket, min(bucket_end(level, bucket, self.zone), end)) for bucket in missing]
        parts += [self._finer(level, *span, settled) for span in spans]
        parts.append(self._finer(level, edge, end, settled))
        rows = np.concatenate(parts)
        return rows[np.lexsort((rows["ends"], rows["begins"]))] if missing else rows

    def _finer(self, level: Level, begin: int, end: int, settled: int) -> Rows:
        if level is Level.MINUTE:
            rows = self.readings(begin, end, MOST_READINGS + 1)
            if len(rows) > MOST_READINGS:
                raise RefusedError("cloud.history.too-many", most=MOST_READINGS)
            return rows
        return self._rows(Level(level - 1), begin, end, settled)

    def _missing(self, level: Level, begin: int, edge: int) -> list[int]:
        """What is over, and not made yet or to be made anew."""
        if begin >= edge:
            return []
        which = {"level": level, "series": self.series, "begin": moment(begin), "end": moment(edge)}
        return [row["bucket"] for row in self.tx.fetch(load("rollups")["due_of"], which)]

    def _settled_until(self) -> int:
        """Until when minutes tell all that came in time, ms: up to the oldest commit that waits for the roller."""
        row = self.tx.one(load("rollups")["waiting_since"])
        since = row["since"] if row is not None and row["since"] is not None else self.now
        return min(round(since.timestamp() * 1000), round(self.now.timestamp() * 1000)) - MINUTE_MS

    def _floor(self, level: Level, at_ms: int) -> int:
        if level is Level.DAY:
            return day_of(at_ms, self.zone)
        step = HOUR_MS if level is Level.HOUR else MINUTE_MS
        return at_ms // step * step
