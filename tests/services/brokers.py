"""MQTT brokers as child processes: iotcore (the embedded default) and Mosquitto (the one-server default)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.capabilities import find_mosquitto
from tests.services.ports import LOOPBACK, end, free_port, wait_until_open

MAX_PACKET_BYTES = 2 * 1024 * 1024
"""Births may have 1 MB."""

IOTCORE_LISTENER = """
[{version}.local]
name = "{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{version}.local.connections]
connection_timeout_ms = 60000
max_payload_size = {max_packet}
max_inflight_count = 100
dynamic_filters = true
"""

IOTCORE_ROUTER = """
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
"""

MOSQUITTO = """
listener {port} {host}
allow_anonymous true
persistence false
max_packet_size {max_packet}
max_queued_messages 0
set_tcp_nodelay true
log_type error
log_type warning
"""

Launch = Callable[["Broker"], "subprocess.Popen[bytes]"]


class Broker:
    """A broker on fixed loopback ports that a test may kill and start again. Forgets everything in between.

    `port` takes MQTT 3.1.1, `port_v5` MQTT 5; with Mosquitto they are the same, iotcore speaks one version per port.
    """

    host = LOOPBACK

    def __init__(self, *, name: str, port: int, port_v5: int, launch: Launch) -> None:
        self.name = name
        self.port = port
        self.port_v5 = port_v5
        self._launch = launch
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id while running. Raises RuntimeError when stopped."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it accepts connections. Raises RuntimeError when it does not."""
        process = self._launch(self)
        try:
            for port in {self.port, self.port_v5}:
                wait_until_open(port, process)
        except BaseException:
            end(process)
            raise
        self._process = process

    def stop(self) -> None:
        """Stop in order; does nothing when stopped."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def kill(self) -> None:
        """Kill -9, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


def iotcore(folder: Path) -> Broker:
    """An iotcore broker, not yet started."""
    config = folder / "iotcore.toml"

    def launch(broker: Broker) -> subprocess.Popen[bytes]:
        listeners = (
            IOTCORE_LISTENER.format(version=version, host=LOOPBACK, port=port, max_packet=MAX_PACKET_BYTES)
            for version, port in (("v4", broker.port), ("v5", broker.port_v5))
        )
        config.write_text(IOTCORE_ROUTER + "".join(listeners), encoding="ascii")
        command = [sys.executable, "-m", "iotcore", "--config", str(config), "--log-level", "CRITICAL"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    return Broker(name="iotcore", port=free_port(), port_v5=free_port(), launch=launch)


def mosquitto(folder: Path) -> Broker:
    """A Mosquitto broker, not yet started. Raises RuntimeError when the machine has none."""
    program = find_mosquitto()
    if program is None:
        raise RuntimeError("Mosquitto is missing: mark the test with pytest.mark.needs('mosquitto')")
    config = folder / "mosquitto.conf"

    def launch(broker: Broker) -> subprocess.Popen[bytes]:
        config.write_text(
            MOSQUITTO.format(host=LOOPBACK, port=broker.port, max_packet=MAX_PACKET_BYTES), encoding="ascii"
        )
        # Started by root it would change to its own user, who cannot read the folder of the test.
        user = ["user root"] if os.geteuid() == 0 else []
        with config.open("a", encoding="ascii") as text:
            text.writelines(f"{line}\n" for line in user)
        return subprocess.Popen([program, "-c", str(config)], stdin=subprocess.DEVNULL)

    port = free_port()
    return Broker(name="mosquitto", port=port, port_v5=port, launch=launch)


def _running(make: Callable[[Path], Broker]) -> Iterator[Broker]:
    with tempfile.TemporaryDirectory(prefix="liandong-broker-") as folder:
        broker = make(Path(folder))
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


@pytest.fixture
def iotcore_broker() -> Iterator[Broker]:
    """A running iotcore for this test alone."""
    yield from _running(iotcore)


@pytest.fixture
def mosquitto_broker() -> Iterator[Broker]:
    """A running Mosquitto for this test alone; the test must be marked `needs("mosquitto")`."""
    yield from _running(mosquitto)
