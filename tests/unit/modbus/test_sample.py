"""The sample is the documentation: it must be true. And what a person may write wrongly."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.drivers.modbus import FAMILY
from protocols.errors import ConfigError
from protocols.modbus import profile_names


def tables() -> list[dict[str, Any]]:
    rows = tomllib.loads((files("edge.drivers.modbus") / "sample.toml").read_text("utf-8"))["driver"]
    assert isinstance(rows, list)
    return rows


def sample() -> dict[str, Any]:
    return tables()[0]


def test_the_sample_makes_drivers() -> None:
    drivers = [FAMILY.make(FAMILY.config.model_validate(table)) for table in tables()]
    assert [[d.id for d in driver.devices] for driver in drivers] == [["meter-1", "cabinet-1"], ["pump-relays"]]


def test_the_sample_shows_every_key_and_every_profile() -> None:
    text = (files("edge.drivers.modbus") / "sample.toml").read_text("utf-8")
    assert set(FAMILY.config.model_fields) == {key for table in tables() for key in table}
    assert all(name in text for name in profile_names())


def test_the_page_names_every_profile() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "modbus.md").read_text("utf-8")
    assert [name for name in profile_names() if f"`{name}`" not in page] == []


def test_a_profile_of_the_installers_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text((files("protocols.modbus") / "profiles" / "xy-md02.toml").read_text("utf-8"), encoding="utf-8")
    table = sample()
    table["device"][1] |= {"profile_file": own}
    del table["device"][1]["profile"]
    assert FAMILY.make(FAMILY.config.model_validate(table)).devices[1].id == "cabinet-1"
    own.unlink()
    with pytest.raises(ConfigError, match=r"own\.toml"):
        FAMILY.make(FAMILY.config.model_validate(table))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"profile": "nonsense"}, "protocols.modbus.profile-unknown"),
        ({"type": "cold-chain"}, "edge.driver.modbus.type"),
        ({"unit": 2}, "edge.driver.modbus.unit-twice"),
        ({"profile_file": "mine.toml"}, "edge.driver.modbus.one-profile"),
        ({"unit": 248}, "edge.driver.modbus.unit"),
        ({"writable": ["relay-1"]}, "edge.driver.modbus.writable"),
    ],
)
def test_each_fault_has_its_sentence(change: dict[str, Any], code: str) -> None:
    table = sample()
    table["device"][0] |= change
    with pytest.raises(ConfigError) as wrong:
        FAMILY.config.model_validate(table)
    assert wrong.value.code == code
    assert not str(wrong.value).startswith(code), "the catalogue has a sentence for it"


def test_a_line_is_serial_or_tcp() -> None:
    for table in (sample() | {"tcp": "10.0.0.1:502"}, {key: value for key, value in sample().items() if key != "port"}):
        with pytest.raises(ConfigError) as wrong:
            FAMILY.config.model_validate(table)
        assert wrong.value.code == "edge.driver.modbus.one-line"


def test_an_address_in_the_network_is_no_serial_port() -> None:
    for server in ("10.0.0.1:502", "[fe80::1]:502", "meter.local:502"):
        with pytest.raises(ConfigError) as wrong:
            FAMILY.config.model_validate(sample() | {"port": server})
        assert wrong.value.code == "edge.driver.port-is-server"
    for port in ("/dev/serial/by-path/pci-0:1:502", "/dev/ttyUSB0"):
        assert FAMILY.config.model_validate(sample() | {"port": port}).model_dump()["port"] == Path(port)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError):
        FAMILY.config.model_validate(sample() | {"speed": 9600})
