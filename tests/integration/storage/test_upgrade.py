"""A database of every earlier version becomes the same as a fresh one, with everything that was in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cloud.history.summary import DAY_MS
from cloud.storage.database import Database
from cloud.storage.migrate import migrate, schema_status
from cloud.storage.rollups import Level, Roller, rows_of
from tests.integration.storage.schema import described
from tests.services.databases import DatabaseServer

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases" / "schema"
SNAPSHOTS = sorted(CASES.glob("*.sql"))
BEGAN = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda path: path.stem)
def test_an_earlier_database_becomes_like_a_fresh_one(postgres_server: DatabaseServer, snapshot: Path) -> None:
    with postgres_server.database() as old, postgres_server.database() as new:
        upgraded, fresh = Database(old), Database(new)
        upgraded.open()
        fresh.open()
        try:
            with upgraded.transaction() as tx:
                tx.connection.execute(snapshot.read_text("utf-8"))
            assert schema_status(upgraded).applied == int(snapshot.stem)
            assert migrate(upgraded) == migrate(fresh)
            assert described(upgraded) == described(fresh)
            _same_rows(upgraded)
        finally:
            upgraded.close()
            fresh.close()


def _same_rows(database: Database) -> None:
    """What was in it is in it, and what was read long ago is rolled up."""
    more = True
    while more:
        with database.transaction() as tx:
            more = Roller(ZoneInfo("Asia/Shanghai")).step(tx, datetime(2026, 2, 1, tzinfo=UTC))
    with database.transaction() as tx:
        kept = tx.one("SELECT count(*) AS n, sum(value) AS total FROM reading")
        assert kept is not None
        assert (kept["n"], kept["total"]) == (200, 19_900)
        assert tx.one("SELECT login FROM person") == {"login": "wang"}
        for level in (Level.HOUR, Level.DAY):
            days = [rows_of(tx, level, series, BEGAN - DAY_MS, BEGAN + 4 * DAY_MS) for series in (1, 2)]
            assert [int(rows["count"].sum()) for rows in days] == [100, 100]


def test_every_release_has_its_database() -> None:
    released = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    listed = (CASES / "ORIGIN.md").read_text("utf-8")
    assert [version for version in released if f"| {version}" not in listed] == []
    assert [path.name for path in SNAPSHOTS if f"`{path.name}`" not in listed] == []
    assert SNAPSHOTS
