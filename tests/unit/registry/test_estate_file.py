"""The file of an estate: what is read, and what is refused with file, line and key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cloud.registry.estate_file import read_estate
from cloud.registry.outline import contains, geometry
from protocols.errors import ConfigError
from protocols.messages import sentence

GOOD = """datum = "WGS-84"

[[place]]
path = "s"
kind = "street"
name = { "zh-CN" = "街", en = "Street" }

[[place]]
path = "s/c"
kind = "community"
name = { "zh-CN" = "社区", en = "Community" }
lat = 30.0
lon = 122.0
outline = [[[121.9, 29.9], [122.1, 29.9], [122.1, 30.1], [121.9, 30.1], [121.9, 29.9]]]

[[device]]
gateway = "g/gw-1"
code = "smoke-1"
type = "smoke"
place = "s/c"
name = { "zh-CN" = "烟感", en = "Smoke" }
"""


def read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "estate.toml"
    file.write_text(text, encoding="utf-8")
    read_estate(file)


def test_a_good_file(tmp_path: Path) -> None:
    read(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "key"),
    [
        ('datum = "WGS-84"\n', "", "value", 1, "datum"),
        ("WGS-84", "GCJ-02", "datum", None, None),
        ("[[device]]", "[[device]", "no-toml", None, None),
        ("lat = 30.0", "lat = 130.0", "value", 8, "place[2].lat"),
        ("lat = 30.0\n", "", "value", 8, "place[2]"),
        ("lat = 30.0", "latt = 30.0", "value", 8, "place[2].latt"),
        ('kind = "street"', 'kind = "road"', "value", 3, "place[1].kind"),
        ('path = "s/c"', 'path = "S/c"', "value", 8, "place[2].path"),
        ('path = "s/c"', 'path = "s"', "value", 8, "place[2]"),
        ('type = "smoke"', 'type = "smoek"', "value", 16, "device[1].type"),
        ('en = "Smoke"', 'fr = "Fumée"', "value", 16, "device[1].name.en"),
        ("[121.9, 29.9]]]", "[121.9, 29.8]]]", "value", 8, "place[2].outline"),
        ("[122.1, 29.9]", "[222.1, 29.9]", "value", 8, "place[2].outline"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, code: str, line: int | None, key: str | None) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert refused.value.code == f"cloud.import.{code}"
    assert (refused.value.params.get("line"), refused.value.params.get("key")) == (line, key)
    for language in ("en", "zh-CN"):
        said = sentence(refused.value.code, refused.value.params, language)
        assert "estate.toml" in said
        assert not re.search(r"\{[a-z]+\}", said)


def test_a_row_that_stands_twice_is_refused(tmp_path: Path) -> None:
    device = GOOD[GOOD.index("[[device]]") :]
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, f"{GOOD}\n{device}")
    assert refused.value.params["line"] == 23


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_estate(tmp_path / "absent.toml")


def test_inside_and_outside_with_a_hole_and_with_two_parts() -> None:
    square = [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0]]
    hole = [[4.0, 4.0], [6.0, 4.0], [6.0, 6.0], [4.0, 6.0], [4.0, 4.0]]
    far = [[20.0, 20.0], [22.0, 20.0], [21.0, 22.0], [20.0, 20.0]]
    polygon, multi = geometry([square, hole]), geometry([[square, hole], [far]])
    assert (polygon["type"], multi["type"]) == ("Polygon", "MultiPolygon")
    assert contains(polygon, 1.0, 1.0)
    assert not contains(polygon, 5.0, 5.0)
    assert not contains(polygon, 11.0, 5.0)
    assert not contains(polygon, 20.5, 21.0)
    assert contains(multi, 20.5, 21.0)
    wrongs: tuple[Any, ...] = ([], [[]], [square[0]], "x", [[[[1, 2]]]], [[[0, 0], [1, 1], [2, 2], [0, True]]])
    for wrong in wrongs:
        with pytest.raises(ValueError, match="GeoJSON"):
            geometry(wrong)
