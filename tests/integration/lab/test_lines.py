"""Lines as the lab disturbs them, with the real driver: an echo, a slow device. Nothing wrong is taken for a value."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.drivers.modbus import FAMILY, ModbusConfig, ModbusDriver
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus import ModbusBus, PowerMeter
from tests.integration.modbus.agent import Agent, Ledger, until

METERS = ("meter-1", "meter-2")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def bus(tmp_path: Path, ledger: Ledger) -> Iterator[ModbusBus]:
    meters = [PowerMeter(name, unit, random.Random(unit)) for unit, name in enumerate(METERS, 1)]
    bus = ModbusBus(PtyLine(tmp_path / "rs485"), meters, ledger=ledger, rng=random.Random(3), baud=38400)
    bus.start()
    try:
        yield bus
    finally:
        bus.stop()


def driver(tmp_path: Path) -> ModbusDriver:
    devices = [
        {"id": name, "type": "power-meter", "unit": unit, "profile": "eastron-sdm120", "interval_s": 0.2}
        for unit, name in enumerate(METERS, 1)
    ]
    table = {"family": "modbus", "name": "bus-1", "port": tmp_path / "rs485", "timeout_s": 0.3, "retry_max_s": 1}
    made = FAMILY.make(ModbusConfig.model_validate(table | {"device": devices}))
    assert isinstance(made, ModbusDriver)
    return made


@pytest.mark.parametrize(
    ("act", "wrong", "right"),
    [("echo", {"on": True}, {"on": False}), ("slow", {"seconds": 0.5}, {"seconds": 0.0})],
)
def test_a_disturbed_line_gives_no_wrong_value_and_comes_back(
    tmp_path: Path, bus: ModbusBus, ledger: Ledger, act: str, wrong: dict[str, object], right: dict[str, object]
) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        until(lambda: agent.online == dict.fromkeys(METERS, True))
        bus.triggers()[act]("meter-1", wrong)
        asked = bus.requests
        until(lambda: bus.requests >= asked + 6)
        bus.triggers()[act]("meter-1", right)
        before = {name: len(ledger.values(name, "energy-total")) for name in METERS}
        until(lambda: all(len(ledger.values(name, "energy-total")) > before[name] + 2 for name in METERS))
        until(lambda: agent.online == dict.fromkeys(METERS, True))
    for name in METERS:
        taken = agent.values(name, "energy-total")
        assert set(ledger.values(name, "energy-total")) <= set(taken), "what counts as taken was taken"
        assert taken == sorted(set(taken)), "a total that only grows, each value once"  # type: ignore[type-var]
        assert all(210 < float(value) < 250 for value in agent.values(name, "voltage"))  # type: ignore[arg-type]
