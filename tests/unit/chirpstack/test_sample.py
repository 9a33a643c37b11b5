"""The sample is the documentation: it must be true. And what a person may write wrongly."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError

from edge.drivers.chirpstack import FAMILY
from protocols.errors import ConfigError

TEXT = (files("edge.drivers.chirpstack") / "sample.toml").read_text("utf-8")


def sample() -> dict[str, Any]:
    (table,) = tomllib.loads(TEXT)["driver"]
    assert isinstance(table, dict)
    return table


def test_the_sample_makes_a_driver() -> None:
    driver = FAMILY.make(FAMILY.config.model_validate(sample()))
    assert [device.id for device in driver.devices][:2] == ["sos-201", "smoke-201"]


def test_the_sample_shows_every_key() -> None:
    assert all(key in TEXT for key in FAMILY.config.model_fields)
    shown = ("dev_eui", "codec", "interval_s", "missed", "path", "metric", "unit", "scale", "offset", "on", "off")
    assert all(f"\n{key} = " in TEXT for key in shown)


@pytest.mark.parametrize(
    ("number", "change", "code"),
    [
        (0, {"codec": "milesight-ws999"}, "edge.driver.chirpstack.codec"),
        (0, {"type": "smoke"}, "edge.driver.chirpstack.type"),
        (0, {"codec": "object"}, "edge.driver.chirpstack.fields"),
        (0, {"id": "smoke-201"}, "edge.driver.broker.device-twice"),
        (0, {"dev_eui": "24E124538B223344"}, "edge.driver.broker.device-twice"),
        (6, {"field": [{"path": "/a", "metric": "smoke"}]}, "protocols.picking.metric"),
        (6, {"field": [{"path": "/a", "event": "sos"}]}, "protocols.picking.event"),
        (6, {"field": [{"path": "/a", "metric": "level", "unit": "K"}]}, "protocols.picking.unit"),
        (6, {"field": [{"path": "/a"}]}, "protocols.picking.one-meaning"),
    ],
)
def test_each_fault_has_its_sentence(number: int, change: dict[str, Any], code: str) -> None:
    table = sample()
    table["device"][number] |= change
    with pytest.raises(ConfigError) as wrong:
        FAMILY.config.model_validate(table)
    assert wrong.value.code == code
    assert not str(wrong.value).startswith(code)


@pytest.mark.parametrize("change", [{"topic_prefix": "eu868"}, {"topic_prefix": "#/"}])
def test_a_prefix_ends_with_its_slash(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FAMILY.config.model_validate(sample() | change)
