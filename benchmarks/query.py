"""Query: the newest values of many series, a day of one series out of many rows, a month of its hours, bytes a reading.

The limit is the same rows, in the same order, from a table that holds nothing else; of bytes, the rows without index.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.figures import Figure, Order, figure
from benchmarks.site import Site
from cloud.history.summary import DAY_MS, HOUR_MS, MINUTE_MS, SUMMARY
from cloud.storage import readings
from cloud.storage.database import Transaction
from cloud.storage.history import Past
from cloud.storage.packed import copy_in
from cloud.storage.queries import load
from cloud.storage.readings import Readings
from cloud.storage.rollups import SUMMARIES, Level

ROWS: Final = 5_000_000
QUICK: Final = 50_000
LATEST: Final = 10_000
LATEST_QUICK: Final = 200
_CHUNK: Final = 200_000
_PER_DEVICE: Final = 10
_DAYS: Final = 7
_PER_SERIES: Final = _DAYS * 1440
_MONTH: Final = 31
_ASKED: Final = 20
_UTC: Final = ZoneInfo("UTC")


def run(order: Order) -> Iterator[Figure]:
    """`query-latest` (10,000 series); of `--rows`, a reading a minute and series: day, month (ms), bytes a reading."""
    with Site(order) as site:
        yield _latest(order, site, LATEST_QUICK if order.quick else LATEST)
        rows = order.rows or (QUICK if order.quick else ROWS)
        series = max(1, rows // _PER_SERIES)
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        order.tell("liandong.bench.loading", rows=rows)
        _load(site, _ms(today) - _DAYS * DAY_MS, series, min(rows, series * _PER_SERIES))
        _load_hours(site, _ms(today) - _MONTH * DAY_MS, series)
        yield _day(order, site, series, _ms(today))
        yield _month(order, site, series, _ms(today))
        yield _bytes(site)


def _latest(order: Order, site: Site, series: int) -> Figure:
    _fill_registry(site, series)
    which: dict[str, Any] = {"metric": None, "paths": [], "below": [], "unplaced": True, "most": series}
    bare = """SELECT json_build_object('device_id', json_agg(device_id), 'metric', json_agg(metric),
        'unit', json_agg(unit), 'ms', json_agg(ms), 'value', json_agg(value), 'text', json_agg(text),
        'quality', json_agg(quality))::text AS found FROM bench_latest"""

    def all_values(statement: Any, params: dict[str, Any]) -> Callable[[Transaction], int]:
        return lambda tx: tx.fetch(statement, params)[0]["found"].count("Cel")

    return _beside(
        "query-latest", order, site, all_values(load("history")["latest"], which), all_values(bare, {}), series
    )


def _day(order: Order, site: Site, series: int, today: int) -> Figure:
    """A day of one series, as a chart or an export reads it."""
    one, begin = series // 2 + 1, today - 3 * DAY_MS
    _keep(site, "bench_day", "reading", "ts", one, begin, DAY_MS)
    return _beside(
        "query-day",
        order,
        site,
        lambda tx: len(_past(tx, one).readings(begin, begin + DAY_MS)),
        lambda tx: len(tx.fetch("SELECT ts, value, quality FROM bench_day")),
    )


def _month(order: Order, site: Site, series: int, today: int) -> Figure:
    """The hours of 31 days of one series, what is not made yet looked for too."""
    one, begin = series // 2 + 1, today - _MONTH * DAY_MS
    _keep(site, "bench_month", "rollup_hour", "bucket", one, begin, _MONTH * DAY_MS)
    return _beside(
        "query-month",
        order,
        site,
        lambda tx: len(_past(tx, one).rows(Level.HOUR, begin, begin + _MONTH * DAY_MS)),
        lambda tx: len(tx.fetch("SELECT * FROM bench_month")),
    )


def _bytes(site: Site) -> Figure:
    """What a reading takes on the disk with its index, and without."""
    with site.database.transaction() as tx:
        found = tx.one(load("editions")["size"])
    assert found is not None
    return figure("query-bytes", "bytes", [found["whole"] / found["rows"]], [found["bare"] / found["rows"]])


def _beside(
    name: str,
    order: Order,
    site: Site,
    value: Callable[[Transaction], int],
    limit: Callable[[Transaction], int],
    rows: int | None = None,
) -> Figure:
    """Both, in turn; the first turn warms up. Both must find the same number of rows."""
    runs, limits = [], []
    for number in range(order.repeats + 1):
        found = [_asked(site, one) for one in (value, limit)]
        assert {count for _, count in found} == {rows if rows is not None else found[0][1]} != {0}
        if number:
            runs.append(found[0][0])
            limits.append(found[1][0])
    return figure(name, "ms", runs, limits)


def _asked(site: Site, question: Callable[[Transaction], int]) -> tuple[float, int]:
    """Milliseconds of the middle one of some, and rows found."""
    spent, count = [], 0
    with site.database.transaction() as tx:
        for _ in range(_ASKED):
            began = time.perf_counter()
            count = question(tx)
            spent.append((time.perf_counter() - began) * 1000)
    return float(np.median(spent)), count


def _past(tx: Transaction, series: int) -> Past:
    return Past(tx=tx, series=series, zone=_UTC, now=datetime.now(UTC))


def _keep(site: Site, table: str, source: str, time_column: str, series: int, begin: int, span: int) -> None:
    """The rows of one series and span in a table that holds nothing else."""
    site.run(
        f"""CREATE TABLE {table} AS SELECT * FROM {source} WHERE series_id = {series}
        AND {time_column} >= to_timestamp({begin / 1000}) AND {time_column} < to_timestamp({(begin + span) / 1000})
        ORDER BY {time_column}"""
    )


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
            SELECT series.device_id, series.metric, series.unit, 0::bigint AS ms, value, text, quality
            FROM series JOIN latest ON latest.series_id = series.id ORDER BY series.device_id, series.metric"""
        )
    site.run("ANALYZE")


def _load(site: Site, first_ms: int, series: int, rows: int) -> None:
    """A reading of every series in turn, minute by minute, as they would have come; values drift by tenths."""
    chance = np.random.default_rng(1)
    for start in range(0, rows, _CHUNK):
        number = np.arange(start, min(rows, start + _CHUNK))
        chunk = Readings(
            at_ms=(first_ms + number // series * MINUTE_MS).astype(np.int64),
            series=(number % series + 1).astype(np.int32),
            value=np.round(20 + np.cumsum(chance.choice([-0.1, 0.0, 0.1], len(number))), 1),
            quality=np.full(len(number), 192, dtype=np.int16),
        )
        with site.database.transaction() as tx:
            readings.append(tx, chunk)
    site.run("TRUNCATE rollup_mark", "SET LOCAL statement_timeout = '20min'; ANALYZE")


def _load_hours(site: Site, first_ms: int, series: int) -> None:
    """Hours of a month, hour by hour, as the roller makes them."""
    rows = np.zeros(series, SUMMARY)
    rows["series"] = np.arange(1, series + 1)
    rows["count"], rows["carries"], rows["total"] = 60, True, 1200.0
    for hour in range(_MONTH * 24):
        rows["bucket"] = rows["begins"] = first_ms + hour * HOUR_MS
        rows["ends"] = rows["begins"] + 59 * MINUTE_MS
        for name in ("low", "high", "first", "last"):
            rows[name] = hour
        with site.database.transaction() as tx:
            copy_in(tx, SUMMARIES, Level.HOUR.statement("copy"), rows)
    site.run("ANALYZE rollup_hour")


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
