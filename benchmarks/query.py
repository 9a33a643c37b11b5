"""Query: the newest values of many series, a day of one series out of many rows, a month of its hours, bytes a reading.

The limit is the same rows, in the same order, from a table that holds nothing else; of bytes, what a row would take
without index and without columns (PostgreSQL's header, four columns, what aligns them, and the pointer to it).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.figures import Figure, Order, figure
from benchmarks.site import Site
from cloud.history.summary import DAY_MS, HOUR_MS, MINUTE_MS, SUMMARY
from cloud.storage.columnstore import Condenser, copy_directly
from cloud.storage.database import Transaction
from cloud.storage.editions import size
from cloud.storage.history import Past
from cloud.storage.packed import copy_in
from cloud.storage.queries import load
from cloud.storage.readings import Readings, copy_bytes
from cloud.storage.rollups import SUMMARIES, Level

ROWS: Final = 100_000_000
QUICK: Final = 50_000
LATEST: Final = 10_000
LATEST_QUICK: Final = 200
_CHUNK: Final = 200_000
_FEWEST_ROUNDS: Final = 2
_MOST_ROUNDS: Final = 20
"""A chunk has its turn when it is as large as in the round before, or later when somebody holds its lock."""
_ROW_BYTES: Final = 60
_PER_DEVICE: Final = 10
_DAYS: Final = 7
_PER_SERIES: Final = _DAYS * 1440
_MONTH: Final = 31
_ASKED: Final = 20
_PATIENCE_S: Final = 1200.0
_UTC: Final = ZoneInfo("UTC")


def run(order: Order) -> Iterator[Figure]:
    """`query-latest` (10,000 series); of `--rows`, a reading a minute and series: day, month (ms), bytes a reading.

    Bytes twice: of sensors that drift and tell one decimal (these rows are asked), and of random numbers (a tenth).
    """
    with Site(order) as site:
        yield _latest(order, site, LATEST_QUICK if order.quick else LATEST)
        rows = order.rows or (QUICK if order.quick else ROWS)
        series = max(1, rows // _PER_SERIES)
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begin = _ms(today) - _DAYS * DAY_MS
        fewer = max(1, series // 10)
        for name, many, drifting in (("query-bytes-random", fewer, False), ("query-bytes", series, True)):
            site.run("TRUNCATE reading")
            order.tell("liandong.bench.loading", rows=many * _PER_SERIES)
            _load(site, begin, many, drifting)
            _condense(site)
            yield _bytes(site, name, many * _PER_SERIES)
        _load_hours(site, _ms(today) - _MONTH * DAY_MS, series)
        yield _day(order, site, series, _ms(today))
        yield _month(order, site, series, _ms(today))


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


def _bytes(site: Site, name: str, rows: int) -> Figure:
    """What a reading takes on the disk, with its index, after all background work."""
    with site.database.transaction() as tx:
        return figure(name, "bytes", [size(tx) / rows], [_ROW_BYTES])


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


def _load(site: Site, first_ms: int, series: int, drifting: bool) -> None:
    """A reading of every series in turn, minute by minute, as they would have come.

    Drifting: each series goes its own way by about 0.02 a minute and tells tenths, as a thermometer in a room does.
    """
    chance = np.random.default_rng(1)
    ids, at = np.arange(1, series + 1, dtype=np.int32), chance.normal(20, 5, series)
    each = max(1, _CHUNK // series)
    for first in range(0, _PER_SERIES, each):
        minutes = np.arange(first, min(first + each, _PER_SERIES))
        if drifting:
            way = at + np.cumsum(chance.normal(0, 0.02, (len(minutes), series)), axis=0)
            at, value = way[-1], np.round(way, 1).ravel()
        else:
            value = chance.random(len(minutes) * series)
        chunk = Readings(
            at_ms=np.repeat(first_ms + minutes * MINUTE_MS, series),
            series=np.tile(ids, len(minutes)),
            value=value,
            quality=np.full(len(value), 192, dtype=np.int16),
        )
        with site.database.transaction() as tx:
            copy_directly(tx)
            with tx.connection.cursor() as cursor, cursor.copy(load("readings")["copy"]) as copy:
                copy.write(copy_bytes(chunk))


def _condense(site: Site) -> None:
    """What background jobs would have done by tomorrow."""
    condenser = Condenser()
    for number in range(_MOST_ROUNDS):
        worked = False
        while _step(site, condenser):
            worked = True
        if number >= _FEWEST_ROUNDS and not worked:
            break
    with site.database.transaction() as tx:
        tx.be_patient(_PATIENCE_S)
        tx.execute("ANALYZE")


def _step(site: Site, condenser: Condenser) -> bool:
    with site.database.transaction() as tx:
        tx.be_patient(_PATIENCE_S)
        return condenser.step(tx, datetime.now(UTC) + timedelta(days=1))


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
