"""Suite A: large batches, small ones and late ones come back as stored, by row or by column, on all editions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from cloud.history.summary import DAY_MS, MINUTE_MS
from cloud.registry import births
from cloud.registry.births import SeriesSpec
from cloud.storage import columnstore, readings
from cloud.storage.columnstore import DIRECT_ROWS, LONGEST, SHORTEST, Condenser, next_interval, worth_columns
from cloud.storage.database import Database
from cloud.storage.editions import Edition, edition_of
from cloud.storage.history import Past
from cloud.storage.queries import load
from cloud.storage.readings import Readings
from cloud.storage.retention import forget
from cloud.storage.rollups import Level, Roller, rows_of
from protocols.sparkplug.datatype import DataType

ZONE = ZoneInfo("Asia/Shanghai")
START = round(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
NOW = datetime(2026, 3, 6, tzinfo=UTC)
COMPRESSED, UNORDERED = 1, 2
"""Bits of TimescaleDB's status of a chunk."""


def make_series(database: Database, *names: str) -> list[int]:
    with database.transaction() as tx:
        device = births.ensure_device(tx, ("estate", "gw"), "")
        specs = [SeriesSpec(metric=name, datatype=int(DataType.DOUBLE)) for name in names]
        numbers = births.series(tx, device.device_id, specs)
    return [numbers[name] for name in names]


def store(database: Database, series: list[int], begin: int, count: int, step: int, offset: float = 0.0) -> None:
    """`count` readings of each series, interleaved as they would arrive; each value tells its series and time."""
    at_ms = np.repeat(begin + np.arange(count, dtype=np.int64) * step, len(series))
    ids = np.tile(np.array(series, dtype=np.int32), count)
    columns = Readings(
        at_ms=at_ms,
        series=ids,
        value=ids + (at_ms - START) / MINUTE_MS + offset,
        quality=np.full(len(ids), 192, dtype=np.int16),
    )
    with database.transaction() as tx:
        readings.append(tx, columns)


def condense(database: Database, rounds: int = 1) -> None:
    """Whole rounds of one condenser."""
    condenser = Condenser()
    for _ in range(rounds):
        _steps(database, condenser)


def _steps(database: Database, condenser: Condenser) -> int:
    """One round of a condenser; how many chunks it worked at."""
    steps = 0
    while True:
        with database.transaction() as tx:
            if not condenser.step(tx, NOW):
                return steps
        steps += 1


def statuses(database: Database) -> set[int]:
    """Of all chunks."""
    with database.transaction() as tx:
        found = tx.fetch("SELECT _timescaledb_functions.chunk_status(c) AS status FROM show_chunks('reading') c")
    return {row["status"] for row in found}


def values(database: Database, series: int) -> list[float]:
    with database.transaction() as tx:
        past = Past(tx=tx, series=series, zone=ZONE, now=NOW)
        found: list[float] = past.readings(START - DAY_MS, START + 4 * DAY_MS)["last"].tolist()
        return found


def edition(database: Database) -> Edition | None:
    with database.transaction() as tx:
        return edition_of(tx)


def roll(database: Database) -> None:
    more = True
    while more:
        with database.transaction() as tx:
            more = Roller(ZONE).step(tx, NOW)


def minutes(database: Database, series: int) -> np.ndarray:
    with database.transaction() as tx:
        return rows_of(tx, Level.MINUTE, series, START, START + 4 * DAY_MS)


def test_large_batches_small_ones_and_late_ones_come_back(database: Database) -> None:
    community = edition(database) is Edition.COMMUNITY
    ids = make_series(database, "a", "b", "c")
    store(database, ids, START, DIRECT_ROWS, 30_000)
    if community:
        assert all(status & COMPRESSED for status in statuses(database)), "a large batch is by column at once"
    store(database, ids, START + 10_000, 5, 30_000, offset=0.5)
    for rounds in (1, 2, 3):
        condense(database, rounds)
        expected = {
            one: sorted(
                [(n * 30_000, one + n * 0.5) for n in range(DIRECT_ROWS)]
                + [(10_000 + n * 30_000, one + n * 0.5 + 1 / 6 + 0.5) for n in range(5)]
            )
            for one in ids
        }
        for one in ids:
            np.testing.assert_allclose(values(database, one), [value for _, value in expected[one]])
    if community:
        assert statuses(database) == {COMPRESSED}, "what is over is in good order"


def test_a_chunk_that_takes_too_long_stays_as_it_is_and_the_next_one_has_its_turn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (series,) = make_series(database, "a")
    for day in (0, 1):
        store(database, [series], START + day * DAY_MS, DIRECT_ROWS, 20_000)
        store(database, [series], START + day * DAY_MS + 10_000, DIRECT_ROWS, 20_000)
    if edition(database) is not Edition.COMMUNITY:
        assert not _steps(database, Condenser())
        return
    assert statuses(database) == {COMPRESSED | UNORDERED}
    with database.transaction() as tx:
        # This build has no timers that would cancel a statement, and none of its chunks takes long.
        tx.connection.execute(
            """
            CREATE FUNCTION slowly(chunk regclass) RETURNS regclass LANGUAGE plpgsql AS $$
            BEGIN
                IF chunk = (SELECT min(c::oid)::regclass FROM show_chunks('reading') c) THEN
                    PERFORM pg_sleep(0.02);
                    RAISE EXCEPTION USING ERRCODE = 'query_canceled';
                END IF;
                RETURN compress_chunk(chunk, recompress => true);
            END $$;
            """
        )
    patched = dict(load("columnstore")) | {"condense_whole": "SELECT slowly(%(chunk)s::oid::regclass)"}
    monkeypatch.setattr(columnstore, "load", lambda _: patched)
    condenser = Condenser(chunk_s=0.01)
    assert [_steps(database, condenser) for _ in range(4)] == [0, 2, 0, 0], "the slow one is not tried again"
    assert statuses(database) == {COMPRESSED, COMPRESSED | UNORDERED}
    assert values(database, series) == sorted(values(database, series))


def test_late_rows_in_old_columns_are_rolled_up_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.storage.rollups.FEWEST", 1)
    (series,) = make_series(database, "a")
    store(database, [series], START, DIRECT_ROWS, 20_000)
    roll(database)
    condense(database, 3)
    before = minutes(database, series)
    store(database, [series], START + 5_000, 2, 60_000, offset=1000.0)
    roll(database)
    condense(database, 3)
    after = minutes(database, series)
    assert (after["count"] - before["count"]).tolist() == [1, 1] + [0] * (len(before) - 2)
    assert after["high"][:2].tolist() == pytest.approx([series + 1000 + 5 / 60, series + 1001 + 5 / 60])
    assert after["high"][2:].tolist() == before["high"][2:].tolist()


def test_what_absurd_clocks_told_is_put_in_order_too(database: Database) -> None:
    (series,) = make_series(database, "a")
    stamps = np.array([0, 1, START, readings.MAX_MS], dtype=np.int64)
    columns = Readings(
        at_ms=stamps,
        series=np.full(4, series, dtype=np.int32),
        value=np.array([1.0, np.nan, 3.0, 4.0]),
        quality=np.full(4, 192, dtype=np.int16),
    )
    with database.transaction() as tx:
        readings.append(tx, columns)
    condense(database, 2)
    if edition(database) is Edition.COMMUNITY:
        assert statuses(database) == {COMPRESSED}
    with database.transaction() as tx:
        past = Past(tx=tx, series=series, zone=ZONE, now=NOW)
        assert past.readings(0, readings.MAX_MS + 1)["bucket"].tolist() == stamps.tolist()


def test_kinds_that_are_kept_shorter_leave_columns_too(database: Database) -> None:
    """More rows than the server would take out of columns in a transaction if it were not asked to."""
    kept, radio = make_series(database, "temperature", "linkquality")
    now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    old = round((now - timedelta(days=35)).replace(hour=0).timestamp() * 1000)
    for _ in range(3):
        store(database, [kept, radio], old, 40_000, 2_000)
    condense(database, 3)
    with database.transaction() as tx:
        tx.execute("TRUNCATE rollup_mark")
    more = True
    while more:
        with database.transaction() as tx:
            more = forget(tx, now)
    with database.transaction() as tx:
        left = tx.fetch("SELECT series_id, count(*) AS n FROM reading GROUP BY series_id")
    assert [(row["series_id"], row["n"]) for row in left] == [(kept, 120_000)]


def test_chunks_to_come_are_as_long_as_putting_one_in_order_allows() -> None:
    day, half = timedelta(days=1), timedelta(hours=12)
    assert next_interval(day, day, 5.0) == half
    assert next_interval(half, half, 2.0) == half
    assert next_interval(half, half, 0.1) == day
    assert next_interval(LONGEST, LONGEST, 0.1) == LONGEST
    assert next_interval(SHORTEST, SHORTEST, 60.0) == SHORTEST
    assert next_interval(half, day, 5.0) == half, "made before the chunks became shorter"
    assert next_interval(SHORTEST, day, 0.1) == 2 * SHORTEST, "an old one with little in it"
    assert next_interval(half, SHORTEST, 0.1) == half


def test_few_rows_per_series_are_better_kept_by_row() -> None:
    def of(rows: int, series: int) -> bool:
        return worth_columns((np.arange(rows) % series).astype(np.int32))

    assert of(DIRECT_ROWS, 1)
    assert of(50_000, 5_000)
    assert not of(50_000, 20_000)
    assert not of(DIRECT_ROWS - 1, 1)
    assert not of(0, 1)
