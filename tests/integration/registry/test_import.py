"""An estate's file into a real database: all of it or nothing, and a second time only what differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import pytest

from cloud.registry import births
from cloud.registry.births import SeriesSpec
from cloud.registry.estate import ImportResult, import_estate
from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from protocols.errors import ConfigError
from protocols.sparkplug.datatype import DataType

PEACH_GARDEN = Path(str(files("simulators") / "scenarios" / "peach-garden" / "estate.toml"))


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    opened = Database(postgres)
    opened.open()
    migrate(opened)
    yield opened
    opened.close()


def written(result: ImportResult) -> dict[str, tuple[int, int]]:
    return {
        what: (count["added"], count["changed"])
        for what, count in asdict(result).items()
        if count["added"] or count["changed"]
    }


def edited(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = PEACH_GARDEN.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / "estate.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_second_import_changes_nothing_and_a_changed_file_only_what_differs(
    database: Database, tmp_path: Path
) -> None:
    first = import_estate(database, PEACH_GARDEN)
    assert all(count["added"] and not count["changed"] for count in asdict(first).values())
    assert not written(import_estate(database, PEACH_GARDEN))
    file = edited(
        tmp_path,
        ('en = "Smoke detector"', 'en = "Smoke alarm"'),
        ("floor = 5", "floor = 6"),
        ('skills = ["first-aid"]', 'skills = ["care"]'),
        ('roles = [{ role = "operator"', 'roles = [{ role = "installer", place = "donggang" }, { role = "operator"'),
    )
    assert written(import_estate(database, file)) == {
        "places": (0, 1),
        "roles": (1, 0),
        "responders": (0, 1),
        "devices": (0, 1),
    }


def test_the_tree_hangs_together(database: Database) -> None:
    import_estate(database, PEACH_GARDEN)
    with database.transaction() as tx:
        wrong = tx.fetch(
            "SELECT c.path FROM place c LEFT JOIN place p ON p.id = c.parent_id"
            " WHERE c.path <> concat_ws('/', p.path, c.code)"
        )
        own = tx.fetch(
            "SELECT d.type, p.path FROM device d JOIN place p ON p.id = d.place_id WHERE d.code = '' ORDER BY 2"
        )
        outline = tx.one("SELECT outline->>'type' AS type FROM place WHERE kind = 'community' LIMIT 1")
    assert not wrong
    assert own[1] == {"type": "gateway", "path": "donggang/taoyuan/peach-garden/power-room"}
    assert outline == {"type": "Polygon"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("lat = 29.97509\nlon = 122.29692\n", "lat = 29.97509\nlon = 122.31\n", "outside"),
        ('path = "donggang/taoyuan/peach-garden/3/1/502"', 'path = "donggang/taoyuan/pear/3/1/502"', "no-parent"),
        ('gateway = "peach-garden/gw-2"', 'gateway = "peach-garden/gw-3"', "no-gateway"),
        ('place = "donggang/taoyuan/peach-garden/shop"', 'place = "donggang/shop"', "no-place"),
    ],
)
def test_all_or_nothing(database: Database, tmp_path: Path, old: str, new: str, code: str) -> None:
    with pytest.raises(ConfigError) as refused:
        import_estate(database, edited(tmp_path, (old, new)))
    assert refused.value.code == f"cloud.import.{code}"
    with database.transaction() as tx:
        assert not tx.fetch("SELECT FROM place UNION ALL SELECT FROM person")


def test_what_births_made_is_given_its_place_type_and_units(database: Database) -> None:
    with database.transaction() as tx:
        device = births.ensure_device(tx, ("peach-garden", "gw-1"), "meter-1")
        births.series(tx, device.device_id, [SeriesSpec(metric="power", datatype=int(DataType.DOUBLE))])
        before = births.subjects(tx, [device.device_id])[device.device_id]
    assert (before.type, before.place_path) == (None, None)
    import_estate(database, PEACH_GARDEN)
    with database.transaction() as tx:
        after = births.subjects(tx, [device.device_id])[device.device_id]
        assert tx.one("SELECT unit FROM series") == {"unit": "W"}
    assert (after.type, after.place_path) == ("power-meter", "donggang/taoyuan/peach-garden/power-room")
