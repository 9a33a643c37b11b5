"""An export holds a page, not the rows: what it takes does not grow with what it gives."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from cloud.api.export import FORMS, Format
from cloud.registry import births
from cloud.registry.births import SeriesSpec
from cloud.storage import export as pages
from cloud.storage import readings
from cloud.storage.database import Database
from cloud.storage.export import Export, Source
from cloud.storage.readings import Readings
from protocols.sparkplug.datatype import DataType

ROWS = 120_000
FIRST = round(datetime(2026, 5, 1, tzinfo=UTC).timestamp() * 1000)


def export(database: Database, rows: int) -> Export:
    with database.transaction() as tx:
        device = births.ensure_device(tx, ("estate", "gw"), "")
        specs = [SeriesSpec(metric=f"m{rows}", datatype=int(DataType.DOUBLE))]
        (series,) = births.series(tx, device.device_id, specs).values()
        numbers = np.arange(rows)
        columns = Readings(
            at_ms=FIRST + numbers * 100,
            series=np.full(rows, series, dtype=np.int32),
            value=np.random.default_rng(1).random(rows),
            quality=np.full(rows, 192, dtype=np.int16),
        )
        readings.append(tx, columns)
    source = Source(id=series, device="d", type=None, metric="m", unit="", datatype=int(DataType.DOUBLE))
    return Export(
        database=database,
        sources=[source],
        level=None,
        begin=FIRST,
        end=FIRST + rows * 100,
        zone=ZoneInfo("Asia/Shanghai"),
        now=datetime(2026, 6, 1, tzinfo=UTC),
    )


def peak(given: Export, form: Format) -> tuple[int, int]:
    """Most bytes held at once, of Python's and Arrow's memory, and bytes given."""
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    held = sent = 0
    for piece in FORMS[form](given):
        sent += len(piece)
        held = max(held, pa.total_allocated_bytes() - before)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return python + held, sent


@pytest.mark.parametrize("form", list(FORMS))
def test_memory_does_not_grow_with_the_rows(database: Database, monkeypatch: pytest.MonkeyPatch, form: Format) -> None:
    monkeypatch.setattr(pages, "PAGE_ROWS", 5_000)
    monkeypatch.setattr("cloud.api.export.GROUP_ROWS", 10_000)
    small, large = export(database, ROWS // 6), export(database, ROWS)
    peak(small, form)  # what is loaded once
    few, little = peak(small, form)
    many, much = peak(large, form)
    assert much > 5 * little
    assert many < 1.5 * few + 200_000
