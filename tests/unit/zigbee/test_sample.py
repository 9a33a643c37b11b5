"""The sample is the documentation: it must be true. And what a person may write wrongly."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.drivers.broker.memory import Memory, digest
from edge.drivers.zigbee2mqtt import FAMILY, ZigbeeConfig
from edge.drivers.zigbee2mqtt.presence import BRIDGE, Presence
from protocols.errors import ConfigError

TEXT = (files("edge.drivers.zigbee2mqtt") / "sample.toml").read_text("utf-8")


def sample() -> dict[str, Any]:
    (table,) = tomllib.loads(TEXT)["driver"]
    assert isinstance(table, dict)
    return table


def test_the_sample_makes_a_driver() -> None:
    driver = FAMILY.make(FAMILY.config.model_validate(sample()))
    assert [d.id for d in driver.devices][:2] == ["smoke-502", "siren-3"]


def test_the_sample_shows_every_key() -> None:
    assert all(key in TEXT for key in FAMILY.config.model_fields)
    assert all(key in TEXT for key in ("topic", "silent_h", "sound_s", "closes"))
    commented = [line.removeprefix("# ") for line in TEXT.splitlines() if line.startswith("# ") and " = " in line]
    tomllib.loads("\n".join(commented))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "vending"}, "edge.driver.zigbee2mqtt.type"),
        ({"topic": "siren-3"}, "edge.driver.broker.device-twice"),
        ({"id": "siren-3"}, "edge.driver.broker.device-twice"),
    ],
)
def test_each_fault_has_its_sentence(change: dict[str, Any], code: str) -> None:
    table = sample()
    table["device"][0] |= change
    with pytest.raises(ConfigError) as wrong:
        FAMILY.config.model_validate(table)
    assert wrong.value.code == code
    assert not str(wrong.value).startswith(code)


def test_a_filter_is_no_topic() -> None:
    with pytest.raises(ValidationError):
        FAMILY.config.model_validate(sample() | {"base_topic": "zigbee2mqtt/#"})


def test_the_password_stands_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    config = ZigbeeConfig.model_validate(sample() | {"username": "agent", "password_file": file})
    with pytest.raises(ConfigError, match="secret"):
        FAMILY.make(config)
    file.write_text("word\n", encoding="utf-8")
    assert config.password() == "word"
    FAMILY.make(config)


def test_memory_survives_and_forgets_the_oldest() -> None:
    memory = Memory({})
    names = [digest("t", str(number).encode()) for number in range(400)]
    for name in names:
        memory.take(name)
    again = Memory(memory.stored())
    assert again.knows(names[-1])
    assert again.knows(names[-256])
    assert not again.knows(names[0])
    assert digest("t", b"x", 1) != digest("t", b"x", 2)


def test_who_is_there() -> None:
    config = ZigbeeConfig.model_validate(sample())
    smoke, memory = config.device[0], Memory({})
    presence = Presence(config.device, now_s=0)
    assert not presence.known(smoke.friendly_name, memory)
    assert presence.error(smoke, 24 * 3600, memory) is None
    silent = presence.error(smoke, 26 * 3600, memory)
    assert silent is not None
    assert silent.code == "edge.driver.zigbee2mqtt.device-silent"
    presence.available(smoke.friendly_name, False, memory)
    away = presence.error(smoke, 1, memory)
    assert away is not None
    assert away.code == "edge.driver.zigbee2mqtt.device-away"
    presence.heard(smoke.friendly_name, 2, memory)
    assert presence.error(smoke, 3, memory) is None
    presence.available(BRIDGE, False, memory)
    bridge = presence.error(smoke, 4, Memory(memory.stored()))
    assert bridge is not None
    assert bridge.code == "edge.driver.zigbee2mqtt.bridge-away"
    presence.available("a stranger", False, memory)
    assert "a stranger" not in memory.available


def test_what_the_bridge_remembers_is_no_sign_of_life() -> None:
    config = ZigbeeConfig.model_validate(sample())
    smoke, memory = config.device[0], Memory({})
    presence = Presence(config.device, now_s=0)
    hour = 3600
    presence.heard(smoke.friendly_name, 1 * hour, memory, "2026-04-17T15:33:22Z")
    memory = Memory(memory.stored())
    presence.heard(smoke.friendly_name, 24 * hour, memory, "2026-04-17T15:33:22Z")
    assert presence.error(smoke, 27 * hour, memory) is not None, "zigbee2mqtt was started again; nobody heard it"
    presence.heard(smoke.friendly_name, 27 * hour, memory, "2026-04-18T17:33:22Z")
    assert presence.error(smoke, 28 * hour, memory) is None
    gone = presence.error(smoke, 28 * hour, memory, missing=True)
    assert gone is not None
    assert gone.code == "edge.driver.zigbee2mqtt.not-listed"
