"""The scenario of the cellar: what it ships fits together, and each of its devices is heard and can be made to tell."""

from __future__ import annotations

import time
import tomllib
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from edge.config import parse_config
from simulators.estate import Estate
from simulators.scenario import read_scenario, scenario_files
from tests.integration.modbus.agent import Agent, until
from tests.services.brokers import Broker
from tests.services.ports import free_port


def test_every_device_of_the_cellar_is_heard(tmp_path: Path, iotcore_broker: Broker) -> None:
    files = scenario_files("cellar")
    (tmp_path / "password").write_text("secret")
    values: defaultdict[str, object] = defaultdict(lambda: 1883, lines=tmp_path / "lines", data=tmp_path)
    values |= {"panel_port": free_port(), "mqtt_gw_1": tmp_path / "password", "host_id": "cloud"}
    values |= {"cable_gw_1": 18830, "broker_port": 18831}
    values |= {"field_port": iotcore_broker.port, "mqtt_field": tmp_path / "password"}
    (tmp_path / "hardware.toml").write_text(files.fill("hardware.toml", values), encoding="utf-8")
    config = parse_config(tomllib.loads(files.fill("gw-1.toml", values)), tmp_path / "gw-1.toml")
    scenario = read_scenario(tmp_path / "hardware.toml", files.estate)
    estate = Estate(scenario, tmp_path, seed=1, speed=20)
    agents = {entry.name: Agent(name=entry.name) for entry in config.drivers}
    with ExitStack() as running:
        estate.start()
        running.callback(estate.stop)
        drivers = {entry.name: entry.family.make(entry.settings) for entry in config.drivers}
        assert {device.id: device.type for one in drivers.values() for device in one.devices} == scenario.types
        for name, driver in drivers.items():
            running.enter_context(agents[name].running(driver))

        def all_are_there() -> bool:
            estate.step(time.time_ns() // 1_000_000)
            return all(online(agents).get(device) for device in scenario.types)

        until(all_are_there, 40)
        assert estate.trigger("panel-fire", "1/cellar", {})["device"] == "fire-panel-1"
        until(lambda: agents["fire"].values("fire-101", "fire") == [True])
        assert estate.trigger("sos", "1/1/101", {})["device"] == "sos-101"
        assert estate.trigger("leak", "1/cellar", {})["device"] == "leak-cellar"
        until(lambda: agents["lora-1"].events("sos") and True in agents["lora-1"].values("leak-cellar", "leak"))
        until(lambda: [one.type for one in agents["lora-1"].strangers] == ["contact"])
        assert all(15 < float(str(value)) < 30 for value in agents["weather"].values("air-cellar", "temperature"))


def online(agents: dict[str, Agent]) -> dict[str, bool]:
    """The condition of every device."""
    return {device: up for agent in agents.values() for device, up in list(agent.online.items())}
