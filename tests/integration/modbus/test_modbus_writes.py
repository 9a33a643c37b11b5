"""Outputs of real frames: a coil, a register, a float; each is read back, and what was not kept is an error."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from edge.drivers.modbus import FAMILY, ModbusConfig, ModbusDriver
from protocols.errors import DeviceError, RefusedError
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus import ModbusBus, RelayBoard, Slave, Thermostat
from simulators.hardware.tcp_line import TcpLine
from tests.integration.modbus.agent import Agent, Ledger, until

RELAYS, WALL, GHOST = "relays", "wall", "ghost"
WALL_PROFILE = """
name = "wall"
type = "thermostat"
model = "Wall thermostat"
source = "tests"
order = "CDAB"
[[register]]
metric = "temperature"
table = "holding"
address = 0
format = "int16"
scale = 0.1
[[register]]
metric = "setpoint"
table = "holding"
address = 10
format = "float32"
[[register]]
metric = "switched-on"
table = "coil"
address = 0
format = "bit"
[[output]]
output = "setpoint"
address = 10
format = "float32"
low = 0
high = 60
[[output]]
output = "switched-on"
table = "coil"
address = 0
format = "bit"
"""


@pytest.fixture
def relays() -> RelayBoard:
    return RelayBoard(RELAYS, 3, random.Random(1))


@pytest.fixture(params=["rtu", "tcp"])
def bus(request: pytest.FixtureRequest, tmp_path: Path, relays: RelayBoard) -> Iterator[ModbusBus]:
    framing: Literal["rtu", "tcp"] = "tcp" if request.param == "tcp" else "rtu"
    line = TcpLine() if framing == "tcp" else PtyLine(tmp_path / "rs485")
    units: list[Slave] = [relays, Thermostat(WALL, 4, random.Random(2))]
    made = ModbusBus(line, units, ledger=Ledger(), rng=random.Random(3), baud=38_400, framing=framing)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def driver(bus: ModbusBus, tmp_path: Path) -> ModbusDriver:
    profile = tmp_path / "wall.toml"
    profile.write_text(WALL_PROFILE, "utf-8")
    line: dict[str, Any] = (
        {"tcp": f"127.0.0.1:{bus.line.port}"} if isinstance(bus.line, TcpLine) else {"port": tmp_path / "rs485"}
    )
    several = ["relay-1", "relay-8"]
    devices = [
        {"id": RELAYS, "type": "relay", "unit": 3, "profile": "waveshare-relay-8", "writable": several},
        {"id": WALL, "type": "thermostat", "unit": 4, "profile_file": profile, "writable": ["setpoint", "switched-on"]},
        {"id": GHOST, "type": "relay", "unit": 5, "profile": "waveshare-relay-8", "writable": several},
    ]
    table = {"family": "modbus", "name": "bus-1", "baud": 38_400, "timeout_s": 0.3, "retry_max_s": 1} | line
    made = FAMILY.make(ModbusConfig.model_validate(table | {"device": [{"interval_s": 3600} | one for one in devices]}))
    assert isinstance(made, ModbusDriver)
    return made


def test_what_is_written_is_there_and_is_told(bus: ModbusBus, relays: RelayBoard, tmp_path: Path) -> None:
    agent, modbus = Agent(), driver(bus, tmp_path)
    with agent.running(modbus):
        until(lambda: agent.values(RELAYS, "relay-8") == [False] and agent.values(WALL, "switched-on") == [True])
        modbus.act(RELAYS, "relay-8", True, 10)
        assert relays.coils == [0, 0, 0, 0, 0, 0, 0, 1]
        assert agent.values(RELAYS, "relay-8") == [False, True], "the new state is told with the confirmation"
        modbus.act(RELAYS, "relay-8", False, 10)
        assert relays.coils == [0] * 8
        modbus.act(WALL, "setpoint", 22.25, 10)
        assert agent.values(WALL, "setpoint")[-1] == 22.25
        modbus.act(WALL, "switched-on", False, 10)
        assert agent.values(WALL, "switched-on")[-1] is False


def test_what_the_unit_does_not_keep_is_an_error(bus: ModbusBus, relays: RelayBoard, tmp_path: Path) -> None:
    agent, modbus = Agent(), driver(bus, tmp_path)
    with agent.running(modbus):
        until(lambda: agent.online.get(RELAYS) and agent.online.get(WALL))
        bus.triggers()["stuck"](RELAYS, {})
        bus.triggers()["stuck"](WALL, {})
        with pytest.raises(DeviceError) as wrong:
            modbus.act(RELAYS, "relay-1", True, 10)
        assert wrong.value.code == "edge.driver.modbus.not-kept"
        with pytest.raises(DeviceError, match=r"holds 20\.0"):
            modbus.act(WALL, "setpoint", 25, 10)
        with pytest.raises(DeviceError) as silent:
            modbus.act(GHOST, "relay-1", True, 10)
        assert silent.value.code in ("edge.driver.modbus.silent", "edge.driver.modbus.behind")


def test_what_was_written_and_cannot_be_read_back_is_told_as_that(
    bus: ModbusBus, relays: RelayBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, modbus = Agent(), driver(bus, tmp_path)
    with agent.running(modbus):
        until(lambda: agent.online.get(RELAYS))
        monkeypatch.setattr(relays, "read", lambda *_: 4)
        with pytest.raises(DeviceError) as unread:
            modbus.act(RELAYS, "relay-1", True, 10)
        assert unread.value.code == "edge.driver.modbus.written-unread"
        assert "exception 4" in str(unread.value)
    assert relays.coils[0] == 1


def test_what_is_not_allowed_never_reaches_the_line(bus: ModbusBus, relays: RelayBoard, tmp_path: Path) -> None:
    agent, modbus = Agent(), driver(bus, tmp_path)
    with agent.running(modbus):
        until(lambda: agent.online.get(RELAYS) and agent.online.get(WALL) and GHOST in agent.online)
        for device, output, value, code in (
            (RELAYS, "relay-2", True, "edge.driver.modbus.no-output"),
            (RELAYS, "relay-1", 1, "protocols.modbus.needs-switch"),
            (WALL, "setpoint", 61, "protocols.modbus.out-of-range"),
        ):
            with pytest.raises(RefusedError) as refused:
                modbus.act(device, output, value, 10)
            assert refused.value.code == code
        with pytest.raises(DeviceError) as unit:
            modbus.act(WALL, "setpoint", 36, 10)
        assert unit.value.code == "edge.driver.modbus.not-writable", "the unit itself takes 5 to 35"
    assert relays.coils == [0] * 8
    with pytest.raises(DeviceError) as down:
        modbus.act(RELAYS, "relay-1", True, 0.1)
    assert down.value.code == "edge.driver.modbus.unconfirmed"
