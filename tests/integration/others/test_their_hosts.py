"""Our agent, a process of its own, is read by hosts made with other people's libraries."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from protocols.sparkplug.state import HostState, encode_state
from tests.integration.ingest.gateway import wait_for
from tests.integration.others.conftest import Gate, Peer, Wire
from tests.services.brokers import Broker
from tools.sparkplug_table import read

pytestmark = pytest.mark.needs("others", "mosquitto")

CONFIG = """
[gateway]
group = "others"
node = "our-agent"
data = "{data}"
health_s = 1

[uplink]
host = "127.0.0.1"
port = {port}
primary_host = "their-host"
delivery = "plain"
flush_s = 0.1

[[driver]]
family = "zigbee2mqtt"
name = "zigbee"
host = "127.0.0.1"
port = {port}
device = [{{ id = "smoke-1", type = "smoke" }}]
"""


class Somebody:
    """Who says STATE for hosts that do not, and what a Zigbee bridge says."""

    def __init__(self, port: int) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="somebody")
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def state(self, *, online: bool) -> None:
        payload = encode_state(HostState(online=online, timestamp_ms=time.time_ns() // 1_000_000))
        self._client.publish("spBv1.0/STATE/their-host", payload, 1, retain=True).wait_for_publish(10)

    def smoke(self, *, smoke: bool, battery: int) -> None:
        payload = json.dumps({"smoke": smoke, "battery": battery})
        self._client.publish("zigbee2mqtt/smoke-1", payload, 1).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def somebody(broker: Broker) -> Iterator[Somebody]:
    made = Somebody(broker.port)
    yield made
    made.close()


@pytest.fixture
def agent(gate: Gate, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(data=tmp_path / "data", port=gate.port))
    process = subprocess.Popen([sys.executable, "-m", "liandong", "edge", "run", "--config", config])
    yield process
    process.kill()
    process.wait(10)


@pytest.mark.parametrize(
    ("name", "script", "says_state", "devices", "rebirths"),
    [
        ("pysparkplug", "pysparkplug_host.py", True, True, True),
        ("spb-wrapper", "spb_wrapper_host.py", False, True, True),
        ("aiospb", "aiospb_host.py", True, False, False),
        ("sparkplug-client", "sparkplug_payload_host.js", False, True, True),
    ],
)
def test_their_host_reads_our_agent(
    name: str,
    script: str,
    says_state: bool,
    devices: bool,
    rebirths: bool,
    gate: Gate,
    wire: Wire,
    somebody: Somebody,
    agent: subprocess.Popen[bytes],
) -> None:
    host = Peer(name, script, str(gate.port), "others", "their-host")
    try:
        if not says_state:
            wait_for(lambda: host.said, f"{name} listens")
            somebody.state(online=True)
        wait_for(lambda: host.told("NBIRTH", None, "bdSeq"), f"{name} hears the birth")
        assert host.told("NBIRTH", None, "Node Control/Rebirth") == [False]
        wait_for(lambda: any(host.told("NDATA", None, "memory")), f"{name} reads data")
        if devices:
            wait_for(lambda: host.told("DBIRTH", "smoke-1", "battery"), f"{name} hears the device's birth")
            somebody.smoke(smoke=True, battery=77)
            wait_for(lambda: 77 in host.told("DDATA", "smoke-1", "battery"), f"{name} reads a number")
            wait_for(lambda: True in host.told("DDATA", "smoke-1", "smoke"), f"{name} reads a boolean")
        if rebirths:
            host.asks("our-agent")
            wait_for(lambda: len(host.told("NBIRTH", None, "bdSeq")) == 2, f"{name} is answered")
            wait_for(lambda: 77 in host.told("DBIRTH", "smoke-1", "battery"), f"{name} learns what is now")
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(30) == 0
        wait_for(lambda: any(said["type"] == "NDEATH" for said in host.said), f"{name} hears the end")
        host.leave()
    finally:
        host.kill()
    assert wire.of_nodes() == set()
    assert wire.of_hosts() == set(read().hosts[name].rules)
