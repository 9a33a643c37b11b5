"""Suite A: summaries and what is read from them say what the readings say, on all editions, whatever came when."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from cloud.history.figures import as_ms, day_edges, over
from cloud.history.summary import DAY_MS, HOLD_MS, HOUR_MS, MINUTE_MS
from cloud.registry import births
from cloud.registry.births import SeriesSpec
from cloud.storage import readings
from cloud.storage.chart import table
from cloud.storage.database import Database
from cloud.storage.history import Past
from cloud.storage.kinds import Kind
from cloud.storage.readings import Readings
from cloud.storage.retention import forget
from cloud.storage.rollups import FEWEST, Level, Roller, finest, moment, rows_of
from protocols.errors import RefusedError
from protocols.sparkplug.datatype import DataType
from tests.unit.history.told import NAMES, Raw, told

SHANGHAI, BERLIN, KOLKATA = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
START = round(datetime(2026, 3, 28, 20, tzinfo=UTC).timestamp() * 1000)
"""The evening before Berlin's clocks go forward: its 29th has 23 hours."""
NOW = datetime(2026, 4, 2, tzinfo=UTC)


def make_series(database: Database, *names: str) -> list[int]:
    with database.transaction() as tx:
        device = births.ensure_device(tx, ("estate", "gw"), "")
        specs = [SeriesSpec(metric=name, datatype=int(DataType.DOUBLE)) for name in names]
        numbers = births.series(tx, device.device_id, specs)
    return [numbers[name] for name in names]


def as_columns(series: int, rows: list[Raw]) -> Readings:
    return Readings(
        at_ms=np.array([at for at, _, _ in rows], dtype=np.int64),
        series=np.full(len(rows), series, dtype=np.int32),
        value=np.array([value for _, value, _ in rows], dtype=np.float64),
        quality=np.array([quality for _, _, quality in rows], dtype=np.int16),
    )


def store(database: Database, series: int, rows: list[Raw]) -> None:
    with database.transaction() as tx:
        readings.append(tx, as_columns(series, rows))


def roll(database: Database, zone: ZoneInfo = SHANGHAI, now: datetime = NOW) -> None:
    """Let the roller work until nothing is left to do."""
    roller, more = Roller(zone), True
    while more:
        with database.transaction() as tx:
            more = roller.step(tx, now)


@pytest.fixture
def every_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each minute has a summary, however few its readings."""
    monkeypatch.setattr("cloud.storage.rollups.FEWEST", 1)


def some_days(chance: random.Random) -> list[Raw]:
    """Three days: a counter with resets, holes of hours, unknown values, bad qualities, equal times."""
    found: list[Raw] = []
    at, value = START, 0.0
    while at < START + 3 * DAY_MS:
        value = 0.0 if chance.random() < 0.01 else round(value + chance.random() * 5, 1)
        told_value = math.nan if chance.random() < 0.03 else value
        found.append((at, told_value, 0 if chance.random() < 0.03 else 192))
        if chance.random() < 0.02:
            found.append((at, value + 1, 192))
        at += chance.choice([20_000, 60_000, 300_000, 900_000, 1]) if chance.random() > 0.01 else 5 * HOUR_MS
    return found


def edges_of(level: Level, zone: ZoneInfo) -> list[int]:
    if level is Level.DAY:
        return [int(edge) for edge in as_ms(day_edges(moment(START), moment(START + 3 * DAY_MS), zone))]
    step = MINUTE_MS if level is Level.MINUTE else HOUR_MS
    return list(range(START, START + 3 * DAY_MS + step, step))


@pytest.mark.parametrize("zone", [SHANGHAI, BERLIN, KOLKATA], ids=str)
def test_summaries_of_any_order_of_arrival_are_those_of_all_readings(
    database: Database, zone: ZoneInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours and days are made from both: minutes that have a summary, and readings of minutes that have none."""
    monkeypatch.setattr("cloud.storage.rollups.FEWEST", 3)
    chance = random.Random(7)
    (series,) = make_series(database, "energy")
    everything = some_days(chance)
    arriving = everything[:]
    chance.shuffle(arriving)
    late = arriving[::7]
    for number in range(4):
        store(database, series, [one for one in arriving if one not in late][number::4])
        roll(database, zone)
    store(database, series, late)
    roll(database, zone)
    for level in Level:
        edges = edges_of(level, zone)
        with database.transaction() as tx:
            stored = {int(row["bucket"]): row for row in rows_of(tx, level, series, edges[0], edges[-1])}
        by_bucket: dict[int, list[Raw]] = {}
        for one in everything:
            by_bucket.setdefault(edges[bisect_right(edges, one[0]) - 1], []).append(one)
        if level is Level.MINUTE:
            several = {begin: inside for begin, inside in by_bucket.items() if len(inside) >= 3}
            assert 20 < len(several) < len(by_bucket)
            by_bucket = several
        assert set(stored) == set(by_bucket)
        for begin, inside in by_bucket.items():
            expected = told(inside, begin, edges[edges.index(begin) + 1], HOLD_MS, inner=True)
            found = [stored[begin][name] for name in NAMES]
            np.testing.assert_allclose(found, list(astuple(expected)), rtol=1e-9, atol=1e-5)


def test_a_minute_of_few_readings_has_no_summary_and_is_read_as_if_it_had(database: Database) -> None:
    """Of two series one tells a value a minute, the other six; more come late, and what is read is right."""
    ids = make_series(database, "slow", "quick")
    for series, step in zip(ids, (60_000, 10_000), strict=True):
        store(database, series, [(START + at, at / 1000, 192) for at in range(0, 2 * HOUR_MS, step)])
    roll(database)
    store(database, ids[0], [(START + 30_000 + n, 1.0, 192) for n in range(FEWEST)])
    roll(database)
    with database.transaction() as tx:
        stored = [rows_of(tx, Level.MINUTE, series, START, START + DAY_MS)["count"].tolist() for series in ids]
        assert stored == [[FEWEST + 1], [6] * 120]
        both = finest(tx, ids[::-1], START, START + 2 * HOUR_MS)
        assert [int(both["count"][both["series"] == series].sum()) for series in ids] == [120 + FEWEST, 720]
        assert (np.diff(both["series"] * 2.0**48 + both["begins"]) > 0).all(), "sorted by series and time"
        for series, count in zip(ids, (1, 6), strict=True):
            past = Past(tx=tx, series=series, zone=SHANGHAI, now=NOW)
            found = table(past, Kind.GAUGE, Level.MINUTE, START, START + 2 * HOUR_MS)
            assert found.count[1:].tolist() == [count] * 119
            hours = rows_of(tx, Level.HOUR, series, START, START + 2 * HOUR_MS)
            assert hours["count"].sum() == found.count.sum()
            assert hours["held"].sum() == 2 * HOUR_MS - 2 * (60_000 // count)


@pytest.mark.parametrize("level", list(Level))
def test_what_is_read_is_right_while_much_is_not_rolled_up_yet(database: Database, level: Level) -> None:
    """Some is rolled up, some waits, the newest is only in readings: the figures are those of all readings."""
    chance = random.Random(3)
    (series,) = make_series(database, "energy")
    everything = some_days(chance)
    now = moment(START + 3 * DAY_MS)
    middle = START + 2 * DAY_MS + 90 * MINUTE_MS
    store(database, series, [one for one in everything if one[0] < middle])
    roll(database, now=moment(middle))
    store(database, series, [one for one in everything if one[0] >= middle])
    with database.transaction() as tx:
        tx.execute("UPDATE rollup_mark SET received_at = %(at)s", {"at": moment(middle)})
    edges = np.array(edges_of(level, SHANGHAI), dtype=np.int64)
    if level is Level.MINUTE:
        edges = edges[2000:]
    with database.transaction() as tx:
        past = Past(tx=tx, series=series, zone=SHANGHAI, now=now)
        rows = np.concatenate([past.before(int(edges[0])), past.rows(level, int(edges[0]), int(edges[-1]))])
    found = over(rows, edges, HOLD_MS, int(edges[-1]))
    for index in random.Random(1).sample(range(len(edges) - 1), min(25, len(edges) - 1)):
        wanted = told(everything, int(edges[index]), int(edges[index + 1]), HOLD_MS)
        got = (found.count[index], found.low[index], found.high[index], found.first[index], found.last[index])
        np.testing.assert_allclose(got, (wanted.count, wanted.low, wanted.high, wanted.first, wanted.last))
        np.testing.assert_allclose(
            (found.held[index], found.increase[index]), (wanted.held, wanted.increase), rtol=1e-9, atol=1.5
        )


def test_hours_and_days_are_made_when_they_are_over_and_again_when_something_comes_late(
    database: Database, every_minute: None
) -> None:
    (series,) = make_series(database, "t")
    hour = START // HOUR_MS * HOUR_MS
    store(database, series, [(hour + 1000, 5.0, 192)])
    roll(database, now=moment(hour + HOUR_MS - 1))
    with database.transaction() as tx:
        assert len(rows_of(tx, Level.MINUTE, series, hour, hour + HOUR_MS)) == 1
        assert len(rows_of(tx, Level.HOUR, series, hour, hour + HOUR_MS)) == 0
    roll(database, now=moment(hour + 2 * HOUR_MS))
    with database.transaction() as tx:
        assert rows_of(tx, Level.HOUR, series, hour, hour + HOUR_MS)["high"].tolist() == [5.0]
    store(database, series, [(hour + 2000, 9.0, 192)])
    roll(database)
    with database.transaction() as tx:
        for level in Level:
            assert rows_of(tx, level, series, hour - DAY_MS, hour + DAY_MS)["high"].tolist() == [9.0]


def test_clocks_that_are_far_off_stop_nothing(database: Database, every_minute: None) -> None:
    (series,) = make_series(database, "t")
    stamps = [0, 1, START, readings.MAX_MS]
    store(database, series, [(at, 1.0, 192) for at in stamps])
    roll(database)
    with database.transaction() as tx:
        minutes = rows_of(tx, Level.MINUTE, series, 0, readings.MAX_MS + 1)["bucket"]
        assert minutes.tolist() == [START, readings.MAX_MS // MINUTE_MS * MINUTE_MS]
        assert tx.fetch("SELECT FROM rollup_mark") == []


def test_another_zone_makes_the_days_anew(database: Database) -> None:
    (series,) = make_series(database, "t")
    store(database, series, [(START + n * HOUR_MS, float(n), 192) for n in range(48)])
    for zone in (SHANGHAI, BERLIN, KOLKATA):
        roll(database, zone)
        with database.transaction() as tx:
            days = rows_of(tx, Level.DAY, series, START - 2 * DAY_MS, START + 4 * DAY_MS)
        wanted = [edge for edge in edges_of(Level.DAY, zone) if edge < START + 48 * HOUR_MS]
        assert days["bucket"].tolist() == wanted
        assert days["count"].sum() == 48


def test_too_many_readings_are_refused_and_not_read(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.storage.history.MOST_READINGS", 10)
    (series,) = make_series(database, "t")
    store(database, series, [(START + n, 1.0, 192) for n in range(11)])
    with database.transaction() as tx:
        tx.execute("UPDATE rollup_mark SET received_at = %(at)s", {"at": moment(START)})
        past = Past(tx=tx, series=series, zone=SHANGHAI, now=NOW)
        with pytest.raises(RefusedError) as refused:
            past.rows(Level.HOUR, START, START + HOUR_MS)
    assert refused.value.code == "cloud.history.too-many"


def test_work_is_cut_into_bounded_pieces(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.storage.rollups.FEWEST", 1)
    monkeypatch.setattr("cloud.storage.rollups.MOST_AT_ONCE", 1)
    monkeypatch.setattr("cloud.storage.rollups.MOST_MINUTES", 7)
    monkeypatch.setattr("cloud.storage.rollups.MOST_DUE", 2)
    (series,) = make_series(database, "t")
    store(database, series, [(START + n * 20_000, float(n), 192) for n in range(2000)])
    steps = 0
    more = True
    while more:
        with database.transaction() as tx:
            more = Roller(SHANGHAI).step(tx, NOW)
        steps += 1
    assert steps >= 8
    with database.transaction() as tx:
        assert rows_of(tx, Level.MINUTE, series, START, START + DAY_MS)["count"].tolist()[:-1] == [3] * 666
        assert rows_of(tx, Level.HOUR, series, START, START + DAY_MS)["count"].tolist() == [180] * 11 + [20]
        assert rows_of(tx, Level.DAY, series, START - DAY_MS, START + DAY_MS)["count"].sum() == 2000


def test_a_span_without_anything_is_empty(database: Database) -> None:
    (series,) = make_series(database, "t")
    with database.transaction() as tx:
        past = Past(tx=tx, series=series, zone=SHANGHAI, now=NOW)
        assert len(past.rows(Level.DAY, START, START + 3 * DAY_MS)) == 0
        assert len(past.before(START)) == 0


def test_each_kind_is_forgotten_in_its_own_time(database: Database, every_minute: None) -> None:
    temperature, radio = make_series(database, "temperature", "linkquality")
    now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    ages = [1, 35, 500, 800]
    for series in (temperature, radio):
        store(database, series, [(round((now - timedelta(days=age)).timestamp() * 1000), 1.0, 192) for age in ages])
    roll(database, now=now)
    more = True
    while more:
        with database.transaction() as tx:
            more = forget(tx, now)
    left = {}
    with database.transaction() as tx:
        for series in (temperature, radio):
            past = Past(tx=tx, series=series, zone=SHANGHAI, now=now)
            kept = past.readings(0, readings.MAX_MS)["bucket"]
            minutes = rows_of(tx, Level.MINUTE, series, 0, readings.MAX_MS)["bucket"]
            days = rows_of(tx, Level.DAY, series, 0, readings.MAX_MS)["bucket"]
            left[series] = [
                [int((now.timestamp() * 1000 - at) / DAY_MS + 0.01) for at in of] for of in (kept, minutes, days)
            ]
    # A reading that is older than its kind's readings are kept makes no summary: what lay beside it may be gone.
    assert left == {temperature: [[500, 35, 1], [35, 1], [35, 1]], radio: [[500, 1], [1], [1]]}
