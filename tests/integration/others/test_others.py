"""Nodes made with other people's libraries feed our cloud; what they do otherwise is known, and listed in the docs."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cloud.ingest.worker import IngestWorker
from protocols.sparkplug.monitor import Monitor
from protocols.sparkplug.state import HostState, encode_state
from tests.integration.ingest.conftest import (  # noqa: F401 - fixtures
    database,
    facts,
    rows,
    start_worker,
    worker,
)
from tests.integration.ingest.gateway import wait_for
from tests.services.brokers import Broker
from tests.services.capabilities import sparkplug_others_folder
from tools.sparkplug_table import read

PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[3]
Rows = Callable[[str], list[dict[str, Any]]]
pytestmark = pytest.mark.needs("sparkplug-others", "mosquitto")

READINGS = """
SELECT g.code AS node, d.code AS device, metric, value
FROM reading JOIN series s ON s.id = series_id JOIN device d ON d.id = device_id JOIN gateway g ON g.id = gateway_id
ORDER BY ts
"""


@pytest.fixture
def broker(mosquitto_broker: Broker) -> Broker:
    """Mosquitto: iotcore does not take the client id of aiospb."""
    return mosquitto_broker


class Peer:
    """A node of somebody else's making."""

    def __init__(self, name: str, script: str, port: int) -> None:
        python = sparkplug_others_folder() / name / "bin" / "python"
        self._process = subprocess.Popen(
            [python, PEERS / script, str(port)], stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )

    def leave(self) -> None:
        """The graceful way of its library."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0

    def kill(self) -> None:
        """Whatever happened."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def monitor(broker: Broker) -> Iterator[Callable[[], set[str]]]:
    """Which MUSTs the nodes broke so far, the first id of each."""
    found: set[str] = set()
    listening, subscribed = Monitor(), threading.Event()

    def heard(_client: Client, _data: Any, message: Any) -> None:
        violations = listening.heard(
            message.topic, message.payload, qos=None, retain=message.retain, at_ms=time.time_ns() // 1_000_000
        )
        found.update(v.rule.removeprefix("tck-id-") for v in violations if v.must and v.node.startswith("others/"))

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message, client.on_subscribe = heard, lambda *_: subscribed.set()
    client.connect(broker.host, broker.port)
    client.subscribe("spBv1.0/#", 1)
    client.loop_start()
    assert subscribed.wait(20)
    online = encode_state(HostState(online=True, timestamp_ms=time.time_ns() // 1_000_000))
    client.publish("spBv1.0/STATE/cloud", online, 1, retain=True).wait_for_publish(10)
    yield lambda: found
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize(
    ("name", "script", "values"),
    [
        ("pysparkplug", "pysparkplug_node.py", {("Flow", -12.0), ("Flow", -13.0), ("Heat", 20.5), ("Heat", 21.5)}),
        ("spb-wrapper", "spb_wrapper_node.py", {("DATA/Flow", -12.0), ("DATA/Heat", 20.5)}),
        ("aiospb", "aiospb_node.py", {("Flow", 19.5), ("Flow", 21.5)}),
    ],
)
def test_their_node_feeds_our_cloud(
    name: str,
    script: str,
    values: set[tuple[str, float]],
    worker: IngestWorker,  # noqa: F811
    broker: Broker,
    rows: Rows,  # noqa: F811
    monitor: Callable[[], set[str]],
) -> None:
    peer = Peer(name, script, broker.port)
    try:
        wait_for(lambda: values <= {(row["metric"], row["value"]) for row in rows(READINGS)}, f"{name}'s values")
        assert {row["node"] for row in rows(READINGS)} == {name}
        peer.leave()
    finally:
        peer.kill()
    declared = set(read().others[name].rules)
    wait_for(lambda: declared <= monitor(), f"{declared} of {name}")
    if "payloads-ndeath-bdseq" not in declared:  # else its death is that of a session that nobody knows
        wait_for(lambda: not rows("SELECT FROM gateway WHERE online"), f"{name} is gone")
    assert monitor() == declared
