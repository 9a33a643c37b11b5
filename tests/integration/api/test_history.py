"""The past over the API: few rows for a chart, peaks and gaps kept, days of the street, exports, who may ask."""

from __future__ import annotations

import io
import math
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from cloud.api import export as exporting
from cloud.storage import export as pages
from cloud.storage import readings
from cloud.storage.readings import Readings
from cloud.storage.rollups import Roller
from tests.integration.api.conftest import Street

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime.now(UTC).replace(hour=4, minute=0, second=0, microsecond=0) - timedelta(days=1)
"""Yesterday's noon in Shanghai."""


def series_of(street: Street, device: str, metric: str, datatype: int = 10, unit: str = "") -> tuple[int, int]:
    """A series of a device of the estate: ids of device and series."""
    (row,) = street.rows(
        "INSERT INTO series (device_id, metric, datatype, unit) SELECT id, %(metric)s, %(datatype)s, %(unit)s"
        " FROM device WHERE code = %(code)s RETURNING id, device_id",
        metric=metric,
        datatype=datatype,
        unit=unit,
        code=device,
    )
    return row["device_id"], row["id"]


def store(street: Street, series: int, begin: datetime, every_s: float, values: Any, *, roll: bool = True) -> None:
    """Evenly spaced values; NaN is known to be unknown."""
    count = len(values)
    columns = Readings(
        at_ms=(round(begin.timestamp() * 1000) + np.arange(count) * round(every_s * 1000)).astype(np.int64),
        series=np.full(count, series, dtype=np.int32),
        value=np.asarray(values, dtype=np.float64),
        quality=np.full(count, 192, dtype=np.int16),
    )
    with street.database.transaction() as tx:
        readings.append(tx, columns)
    more = roll
    while more:
        with street.database.transaction() as tx:
            more = Roller(ZONE).step(tx, datetime.now(UTC))


def asked(console: Any, device: int, what: str = "history", **params: Any) -> dict[str, Any]:
    answer = console.get(f"/api/v1/devices/{device}/{what}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def around(begin: datetime, **span: float) -> dict[str, Any]:
    return {"from": begin.isoformat(), "to": (begin + timedelta(**span)).isoformat()}


def test_a_peak_of_one_reading_shows_in_a_chart_of_a_few_pixels(served: Street) -> None:
    device, series = series_of(served, "coldchain-1", "temperature", unit="Cel")
    values = np.full(43_200, 4.0)
    values[20_000], values[30_000] = 31.5, -9.0
    store(served, series, NOON - timedelta(hours=12), 2, values)
    with served.signed_in("chenjing") as console:
        for width in (20, 300, 1000):
            found = asked(
                console, device, metric="temperature", width=width, **around(NOON - timedelta(hours=12), days=1)
            )
            assert found["step"] == ("hour" if width == 20 else "minute")
            assert 10 < len(found["ms"]) <= width
            assert (max(found["high"]), min(found["low"])) == (31.5, -9.0)
        closer = asked(console, device, metric="temperature", width=300, **around(NOON, hours=1))
        assert closer["step"] == "pixels"
        assert len(closer["ms"]) <= 300
        closest = asked(console, device, metric="temperature", width=300, **around(NOON, minutes=10))
        assert (closest["step"], len(closest["ms"])) == ("raw", 301)  # and what held at the begin


def test_silence_is_a_gap_and_a_value_that_holds_is_none(served: Street) -> None:
    device, series = series_of(served, "coldchain-1", "temperature", unit="Cel")
    store(served, series, NOON, 10, np.full(360, 4.0))
    store(served, series, NOON + timedelta(hours=3), 10, np.full(360, 5.0))
    with served.signed_in("chenjing") as console:
        for width in (50, 600):
            found = asked(console, device, metric="temperature", width=width, **around(NOON, hours=4))
            assert found["value"].count(None) == 1
            assert found["value"][0] == 4.0
            assert found["value"][-1] == 5.0


def test_a_state_holds_until_it_changes(served: Street) -> None:
    device, series = series_of(served, "door-1", "contact-open", 11)
    store(served, series, NOON - timedelta(hours=5), 36_000, [0.0, 1.0])
    with served.signed_in("chenjing") as console:
        found = asked(console, device, metric="contact-open", width=300, **around(NOON, hours=10))
        assert found["kind"] == "state"
        assert found["value"] == [0.0, 1.0]
        day = asked(console, device, "table", metric="contact-open", step="hour", **around(NOON, hours=10))
        assert day["weighted"][:5] == [0.0] * 5
        assert day["weighted"][5:10] == [1.0] * 5


def test_days_are_those_of_the_street_and_counters_gain_across_them(served: Street) -> None:
    device, series = series_of(served, "water-301", "volume", unit="m3")
    begin = (NOON - timedelta(days=4)).astimezone(ZONE).replace(hour=0)
    store(served, series, begin, 3600, np.arange(73) * 0.5)
    with served.signed_in("chenjing") as console:
        found = asked(console, device, "table", metric="volume", **around(begin, days=3))
    assert [datetime.fromtimestamp(ms / 1000, ZONE) for ms in found["ms"]] == [
        begin + timedelta(days=n) for n in range(3)
    ]
    assert found["increase"] == [11.5, 12.0, 12.0]
    assert found["time_zone"] == "Asia/Shanghai"


def test_newest_values_of_everything_in_one_answer(served: Street) -> None:
    device, series = series_of(served, "coldchain-1", "temperature", unit="Cel")
    served.rows(
        "INSERT INTO latest (series_id, ts, value, received_at) VALUES (%(id)s, now(), 4.5, now()) RETURNING series_id",
        id=series,
    )
    with served.signed_in("chenjing") as console:
        for query in ({}, {"metric": "temperature"}):
            found = console.get("/api/v1/latest", params=query).json()
            assert (found["device_id"], found["value"], found["unit"]) == ([device], [4.5], ["Cel"])
        assert console.get("/api/v1/latest", params={"metric": "salt"}).json()["device_id"] == []


def test_what_asks_for_too_much_is_told_what_to_do(served: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    device, series = series_of(served, "coldchain-1", "temperature")
    store(served, series, NOON, 1, np.ones(600))
    monkeypatch.setattr("cloud.storage.chart.MOST_READINGS", 100)
    with served.signed_in("chenjing") as console:
        base = f"/api/v1/devices/{device}"
        console.put("/api/v1/session/language", json={"language": "en"})
        many = console.get(f"{base}/history", params={"metric": "temperature", "width": 20, **around(NOON, minutes=10)})
        assert error(many) == (422, "cloud.history.too-many")
        assert "coarser" in many.json()["error"]["sentence"]
        console.put("/api/v1/session/language", json={"language": "zh-CN"})
        long = console.get(f"{base}/table", params={"metric": "temperature", "step": "minute", **around(NOON, days=40)})
        assert error(long) == (422, "cloud.history.too-long")
        assert "57600" in long.json()["error"]["sentence"]
        backwards = {"metric": "temperature", "from": NOON.isoformat(), "to": NOON.isoformat()}
        assert error(console.get(f"{base}/history", params=backwards)) == (422, "cloud.history.span")


def test_who_has_no_role_there_sees_nothing(served: Street) -> None:
    device, _ = series_of(served, "coldchain-1", "temperature")
    calls = [f"devices/{device}/history?metric=temperature", f"devices/{device}/table?metric=temperature"]
    calls += [f"devices/{device}/figures", "latest", f"export/readings.csv?device={device}"]
    for call in calls:
        with served.signed_in("liming") as volunteer:
            assert volunteer.get(f"/api/v1/{call}").status_code == 403
        with served.browser() as nobody:
            assert nobody.get(f"/api/v1/{call}").status_code == 401
    with served.signed_in("chenjing") as console:
        assert error(console.get("/api/v1/export/readings.csv?device=999999")) == (404, "cloud.device.unknown")


@pytest.mark.parametrize("page_rows", [7, 50_000])
def test_every_format_exports_the_same_readings(
    served: Street, monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    monkeypatch.setattr(pages, "PAGE_ROWS", page_rows)
    device, series = series_of(served, "coldchain-1", "temperature", unit="Cel")
    _, other = series_of(served, "coldchain-1", "=humidity", unit="%")
    values = np.where(np.arange(40) == 5, math.nan, np.arange(40) / 4)
    store(served, series, NOON, 0.5, values)
    store(served, series, NOON + timedelta(seconds=3), 0.001, [70.0] * 3, roll=False)
    store(served, series, NOON + timedelta(seconds=3), 1000, [71.0], roll=False)
    store(served, other, NOON, 1, [1.0])
    query: dict[str, Any] = {"device": device, **around(NOON, hours=1)}
    with served.signed_in("chenjing") as console:
        parquet = console.get("/api/v1/export/readings.parquet", params=query)
        arrow = console.get("/api/v1/export/readings.arrow", params=query)
        text = console.get("/api/v1/export/readings.csv", params=query).content.decode("utf-8-sig").splitlines()
    rows = pyarrow.parquet.read_table(io.BytesIO(parquet.content))
    assert rows.equals(pa.ipc.open_stream(arrow.content).read_all())
    mine = rows.filter(pa.compute.equal(rows["metric"], "temperature"))
    assert mine.num_rows == 44
    assert mine["value"].null_count == 1
    assert mine["time"].to_pylist() == sorted(mine["time"].to_pylist())
    assert sorted(value for value in mine["value"].to_pylist() if value is not None and value >= 70) == [70.0] * 3 + [
        71.0
    ]
    assert text[0] == '"device","metric","unit","time","value","quality"'
    assert len(text) == 46
    assert text[1].startswith('"coldchain-1","\'=humidity","%"')
    assert f"{NOON.astimezone(ZONE):%Y-%m-%dT%H:%M:%S}.000+0800" in text[1]


@pytest.mark.parametrize("step", ["minute", "hour", "day"])
def test_summaries_are_exported_as_the_table_shows_them(served: Street, step: str) -> None:
    device, series = series_of(served, "water-301", "volume", unit="m3")
    store(served, series, NOON - timedelta(days=2), 600, np.arange(300) * 0.1)
    when = around(NOON - timedelta(days=2, minutes=7), days=2)
    with served.signed_in("chenjing") as console:
        told = asked(console, device, "table", metric="volume", step=step, **when)
        answer = console.get("/api/v1/export/readings.arrow", params={"device": device, "step": step, **when})
    rows = pa.ipc.open_stream(answer.content).read_all()
    known = [index for index, held in enumerate(told["held_s"]) if held or told["count"][index]]
    assert [round(at.timestamp() * 1000) for at in rows["time"].to_pylist()] == [told["ms"][index] for index in known]
    for name in ("increase", "last", "count"):
        wanted = np.array([told[name][index] for index in known], dtype=float)
        np.testing.assert_allclose(np.array(rows[name].to_pylist(), dtype=float), wanted, rtol=1e-5)


def test_a_reader_that_stands_still_is_cut_and_gives_its_turn_back(
    served: Street, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two readers that take nothing hold both turns; soon a third one gets its own, and the two have half a file."""
    monkeypatch.setattr(exporting, "STALL_S", 0.5)
    device, series = series_of(served, "coldchain-1", "temperature")
    store(served, series, NOON, 0.2, np.linspace(0, 1, 250_000), roll=False)
    query: dict[str, Any] = {"device": device, **around(NOON, hours=24)}
    with served.signed_in("chenjing") as console, ExitStack() as open_ones:
        stalled = [
            open_ones.enter_context(console.stream("GET", "/api/v1/export/readings.csv", params=query))
            for _ in range(exporting.AT_ONCE)
        ]
        assert {answer.status_code for answer in stalled} == {200}
        few: dict[str, Any] = {"device": device, **around(NOON, minutes=1)}
        deadline = time.monotonic() + 60
        while (answer := console.get("/api/v1/export/readings.csv", params=few)).status_code == 429:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert answer.status_code == 200
        # Both: who reads on before its time is over has kept up, and gets its file.
        cut = "export-cut stalled_s=0.5 longest_s=3600.0 least_bytes_s=16384"
        while sum(record.getMessage() == cut for record in caplog.records) < exporting.AT_ONCE:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for one in stalled:
            with pytest.raises(httpx.HTTPError):
                one.read()
    said = [record.getMessage() for record in caplog.records if record.name == "liandong.cloud.export"]
    assert said == [cut] * exporting.AT_ONCE


def test_an_export_waits_for_its_turn_and_gives_it_back(served: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    device, series = series_of(served, "coldchain-1", "temperature")
    store(served, series, NOON, 1, np.ones(10))
    query: dict[str, Any] = {"device": device, **around(NOON, hours=1)}
    with served.signed_in("chenjing") as console:
        for _ in range(exporting.AT_ONCE + 2):
            assert console.get("/api/v1/export/readings.csv", params=query).status_code == 200
        for _ in range(exporting.AT_ONCE):
            assert exporting._running.acquire(timeout=20)
        try:
            assert error(console.get("/api/v1/export/readings.csv", params=query)) == (429, "cloud.export.busy")
        finally:
            exporting._running.release(exporting.AT_ONCE)
        monkeypatch.setattr(exporting, "MOST_SERIES", 0)
        assert error(console.get("/api/v1/export/readings.csv", params=query)) == (422, "cloud.export.too-many")
    assert (
        served.rows("SELECT count(*) AS n FROM audit WHERE action = 'device.export'")[0]["n"] == exporting.AT_ONCE + 3
    )


def test_figures_of_devices(served: Street) -> None:
    """Shapes and one answer each; the functions have their own tests with known answers."""
    today = datetime.now(UTC).astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    water, volume = series_of(served, "water-301", "volume", unit="m3")
    hours = round((datetime.now(UTC) - (today - timedelta(days=10))).total_seconds() // 3600)
    store(served, volume, today - timedelta(days=10), 3600, np.cumsum(np.full(hours, 0.01)))
    cold, temperature = series_of(served, "coldchain-1", "temperature", unit="Cel")
    began = datetime.now(UTC) - timedelta(hours=3)
    store(served, temperature, began, 60, [*([4.0] * 60), *([12.0] * 30), *([4.0] * 90)])
    vending, sales = series_of(served, "vending-1", "sales-count")
    _, stock = series_of(served, "vending-1", "stock")
    store(served, sales, today - timedelta(days=21), 3600, np.arange(21 * 24 + 1))
    served.rows(
        "INSERT INTO latest (series_id, ts, value, received_at) VALUES (%(id)s, now(), 60, now()) RETURNING series_id",
        id=stock,
    )
    with served.signed_in("chenjing") as console:
        found = asked(console, water, "figures")
        assert (found["leak"]["leaking"], found["leak"]["least_per_hour"]) == (True, 0.01)
        assert found["pattern"]["days"] == 10
        assert found["pattern"]["middle"][12] == pytest.approx(0.01)
        assert len(found["pattern"]["today"]) == 24
        warm = asked(console, cold, "figures")["violations"]
        assert (warm["above_s"], warm["times"], warm["highest"]) == (1800, 1, 12.0)
        assert asked(console, cold, "figures", limit=20)["violations"]["above_s"] == 0
        sold = asked(console, vending, "figures")
        assert sold["demand"]["coming"] == pytest.approx([24.0] * 7, abs=1.0)
        assert 2.3 < sold["stock_out"]["days"] < 2.8
        assert sold["pattern"] is not None
    assert served.rows("SELECT count(*) AS n FROM audit WHERE action = 'device.figures'")[0]["n"] >= 1


def test_a_device_without_a_past_has_no_figures(served: Street) -> None:
    device, _ = series_of(served, "water-301", "volume", unit="m3")
    with served.signed_in("chenjing") as console:
        found = asked(console, device, "figures")
        assert (found["pattern"], found["anomaly"], found["leak"]) == (None, None, None)
        assert asked(console, device, metric="volume")["ms"] == []


def test_a_number_that_no_device_has_is_answered_in_a_sentence(served: Street) -> None:
    with served.signed_in("chenjing") as console:
        for device in (2**31, 2**40, 10**30, 0, -1):
            for path in ("history?metric=power", "table?metric=power", "figures"):
                assert error(console.get(f"/api/v1/devices/{device}/{path}"))[0] in (404, 422)
            assert error(console.get(f"/api/v1/export/readings.csv?device={device}"))[0] in (404, 422)


def test_beyond_the_calendar_there_is_nothing_to_ask_for(served: Street) -> None:
    spans = (
        "from=0001-01-01T00:00:00Z&to=0001-01-02T00:00:00Z",
        "from=1969-01-01T00:00:00Z&to=1969-02-01T00:00:00Z",
        "from=9999-12-30T00:00:00Z&to=9999-12-31T23:59:59Z",
        "from=9999-12-31T23:59:59-12:00",
    )
    with served.signed_in("chenjing") as console:
        device, _ = series_of(served, "coldchain-1", "edge-of-time")
        for span in spans:
            for what in ("history", "table"):
                answer = console.get(f"/api/v1/devices/{device}/{what}?metric=edge-of-time&{span}")
                assert error(answer) == (422, "cloud.history.span")
            for form in ("csv", "arrow", "parquet"):
                answer = console.get(f"/api/v1/export/readings.{form}?device={device}&step=day&{span}")
                assert error(answer) == (422, "cloud.history.span")
