"""Query: the newest values of many series, and a day of one series out of many rows.

The limit is the same rows, in the same order, from a table that holds nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from benchmarks.figures import Figure, Order, figure
from benchmarks.site import Site
from cloud.storage import readings
from cloud.storage.queries import load
from cloud.storage.readings import Readings

ROWS: Final = 5_000_000
QUICK: Final = 50_000
SERIES: Final = 1_000
LATEST: Final = 10_000
LATEST_QUICK: Final = 200
_CHUNK: Final = 200_000
_PER_DEVICE: Final = 10
_DAY: Final = timedelta(days=1)
_DAYS: Final = 5
_ASKED: Final = 10


def run(order: Order) -> Iterator[Figure]:
    """`query-latest` (10,000 series) and `query-day` (one series out of `--rows`), in milliseconds."""
    with Site(order) as site:
        yield _latest(order, site, LATEST_QUICK if order.quick else LATEST)
        yield _day(order, site, order.rows or (QUICK if order.quick else ROWS))


def _latest(order: Order, site: Site, series: int) -> Figure:
    _fill_registry(site, series)
    devices = [row["id"] for row in site.rows("SELECT id FROM device")]
    runs, limits = [], []
    for number in range(order.repeats + 1):
        value = _asked(site, load("devices")["latest"], {"ids": devices}, series)
        limit = _asked(site, "SELECT * FROM bench_latest", {}, series)
        if number:
            runs.append(value)
            limits.append(limit)
    return figure("query-latest", "ms", runs, limits)


def _day(order: Order, site: Site, rows: int) -> Figure:
    """Rows of five days, evenly over `SERIES` series, in the order in which they would have come."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    began = today - _DAYS * _DAY
    order.tell("liandong.bench.loading", rows=rows)
    _load(site, began, rows)
    day = {"begin": began + 2 * _DAY, "end": began + 3 * _DAY}
    found: dict[str, Any] = {"series_id": SERIES // 2, **day}
    site.run("DROP TABLE IF EXISTS bench_day")
    with site.database.transaction() as tx:
        tx.execute(
            """CREATE TABLE bench_day AS SELECT ts, value, quality FROM reading
            WHERE series_id = %(series_id)s AND ts >= %(begin)s AND ts < %(end)s ORDER BY ts""",
            found,
        )
    count = site.rows("SELECT count(*) AS n FROM bench_day")[0]["n"]
    runs, limits = [], []
    for number in range(order.repeats + 1):
        value = _asked(site, load("readings")["history"], found | {"limit": count + 1}, count)
        limit = _asked(site, "SELECT ts, value, quality FROM bench_day", {}, count)
        if number:
            runs.append(value)
            limits.append(limit)
    return figure("query-day", "ms", runs, limits)


def _asked(site: Site, statement: Any, params: dict[str, Any], rows: int) -> float:
    """Milliseconds of the middle one of a few, rows fetched."""
    spent = []
    with site.database.transaction() as tx:
        for _ in range(_ASKED):
            began = time.perf_counter()
            found = tx.fetch(statement, params)
            spent.append((time.perf_counter() - began) * 1000)
            assert len(found) == rows
    return float(np.median(spent))


def _fill_registry(site: Site, series: int) -> None:
    """Devices of ten series each, with a newest value, as births and ingest would have made them."""
    devices = series // _PER_DEVICE
    with site.database.transaction() as tx:
        tx.execute("INSERT INTO gateway (group_code, code) VALUES ('bench', 'gw-0')")
        tx.execute(
            """INSERT INTO device (gateway_id, code)
            SELECT gateway.id, 'device-' || number FROM gateway, generate_series(1, %(devices)s) number""",
            {"devices": devices},
        )
        tx.execute(
            """INSERT INTO series (device_id, metric, datatype, unit)
            SELECT device.id, 'channel-' || number, 10, 'Cel' FROM device, generate_series(1, %(each)s) number""",
            {"each": _PER_DEVICE},
        )
        tx.execute(
            """INSERT INTO latest (series_id, ts, value, received_at)
            SELECT id, now(), round((20 + random())::numeric, 1), now() FROM series"""
        )
        tx.execute(
            """CREATE TABLE bench_latest AS
            SELECT series.device_id, series.metric, series.datatype, series.unit, ts, value, text, quality
            FROM series JOIN latest ON latest.series_id = series.id ORDER BY series.metric"""
        )
    site.run("ANALYZE")


def _load(site: Site, began: datetime, rows: int) -> None:
    """A reading of every series in turn; values drift by tenths."""
    step_ms = max(1, int(_DAYS * _DAY / timedelta(milliseconds=1) / max(1, rows // SERIES)))
    first_ms = int(began.timestamp() * 1000)
    chance = np.random.default_rng(1)
    for start in range(0, rows, _CHUNK):
        number = np.arange(start, min(rows, start + _CHUNK))
        chunk = Readings(
            at_ms=(first_ms + number // SERIES * step_ms).astype(np.int64),
            series=(number % SERIES + 1).astype(np.int32),
            value=np.round(20 + np.cumsum(chance.choice([-0.1, 0.0, 0.1], len(number))), 1),
            quality=np.full(len(number), 192, dtype=np.int16),
        )
        with site.database.transaction() as tx:
            readings.append(tx, chunk)
    site.run("ANALYZE")
