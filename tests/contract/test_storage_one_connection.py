"""Suite A: what storage promises to a single connection, on all editions."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from psycopg.rows import DictRow

from cloud.registry import births
from cloud.registry.births import SeriesSpec
from cloud.storage import migrate as schema
from cloud.storage import readings, received
from cloud.storage.columnstore import copy_directly
from cloud.storage.database import Database, StreamEvent, Transaction
from cloud.storage.editions import Edition, edition_of, forget_before, keep_ahead
from cloud.storage.migrate import migrate, schema_status
from cloud.storage.readings import MAX_MS, Readings, TextReading
from protocols.delivery import Lane, NumberSet
from protocols.errors import StorageError, UnavailableError
from protocols.sparkplug.datatype import DataType

DAY = timedelta(days=1)


def columns(rows: list[tuple[int, int, float, int]]) -> Readings:
    """(at ms, series, value, quality) as columns."""
    at_ms, series, value, quality = zip(*rows, strict=True)
    return Readings(
        at_ms=np.array(at_ms, dtype=np.int64),
        series=np.array(series, dtype=np.int32),
        value=np.array(value, dtype=np.float64),
        quality=np.array(quality, dtype=np.int16),
    )


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def make_series(database: Database, *names: str) -> list[int]:
    with database.transaction() as tx:
        device = births.ensure_device(tx, ("estate", "gw"), "")
        specs = [SeriesSpec(metric=name, datatype=int(DataType.DOUBLE)) for name in names]
        numbers = births.series(tx, device.device_id, specs)
    return [numbers[name] for name in names]


def stored(tx: Transaction, series: int, begin: datetime, end: datetime) -> list[DictRow]:
    """Readings of a series, oldest first."""
    span = {"series": series, "begin": begin, "end": end}
    return tx.fetch(
        "SELECT ts, value, quality FROM reading WHERE series_id = %(series)s AND ts >= %(begin)s AND ts < %(end)s"
        " ORDER BY ts",
        span,
    )


def test_migrating_twice_changes_nothing(empty: Database) -> None:
    assert schema_status(empty).applied == 0
    assert not schema_status(empty).current
    first = migrate(empty)
    assert first.current
    assert migrate(empty) == first == schema_status(empty)


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("INSERT INTO schema_history (number, name, checksum) VALUES (999, '999_later.sql', 'x')")
    for use in (migrate, schema_status):
        with pytest.raises(StorageError, match="newer version"):
            use(database)


def test_a_database_made_by_other_files_is_refused(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("UPDATE schema_history SET checksum = 'other' WHERE number = 1")
    with pytest.raises(StorageError) as refused:
        migrate(database)
    assert refused.value.code == "cloud.database.altered"


def test_a_step_that_fails_leaves_nothing_behind(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = schema.migrations()[0], "CREATE TABLE half (id integer); SELECT 1/0;"
    steps = (good, schema.Migration(number=2, name="002_bad.sql", sql=bad, checksum="x"))
    monkeypatch.setattr(schema, "migrations", lambda: steps)
    with pytest.raises(Exception, match="division by zero"):
        migrate(empty)
    assert schema_status(empty).applied == 0


def test_readings_come_back_as_they_were_stored(database: Database) -> None:
    (series,) = make_series(database, "t")
    now = datetime.now(UTC).replace(microsecond=123_000)
    values = [0.0, -1.5, 1e300, 5e-324, math.nan]
    rows = [(ms(now) + index, series, value, 192 - index) for index, value in enumerate(values)]
    with database.transaction() as tx:
        readings.append(tx, columns(rows))
    with database.transaction() as tx:
        found = stored(tx, series, now - DAY, now + DAY)
        assert len(stored(tx, series, now, now + timedelta(milliseconds=2))) == 2
    assert [point["value"] for point in found] == [0.0, -1.5, 1e300, 5e-324, None]
    assert [point["quality"] for point in found] == [192, 191, 190, 189, 188]
    assert [point["ts"] for point in found] == [now + timedelta(milliseconds=index) for index in range(5)]


def test_clocks_that_are_far_off_are_stored_too(database: Database) -> None:
    (series,) = make_series(database, "t")
    stamps = [0, 1, ms(datetime(1999, 12, 31, tzinfo=UTC)), ms(datetime(2099, 1, 1, tzinfo=UTC)), MAX_MS]
    with database.transaction() as tx:
        readings.append(tx, columns([(at_ms, series, 1.0, 192) for at_ms in stamps]))
        begin, end = datetime(1969, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        assert [ms(point["ts"]) for point in stored(tx, series, begin, end)] == stamps


def test_latest_is_the_newest_by_its_own_time(database: Database) -> None:
    first, second, word = make_series(database, "a", "b", "c")
    batches = [
        [(2000, first, 2.0, 192), (1000, first, 1.0, 192), (5000, second, 5.0, 64)],
        [(1500, first, 1.5, 192), (5000, second, 5.5, 192)],
        [(3000, first, math.nan, 0)],
    ]
    texts = [
        TextReading(series_id=word, at_ms=at, value=value, quality=192) for at, value in ((2, "new"), (1, "old\x00"))
    ]
    with database.transaction() as tx:
        for batch in batches:
            readings.touch_latest(tx, columns(batch), [], 9000)
        nothing = columns([(0, first, 0.0, 0)])
        readings.touch_latest(tx, nothing, texts, 9000)
        readings.append_texts(tx, texts)
        rows = tx.fetch(
            "SELECT series_id, extract(epoch FROM ts)::float AS at, value, text FROM latest ORDER BY series_id"
        )
        kept = tx.fetch("SELECT value FROM text_reading ORDER BY ts")
    assert [tuple(row.values()) for row in rows] == [
        (first, 3.0, None, None),
        (second, 5.0, 5.5, None),
        (word, 0.002, None, "new"),
    ]
    assert [row["value"] for row in kept] == ["old\ufffd", "new"]


def test_old_readings_are_forgotten_by_the_day(database: Database) -> None:
    (series,) = make_series(database, "t")
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    ages = [today - 40 * DAY, today - 3 * DAY, today]
    with database.transaction() as tx:
        readings.append(tx, columns([(ms(at), series, 1.0, 192) for at in ages]))
    with database.transaction() as tx:
        edition = edition_of(tx)
        assert edition is not None
        forget_before(tx, edition, today - 2 * DAY)
        left = stored(tx, series, datetime(2000, 1, 1, tzinfo=UTC), today + DAY)
    assert [point["ts"] for point in left] == [today]


def test_partitions_ahead_take_over_what_the_default_held(database: Database) -> None:
    (series,) = make_series(database, "t")
    later = datetime.now(UTC) + 30 * DAY
    with database.transaction() as tx:
        readings.append(tx, columns([(ms(later), series, 7.0, 192)]))
        if edition_of(tx) is Edition.PLAIN:
            assert keep_ahead(tx, later.date()) > 0
            assert keep_ahead(tx, later.date()) == 0
            where = tx.fetch("SELECT tableoid::regclass::text AS part FROM reading")
            assert where == [{"part": f"reading_{later:%Y%m%d}"}]
        assert [point["value"] for point in stored(tx, series, later - DAY, later + DAY)] == [7.0]


def test_received_sets_begin_empty_and_keep_what_is_stored(database: Database) -> None:
    key, other = (uuid.uuid4(), Lane.BULK), (uuid.uuid4(), Lane.URGENT)
    with database.transaction() as tx:
        assert received.lock(tx, [key, other]) == {key: NumberSet(), other: NumberSet()}
        received.store(tx, {key: NumberSet([(1, 5), (9, 9)])}, {other: 12})
    with database.transaction() as tx:
        assert received.lock(tx, [other, key, key]) == {key: NumberSet([(1, 5), (9, 9)]), other: NumberSet()}
        highest = tx.fetch("SELECT highest FROM received ORDER BY highest")
    assert [row["highest"] for row in highest] == [9, 12]


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    (series,) = make_series(database, "t")

    def fail() -> None:
        with database.transaction() as tx:
            readings.append(tx, columns([(0, series, 1.0, 192)]))
            tx.publish(StreamEvent(kind="x", key="1", data={}))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.transaction() as tx:
        assert not tx.fetch("SELECT FROM reading")
        assert tx.one("SELECT id FROM stream_head") == {"id": 0}


def test_a_database_that_is_away_is_named(tmp_path: object) -> None:
    absent = Database(f"host={tmp_path} dbname=nobody", timeout_s=0.5)
    absent.open()
    try:
        with pytest.raises(UnavailableError), absent.transaction():
            pass
    finally:
        absent.close()


def test_storing_by_column_is_asked_only_of_a_server_that_knows_it(database: Database) -> None:
    name = "timescaledb.enable_direct_compress_copy"
    with database.transaction() as tx:
        known = tx.one("SELECT FROM pg_settings WHERE name = %(name)s", {"name": name}) is not None
        copy_directly(tx)
        row = tx.one("SELECT current_setting(%(name)s, true) AS value", {"name": name})
        assert row == {"value": "on" if known else None}
        assert known or edition_of(tx) is not Edition.COMMUNITY
