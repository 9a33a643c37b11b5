"""What docs/operations/backup.md says is done here: dumped by pg_dump, restored into an empty database, used on."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pytest

from cloud.registry import births
from cloud.registry.births import SeriesSpec
from cloud.storage import readings
from cloud.storage.database import Database
from cloud.storage.history import Past
from cloud.storage.migrate import migrate
from cloud.storage.readings import Readings
from cloud.storage.rollups import Level, Roller, rows_of
from protocols.sparkplug.datatype import DataType
from tests.integration.storage.schema import described
from tests.services.databases import DatabaseServer
from tools.schema_snapshot import pg_dump

NOW = datetime.now(UTC).replace(microsecond=0)
FIRST = round((NOW - timedelta(days=2)).timestamp() * 1000)


def run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(pg_dump().with_name(program)), *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=100
    )
    assert done.returncode == 0, done.stderr.decode()


def fill(database: Database) -> int:
    with database.transaction() as tx:
        device = births.ensure_device(tx, ("estate", "gw"), "")
        (series,) = births.series(
            tx, device.device_id, [SeriesSpec(metric="t", datatype=int(DataType.DOUBLE))]
        ).values()
        numbers = np.arange(2000)
        columns = Readings(
            at_ms=FIRST + numbers * 60_000,
            series=np.full(2000, series, dtype=np.int32),
            value=numbers.astype(np.float64),
            quality=np.full(2000, 192, dtype=np.int16),
        )
        readings.append(tx, columns)
    roll(database)
    return series


def roll(database: Database) -> None:
    more = True
    while more:
        with database.transaction() as tx:
            more = Roller(ZoneInfo("Asia/Shanghai")).step(tx, NOW)


def past(database: Database, series: int) -> list[bytes]:
    """Everything that is known of a series."""
    with database.transaction() as tx:
        everything = Past(tx=tx, series=series, zone=ZoneInfo("UTC"), now=NOW).readings(0, readings.MAX_MS)
        return [everything.tobytes(), *(rows_of(tx, level, series, 0, readings.MAX_MS).tobytes() for level in Level)]


@pytest.mark.parametrize(
    "server", ["postgres_server", pytest.param("timescale_server", marks=pytest.mark.needs("timescaledb"))]
)
def test_a_dump_is_restored_and_used_on(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    servers: DatabaseServer = request.getfixturevalue(server)
    is_timescale = server == "timescale_server"
    archive = str(tmp_path / "liandong.dump")
    with servers.database() as old, servers.database() as new:
        source, target = Database(old), Database(new)
        source.open()
        try:
            status = migrate(source)
            series = fill(source)
            known, looks = past(source, series), described(source)
        finally:
            source.close()
        run("pg_dump", "--format=custom", f"--file={archive}", old)
        with psycopg.connect(new, autocommit=True) as connection:
            if is_timescale:
                connection.execute("CREATE EXTENSION timescaledb")
                connection.execute("SELECT timescaledb_pre_restore()")
        run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={new}", archive)
        with psycopg.connect(new, autocommit=True) as connection:
            if is_timescale:
                connection.execute("SELECT timescaledb_post_restore()")
        target.open()
        try:
            assert migrate(target) == status
            assert described(target) == looks
            assert past(target, series) == known
            assert fill(target) == series
        finally:
            target.close()
