"""The driver against the simulated bus over a pty: real frames, real timing, every fault that a bus has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.drivers.modbus import FAMILY, ModbusConfig, ModbusDriver
from protocols.errors import DeviceError, RefusedError
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus import ModbusBus, PowerMeter, Thermometer
from tests.integration.modbus.agent import Agent, Ledger, until

METER, CABINET, GHOST = "meter-1", "coldchain-1", "ghost"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def cabinet() -> Thermometer:
    return Thermometer(CABINET, 2, random.Random(2))


@pytest.fixture
def bus(tmp_path: Path, ledger: Ledger, cabinet: Thermometer) -> Iterator[ModbusBus]:
    meter = PowerMeter(METER, 1, random.Random(1))
    bus = ModbusBus(PtyLine(tmp_path / "rs485"), [meter, cabinet], ledger=ledger, rng=random.Random(3))
    bus.start()
    try:
        yield bus
    finally:
        bus.stop()


def driver(tmp_path: Path, *, ghost: bool = False, slow: bool = False) -> ModbusDriver:
    devices = [
        {"id": METER, "type": "power-meter", "unit": 1, "profile": "eastron-sdm120", "interval_s": 0.3},
        {"id": CABINET, "type": "cold-chain", "unit": 2, "profile": "xy-md02", "interval_s": 0.3},
    ]
    if slow:
        devices = [device | {"interval_s": 3600} for device in devices]
    if ghost or slow:
        devices.append({"id": GHOST, "type": "cold-chain", "unit": 9, "profile": "xy-md02", "interval_s": 0.3})
    table = {"family": "modbus", "name": "bus-1", "port": tmp_path / "rs485", "timeout_s": 0.3, "retry_max_s": 1}
    made = FAMILY.make(ModbusConfig.model_validate(table | {"device": devices}))
    assert isinstance(made, ModbusDriver)
    return made


def test_every_metric_arrives_and_the_ledger_agrees(tmp_path: Path, bus: ModbusBus, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        until(lambda: len(ledger.values(METER, "energy-total")) >= 4 and agent.readings(CABINET, "humidity"))
    told = ledger.values(METER, "energy-total")
    assert agent.values(METER, "energy-total")[: len(told)] == told
    assert len(set(told)) == len(told)
    assert [c for d, m, c, _ in ledger.entries if (d, m) == (METER, "energy-total")] == list(range(1, len(told) + 1))
    assert agent.values(METER, "voltage")[0] == pytest.approx(230, abs=12)
    assert agent.values(METER, "frequency")[0] == pytest.approx(50, abs=0.1)
    assert agent.values(CABINET, "temperature")[0] == 4.0
    assert agent.values(CABINET, "humidity")[0] == 62.0
    assert agent.online == {METER: True, CABINET: True}


def test_a_dead_unit_is_reported_and_does_not_stop_the_others(tmp_path: Path, bus: ModbusBus) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path, ghost=True)):
        until(lambda: agent.online.get(GHOST) is False)
        before = len(agent.readings(METER, "voltage"))
        until(lambda: len(agent.readings(METER, "voltage")) >= before + 5)
    assert agent.error_code(GHOST) == "edge.driver.modbus.silent"
    assert "9" in str(agent.errors[GHOST])
    assert agent.online[METER]
    assert agent.online[CABINET]


def test_a_meter_without_mains_is_silent_and_comes_back(tmp_path: Path, bus: ModbusBus, cabinet: Thermometer) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        until(lambda: agent.online.get(METER))
        bus.triggers()["power-cut"](METER, {})
        until(lambda: agent.online[METER] is False)
        assert agent.online[CABINET], "the thermometer has a battery"
        bus.step(0, 3600)
        assert cabinet.temperature > 8
        until(lambda: agent.values(CABINET, "temperature")[-1] == round(cabinet.temperature, 1))
        bus.triggers()["power-restore"](METER, {})
        until(lambda: agent.online[METER])
    energy = agent.values(METER, "energy-total")
    assert energy == sorted(energy, key=float)  # type: ignore[arg-type]


def test_unplugged_and_plugged_in_again(tmp_path: Path, bus: ModbusBus) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        until(lambda: agent.online.get(METER))
        bus.triggers()["unplug"](METER, {})
        until(lambda: agent.online == {METER: False, CABINET: False})
        assert agent.error_code(METER) == "edge.driver.modbus.line-away"
        bus.triggers()["plug"](METER, {})
        until(lambda: agent.online == {METER: True, CABINET: True})
        before = len(agent.readings(METER, "voltage"))
        until(lambda: len(agent.readings(METER, "voltage")) > before)


def test_a_line_that_is_not_there_yet(tmp_path: Path) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        until(lambda: agent.error_code(METER) == "edge.driver.modbus.line-away")


def test_noise_gives_no_value_and_passes(tmp_path: Path, bus: ModbusBus, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        until(lambda: agent.online.get(METER))
        bus.triggers()["noise"](METER, {"replies": 6})
        until(lambda: agent.error_code(METER) == "edge.driver.modbus.garbled")
        until(lambda: agent.online == {METER: True, CABINET: True})
        before = len(ledger.values(METER, "energy-total"))
        until(lambda: len(ledger.values(METER, "energy-total")) > before + 1)
    told = ledger.values(METER, "energy-total")
    assert set(told) <= set(agent.values(METER, "energy-total")), "nothing that was told is missing"
    assert len(set(agent.values(METER, "energy-total"))) == len(agent.values(METER, "energy-total"))
    assert {r.quality for r in agent.readings(METER, "voltage")} == {"good"}


def test_slow_answers_are_waited_for_and_late_ones_are_no_values(tmp_path: Path, bus: ModbusBus) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        until(lambda: agent.online == {METER: True, CABINET: True})
        bus.triggers()["slow"](METER, {"seconds": 0.1})
        before = len(agent.values(CABINET, "temperature"))
        until(lambda: len(agent.values(CABINET, "temperature")) > before + 2)
        bus.triggers()["slow"](METER, {"seconds": 3.0})
        until(lambda: agent.online == {METER: False, CABINET: False})
        assert agent.error_code(METER) == "edge.driver.modbus.silent"
        bus.triggers()["slow"](METER, {"seconds": 0})
        until(lambda: agent.online == {METER: True, CABINET: True})
    totals = agent.values(METER, "energy-total")
    assert totals == sorted(set(totals))  # type: ignore[type-var]
    assert set(agent.values(CABINET, "temperature")) == {4.0}


def test_a_reply_is_handed_on_before_the_next_request(tmp_path: Path, bus: ModbusBus, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        until(lambda: ledger.values(METER, "energy-total"))
        agent.refusals = 3
        until(lambda: agent.refusals == 0)
        before = len(ledger.entries)
        until(lambda: len(ledger.entries) > before + 1)
    assert set(ledger.values(METER, "energy-total")) <= set(agent.values(METER, "energy-total"))


def test_a_warming_cabinet_shows(tmp_path: Path, bus: ModbusBus) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        bus.triggers()["cold-chain-warm"](CABINET, {})
        bus.step(0, 60)
        until(lambda: [v for v in agent.values(CABINET, "temperature") if isinstance(v, float) and v > 8])


def test_counters_go_on_after_a_restart_of_the_bus(tmp_path: Path, bus: ModbusBus, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(tmp_path)):
        until(lambda: len(ledger.entries) >= 2)
        bus.stop()
        again = ModbusBus(
            PtyLine(tmp_path / "rs485"), [PowerMeter(METER, 1, random.Random(9))], ledger=ledger, rng=random.Random(3)
        )
        again.restore(bus.state())
        again.start()
        try:
            count = len(ledger.entries)
            until(lambda: len(ledger.entries) > count + 1)
        finally:
            again.stop()
    counters = [counter for _, _, counter, _ in ledger.entries]
    assert counters == list(range(1, len(counters) + 1))
    told = ledger.values(METER, "energy-total")
    assert len(set(told)) == len(told)


def test_there_is_nothing_to_switch(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        driver(tmp_path).act(METER, "release", True, 1)
    assert refused.value.code == "edge.driver.modbus.no-output"


def test_a_unit_is_read_at_once_beside_its_turns(tmp_path: Path, bus: ModbusBus) -> None:
    agent, modbus = Agent(), driver(tmp_path, slow=True)
    with agent.running(modbus):
        until(lambda: agent.readings(CABINET, "humidity") and agent.readings(METER, "energy-total"))
        before = len(agent.readings(METER, "voltage"))
        modbus.read(METER, 10)
        assert len(agent.readings(METER, "voltage")) == before + 1, "what it answered was handed on before"
        assert len(agent.readings(CABINET, "temperature")) == 1
        with pytest.raises(DeviceError, match="does not answer"):
            modbus.read(GHOST, 10)
    with pytest.raises(DeviceError):
        modbus.read(METER, 0.2)
