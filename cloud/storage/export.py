"""Whole pasts of many series, page by page: memory holds a page, however many rows there are.

Every page is a transaction of its own. So a slow reader holds neither a snapshot nor a connection while it reads; what
comes late during an export may be missing from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from cloud.history.figures import over
from cloud.history.summary import DAY_MS
from cloud.storage.chart import edges_of
from cloud.storage.database import Database
from cloud.storage.history import Past
from cloud.storage.kinds import kind_of
from cloud.storage.packed import fetch
from cloud.storage.queries import load
from cloud.storage.rollups import READINGS, Level, moment

PAGE_ROWS: Final = 50_000
_WINDOW_DAYS: Final = {Level.MINUTE: 14, Level.HOUR: 366, Level.DAY: 3660}
_NAMED: Final = [("device", pa.string()), ("metric", pa.string()), ("unit", pa.string())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A series that is exported."""

    id: int
    device: str
    type: str | None
    metric: str
    unit: str
    datatype: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What is exported: readings, or figures per `level`. Times in ms; `zone` is that of days and of local times."""

    database: Database
    sources: Sequence[Source]
    level: Level | None
    begin: int
    end: int
    zone: ZoneInfo
    now: datetime

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        time = [("time", pa.timestamp("ms", tz=self.zone.key))]
        if self.level is None:
            return pa.schema([*_NAMED, *time, ("value", pa.float64()), ("quality", pa.int16())])
        numbers = [(name, pa.float64()) for name in ("mean", "weighted", "low", "high", "first", "last", "increase")]
        return pa.schema([*_NAMED, *time, ("count", pa.int64()), ("held_s", pa.int64()), *numbers])

    def pages(self) -> Iterator[pa.RecordBatch]:
        """Series by series, oldest first; raises UnavailableError when the database goes away in the middle."""
        for source in self.sources:
            yield from self._readings(source) if self.level is None else self._figures(source, self.level)

    def _readings(self, source: Source) -> Iterator[pa.RecordBatch]:
        begin, skip = self.begin, 0
        while True:
            which = {"series": source.id, "begin": moment(begin), "end": moment(self.end)}
            with self.database.transaction() as tx:
                page = fetch(tx, READINGS, load("history")["page"], which | {"skip": skip, "most": PAGE_ROWS})
            if len(page):
                page = page[np.argsort(page["ts"], kind="stable")]
                yield self._batch(source, page["ts"], {"value": page["value"], "quality": page["quality"]})
            if len(page) < PAGE_ROWS:
                return
            last = int(page["ts"][-1])
            same = int((page["ts"] == last).sum())
            begin, skip = last, same + (skip if last == begin else 0)

    def _figures(self, source: Source, level: Level) -> Iterator[pa.RecordBatch]:
        kind = kind_of(source.metric, source.datatype, source.type)
        window = _WINDOW_DAYS[level] * DAY_MS
        now = round(self.now.timestamp() * 1000)
        for begin in range(self.begin, self.end, window):
            with self.database.transaction() as tx:
                past = Past(tx=tx, series=source.id, zone=self.zone, now=self.now)
                edges = edges_of(past, level, begin, min(begin + window, self.end))
                edges = edges[
                    (edges >= begin) | (begin == self.begin)
                ]  # what began before belongs to the window before
                if len(edges) < 2:
                    continue
                rows = past.rows(level, int(edges[0]), int(edges[-1]))
                found = over(np.concatenate([past.before(int(edges[0])), rows]), edges, kind.hold_ms, now)
            known = (found.count > 0) | (found.held > 0)
            if known.any():
                numbers = {name: getattr(found, name)[known] for name in self.schema.names[6:]}
                counted = {"count": found.count[known], "held_s": found.held[known] // 1000}
                yield self._batch(source, found.begins[known], counted | numbers)

    def _batch(self, source: Source, at_ms: np.ndarray, numbers: dict[str, np.ndarray]) -> pa.RecordBatch:
        schema, n = self.schema, len(at_ms)
        named = [pa.repeat(text, n) for text in (source.device, source.metric, source.unit)]
        time = pa.array(at_ms, pa.int64()).cast(schema.field("time").type)
        columns = [pa.array(numbers[name], schema.field(name).type, from_pandas=True) for name in schema.names[4:]]
        return pa.record_batch([*named, time, *columns], schema=schema)
