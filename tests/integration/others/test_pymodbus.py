"""Our Modbus driver and scan against a server of another major version of pymodbus, in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.modbus import FAMILY, ModbusConfig, ModbusDriver
from edge.scan.findings import Budget, Found
from edge.scan.search import search
from simulators.hardware.line import PtyLine
from tests.integration.modbus.agent import Agent, until
from tests.integration.others.conftest import Peer, cable
from tests.services.ports import free_port

pytestmark = pytest.mark.needs("others")

OWN = """
name = "own"
type = "thermostat"
model = "what a server of pymodbus holds"
source = "tests"
order = "DCBA"
[[register]]
metric = "setpoint"
table = "holding"
address = 10
format = "float32"
[[register]]
metric = "switched-on"
table = "coil"
address = 3
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
address = 3
format = "bit"
"""


@pytest.fixture(params=["rtu", "tcp"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Their server, and where the driver finds it."""
    ours, theirs = PtyLine(tmp_path / "ours"), PtyLine(tmp_path / "theirs")
    with cable(ours, theirs):
        port = free_port()
        where = str(port) if request.param == "tcp" else str(theirs.path)
        peer = Peer("pymodbus2", "pymodbus2_server.py", request.param, where)
        try:
            until(lambda: peer.said, 30)
            yield {"tcp": f"127.0.0.1:{port}"} if request.param == "tcp" else {"port": str(ours.path)}
        finally:
            peer.kill()


def driver(server: dict[str, Any], device: dict[str, Any]) -> ModbusDriver:
    table = {"family": "modbus", "name": "theirs", "baud": 38_400, "timeout_s": 1, "retry_max_s": 1} | server
    made = FAMILY.make(ModbusConfig.model_validate(table | {"device": [{"unit": 7, "interval_s": 0.4} | device]}))
    assert isinstance(made, ModbusDriver)
    return made


def test_our_driver_reads_their_meter(server: dict[str, Any]) -> None:
    agent = Agent()
    with agent.running(driver(server, {"id": "m", "type": "power-meter", "profile": "eastron-sdm120"})):
        until(lambda: len(agent.readings("m", "energy-total")) >= 3, 30)
    assert set(agent.values("m", "voltage")) == {230.5}
    assert set(agent.values("m", "power")) == {345.75}
    assert set(agent.values("m", "energy-import")) == {123.25}
    assert set(agent.values("m", "energy-total")) == {125.5}
    assert agent.online == {"m": True}


def test_our_driver_writes_and_reads_back(server: dict[str, Any], tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(OWN, "utf-8")
    device = {"id": "w", "type": "thermostat", "profile_file": own, "writable": ["setpoint", "switched-on"]}
    agent, modbus = Agent(), driver(server, device)
    with agent.running(modbus):
        until(lambda: agent.online.get("w"), 30)
        modbus.act("w", "setpoint", 21.5, 20)
        modbus.act("w", "switched-on", True, 20)
        assert agent.values("w", "setpoint")[-1] == 21.5
        assert agent.values("w", "switched-on")[-1] is True


def test_our_scan_finds_their_unit(server: dict[str, Any]) -> None:
    where = server.get("tcp") or server["port"]
    told = list(search([where], ["modbus"], [6, 7, 8], {}, Budget(60)))
    assert [(one.address, one.model) for one in told if isinstance(one, Found)] == [(7, "eastron-sdm120")]
