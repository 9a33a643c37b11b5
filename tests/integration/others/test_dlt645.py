"""DL/T 645 against somebody else's implementation: it reads our simulated meter, and our driver reads its meter."""

from __future__ import annotations

import random

import pytest

from edge.drivers.meters import FAMILY, MetersConfig
from simulators.hardware.meters import ElectricityMeter, MeterBus
from simulators.hardware.tcp_line import TcpLine
from tests.integration.modbus.agent import Agent, Ledger, until
from tests.integration.others.conftest import Peer
from tests.services.ports import free_port

pytestmark = pytest.mark.needs("others")

ADDRESS = "000012345678"
AS_SENT = "785634120000"
"""They take an address in the order of the wire; on a meter, and in our configuration, it stands as people read it."""


def test_their_client_reads_our_meter() -> None:
    line = TcpLine()
    meter = ElectricityMeter("m", ADDRESS, random.Random(1), begin=12_345_677)
    bus = MeterBus(line, [meter], ledger=Ledger(), rng=random.Random(1), baud=115_200)
    bus.start()
    peer = Peer("dlt645", "dlt645_client.py", str(line.port), AS_SENT)
    try:
        until(lambda: peer.said, 30)
        values = peer.said[0]["values"]
        assert values["energy"] == 123456.78
        assert values["voltage"] == pytest.approx(225, abs=5)
        assert values["power"] == 0.3
        assert values["current"] == pytest.approx(300 / values["voltage"], abs=0.05)
        peer.leave()
    finally:
        peer.kill()
        bus.stop()


def test_our_driver_reads_their_meter() -> None:
    port = free_port()
    peer = Peer("dlt645", "dlt645_server.py", str(port), AS_SENT)
    device = {"id": "m", "type": "power-meter", "protocol": "dlt645", "address": ADDRESS, "interval_s": 0.5}
    table = {"family": "meters", "name": "theirs", "tcp": f"127.0.0.1:{port}", "device": [device]}
    agent = Agent()
    try:
        until(lambda: peer.said, 30)
        with agent.running(FAMILY.make(MetersConfig.model_validate(table))):
            until(lambda: len(agent.readings("m", "power")) >= 2)
    finally:
        peer.kill()
    assert set(agent.values("m", "energy-import")) == {123456.78}
    assert set(agent.values("m", "voltage")) == {230.1}
    assert set(agent.values("m", "current")) == {1.234}
    assert set(agent.values("m", "power")) == {283.9}
    assert agent.online == {"m": True}
