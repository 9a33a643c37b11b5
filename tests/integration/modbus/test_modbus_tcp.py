"""The driver against simulated units over TCP: a gateway that speaks Modbus TCP, and RTU frames in a stream."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from edge.drivers.modbus import FAMILY, ModbusConfig, ModbusDriver
from protocols.errors import DeviceError
from simulators.hardware.modbus import ModbusBus, PowerMeter, Slave, Thermometer
from simulators.hardware.tcp_line import TcpLine
from tests.integration.modbus.agent import Agent, Ledger, until

METER, CABINET, GHOST = "meter-1", "coldchain-1", "ghost"
Framing = Literal["rtu", "tcp"]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(params=["tcp", "rtu"])
def framing(request: pytest.FixtureRequest) -> Framing:
    return "tcp" if request.param == "tcp" else "rtu"


@pytest.fixture
def bus(framing: Framing, ledger: Ledger) -> Iterator[ModbusBus]:
    units: list[Slave] = [PowerMeter(METER, 1, random.Random(1)), Thermometer(CABINET, 2, random.Random(2))]
    made = ModbusBus(TcpLine(), units, ledger=ledger, rng=random.Random(3), baud=38_400, framing=framing)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def driver(bus: ModbusBus, framing: Framing, *, ghost: bool = False, **more: Any) -> ModbusDriver:
    assert isinstance(bus.line, TcpLine)
    devices = [
        {"id": METER, "type": "power-meter", "unit": 1, "profile": "eastron-sdm120", "interval_s": 0.3},
        {"id": CABINET, "type": "cold-chain", "unit": 2, "profile": "xy-md02", "interval_s": 0.3},
    ]
    if ghost:
        devices.append({"id": GHOST, "type": "climate", "unit": 9, "profile": "xy-md02", "interval_s": 0.3})
    table = {"family": "modbus", "name": "gw", "tcp": f"127.0.0.1:{bus.line.port}", "framing": framing, "baud": 38_400}
    table |= {"timeout_s": 0.4, "retry_max_s": 1} | more
    made = FAMILY.make(ModbusConfig.model_validate(table | {"device": devices}))
    assert isinstance(made, ModbusDriver)
    return made


def test_every_metric_arrives_and_the_ledger_agrees(bus: ModbusBus, framing: Framing, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(bus, framing)):
        until(lambda: len(ledger.values(METER, "energy-total")) >= 4 and agent.readings(CABINET, "humidity"))
    told = ledger.values(METER, "energy-total")
    assert agent.values(METER, "energy-total")[: len(told)] == told
    assert agent.values(CABINET, "temperature")[0] == 4.0
    assert agent.online == {METER: True, CABINET: True}


def test_a_unit_that_is_not_there(bus: ModbusBus, framing: Framing) -> None:
    agent = Agent()
    with agent.running(driver(bus, framing, ghost=True)):
        until(lambda: agent.online.get(GHOST) is False)
        before = len(agent.readings(METER, "voltage"))
        until(lambda: len(agent.readings(METER, "voltage")) >= before + 4)
    assert agent.error_code(GHOST) == f"edge.driver.modbus.{'behind' if framing == 'tcp' else 'silent'}"
    assert agent.transitions.count((METER, False)) == 0


def test_the_server_goes_away_and_comes_back(bus: ModbusBus, framing: Framing) -> None:
    agent = Agent()
    with agent.running(driver(bus, framing)):
        until(lambda: agent.online == {METER: True, CABINET: True})
        bus.triggers()["unplug"](METER, {})
        until(lambda: agent.online == {METER: False, CABINET: False})
        assert agent.error_code(METER) == "edge.driver.modbus.server-away"
        bus.triggers()["plug"](METER, {})
        until(lambda: agent.online == {METER: True, CABINET: True})
        before = len(agent.readings(METER, "voltage"))
        until(lambda: len(agent.readings(METER, "voltage")) > before)


def test_answers_that_come_too_late_are_taken_for_no_others(bus: ModbusBus, framing: Framing) -> None:
    agent = Agent()
    with agent.running(driver(bus, framing, timeout_s=0.15)):
        until(lambda: agent.online == {METER: True, CABINET: True})
        asked = bus.requests
        bus.triggers()["slow"](METER, {"seconds": 0.3})
        until(lambda: bus.requests > asked + 6)
        bus.triggers()["slow"](METER, {"seconds": 0})
        seen = len(agent.values(METER, "energy-total"))
        until(lambda: len(agent.values(METER, "energy-total")) > seen + 2)
    totals = agent.values(METER, "energy-total")
    assert totals == sorted(set(totals))  # type: ignore[type-var]
    assert set(agent.values(CABINET, "temperature")) == {4.0}


@pytest.mark.parametrize("framing", ["rtu"], indirect=True)
def test_a_damaged_frame_gives_no_value(bus: ModbusBus, framing: Framing) -> None:
    """A serial server passes on what its line damages: RTU has its check sum. TCP's own is the kernel's business."""
    agent = Agent()
    with agent.running(driver(bus, framing)):
        until(lambda: agent.online == {METER: True, CABINET: True})
        bus.triggers()["noise"](METER, {"replies": 5})
        seen = len(agent.values(CABINET, "temperature"))
        until(lambda: len(agent.values(CABINET, "temperature")) > seen + 3)
    assert set(agent.values(CABINET, "temperature")) == {4.0}


def test_a_unit_is_read_at_once_over_tcp(bus: ModbusBus, framing: Framing) -> None:
    agent, modbus = Agent(), driver(bus, framing, ghost=True, retry_max_s=3600)
    with agent.running(modbus):
        until(lambda: agent.online.get(GHOST) is False)
        before = len(agent.readings(METER, "voltage"))
        modbus.read(METER, 10)
        assert len(agent.readings(METER, "voltage")) > before
        with pytest.raises(DeviceError):
            modbus.read(GHOST, 10)
