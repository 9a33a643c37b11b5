"""Every shipped profile against its simulated model on one bus: read by the driver, and told apart by a scan."""

from __future__ import annotations

import random
from pathlib import Path

from edge.drivers.modbus import FAMILY, ModbusConfig
from edge.scan.findings import Budget, Found
from edge.scan.search import search
from protocols.modbus import load_profile, profile_names
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus import MODELS, ModbusBus
from tests.integration.modbus.agent import Agent, Ledger, until

SAME_MAP = "eastron-sdm230"
"""It answers as the SDM120 does."""


def test_every_profile_reads_its_model_and_a_scan_tells_them_apart(tmp_path: Path) -> None:
    names = [name for name in profile_names() if name != SAME_MAP]
    assert set(names) == set(MODELS) - {"thermostat"}
    units = [MODELS[name](name, number, random.Random(number)) for number, name in enumerate(names, start=1)]
    line, agent = PtyLine(tmp_path / "rs485"), Agent()
    bus = ModbusBus(line, units, ledger=Ledger(), rng=random.Random(3), baud=115_200)
    bus.start()
    try:
        numbers = range(1, len(names) + 2)
        told = list(search([str(line.path)], ["modbus"], numbers, {}, Budget(100)))
        devices = [
            {"id": name, "type": load_profile(name).type, "unit": number, "profile": name, "interval_s": 1}
            for number, name in enumerate(names, start=1)
        ]
        table = {"family": "modbus", "name": "all", "port": line.path, "baud": 115_200, "device": devices}
        with agent.running(FAMILY.make(ModbusConfig.model_validate(table))):
            until(lambda: agent.online == dict.fromkeys(names, True), 30)
    finally:
        bus.stop()
    recognised = {one.address: one.model for one in told if isinstance(one, Found)}
    expected = {number: name if load_profile(name).telling else "" for number, name in enumerate(names, start=1)}
    assert recognised == expected
    for name in names:
        for register in load_profile(name).registers:
            assert agent.values(name, register.metric), f"{name}: {register.metric}"
    assert {reading.quality for reading in agent.taken} == {"good"}  # type: ignore[union-attr]
    assert agent.values("qdy30a", "level")[0] == 1.234
    assert agent.values("jxbs-3001-co", "co")[0] == 2.1
    assert agent.values("pemtech-pt495-lel", "gas")[0] == 2
    assert agent.values("renke-rs-ws-n01", "temperature")[0] == 21.5
    phases = [agent.values("eastron-sdm630", f"current-{phase}")[0] for phase in "abc"]
    assert phases == sorted(phases, reverse=True)  # type: ignore[type-var]
