"""The sample is the documentation: it must be true. And what a person may write wrongly."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError

from edge.drivers.meters import FAMILY
from protocols.errors import ConfigError


def sample() -> dict[str, Any]:
    document = tomllib.loads((files("edge.drivers.meters") / "sample.toml").read_text("utf-8"))
    (table,) = document["driver"]
    assert isinstance(table, dict)
    return table


def test_the_sample_makes_a_driver() -> None:
    driver = FAMILY.make(FAMILY.config.model_validate(sample()))
    assert [d.id for d in driver.devices] == ["power-3-502", "water-3-502", "heat-3"]


def test_the_sample_shows_every_key() -> None:
    table = sample()
    assert set(FAMILY.config.model_fields) == {*table, "tcp"}
    shown = {key for device in table["device"] for key in device}
    assert shown == set(FAMILY.config.model_fields["device"].annotation.__args__[0].model_fields)  # type: ignore[union-attr]


def test_a_serial_server_in_the_place_of_a_port() -> None:
    table = sample() | {"tcp": "[::1]:8899"}
    del table["port"]
    assert FAMILY.make(FAMILY.config.model_validate(table)).devices


@pytest.mark.parametrize(
    ("device", "change", "code"),
    [
        (0, {"type": "water-meter"}, "type"),
        (0, {"valve": True}, "valve"),
        (0, {"address": "12-34"}, "address"),
        (1, {"address": "123"}, "address"),
        (2, {"address": "255"}, "address"),
        (0, {"extra": [{"metric": "a", "identifier": "9010"}]}, "extra"),
        (2, {"extra": [{"metric": "a", "identifier": "9010"}]}, "extra"),
        (
            1,
            {"protocol": "dlt645", "type": "power-meter", "address": "000012345678", "valve": False},
            "address-twice",
        ),
    ],
)
def test_each_fault_has_its_sentence(device: int, change: dict[str, Any], code: str) -> None:
    table = sample()
    table["device"][device] |= change
    with pytest.raises(ConfigError) as wrong:
        FAMILY.config.model_validate(table)
    assert wrong.value.code == f"edge.driver.meters.{code}"
    assert not str(wrong.value).startswith("edge."), "the catalogue has a sentence for it"


def test_one_line_only() -> None:
    with pytest.raises(ConfigError, match="not both"):
        FAMILY.config.model_validate(sample() | {"tcp": "a:1"})
    with pytest.raises(ValidationError):
        FAMILY.config.model_validate(sample() | {"speed": 9600})
