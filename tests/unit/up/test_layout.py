"""The data directory: never among somebody's files, one holder, and names that TOML must quote."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from liandong.up.layout import DataDirectory
from protocols.errors import StorageError
from simulators.scenario import scenario_files


def opened(path: Path) -> str:
    """The code of the refusal, or "" when the directory could be opened."""
    data = DataDirectory(path)
    try:
        data.open()
    except StorageError as error:
        return error.code
    finally:
        data.close()
    return ""


def test_a_street_is_not_laid_among_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not touch")
    assert opened(tmp_path) == "liandong.up.data-foreign"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_fresh_file_system_and_a_street_of_before_are_taken(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    assert opened(tmp_path) == ""
    (tmp_path / "more").touch()
    assert opened(tmp_path) == ""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path)
    first.open()
    try:
        assert opened(tmp_path) == "liandong.up.already-running"
    finally:
        first.close()
    assert opened(tmp_path) == ""


@pytest.mark.parametrize("name", ["plain", 'it\'s "quoted"', "back\\slash", "街道 🏘", "100% {a} ${b}"])
def test_a_gateway_finds_its_directory_whatever_it_is_called(name: str) -> None:
    names = ("data", "lines", "cable_gw_1", "host_id", "mqtt_gw_1")
    text = scenario_files("peach-garden").fill("gw-1.toml", dict.fromkeys(names, 1) | {"data": name})
    assert tomllib.loads(text)["gateway"]["data"] == f"{name}/gw-1"
