"""What our node and our host write into CONNECT, read from the wire by a socket that plays the broker."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cloud.ingest.link import Broker
from cloud.ingest.link import Link as HostLink
from edge.config import UplinkTable
from edge.uplink.link import Link as NodeLink
from edge.uplink.signals import Signals
from protocols.sparkplug.actions import Now, Publish, Subscribe
from protocols.sparkplug.edge_node import EdgeNode
from protocols.sparkplug.monitor import Connect, Monitor
from protocols.sparkplug.state_holder import StateHolder
from protocols.sparkplug.topics import state_topic
from tests.services.ports import LOOPBACK
from tests.unit.sparkplug.agent import View

CONNACK = b"\x20\x02\x00\x00"


class Recorder:
    """Accepts connections, keeps the CONNECT of each, and says welcome."""

    def __init__(self) -> None:
        self._socket = socket.create_server((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self.connects: list[bytes] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def first(self) -> bytes:
        deadline = time.monotonic() + 20
        while not self.connects:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.connects[0]

    def close(self) -> None:
        for each in (*self._open, self._socket):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                came, _ = self._socket.accept()
                self._open.append(came)
                packet = came.recv(65536)
                came.sendall(CONNACK)
                self.connects.append(packet)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.close()


def facts(packet: bytes) -> Connect:
    """The clean flag and the will of a CONNECT (MQTT 3.1.1, 3.1.2 and 3.1.3)."""
    assert packet[0] == 0x10
    rest = packet[1:]
    while rest[0] & 0x80:
        rest = rest[1:]
    rest = rest[1:]
    protocol, rest = _field(rest)
    level, flags, rest = rest[0], rest[1], rest[4:]
    assert (protocol, level) == (b"MQTT", 4)
    _, rest = _field(rest)
    will = None
    if flags & 0x04:
        topic, rest = _field(rest)
        payload, rest = _field(rest)
        will = Publish(topic=topic.decode(), payload=payload, qos=flags >> 3 & 3, retain=bool(flags & 0x20))
    return Connect(clean=bool(flags & 0x02), will=will)


def _field(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:2])
    return data[2 : 2 + size], data[2 + size :]


def test_node(recorder: Recorder) -> None:
    """tck-id-principles-persistence-clean-session-311; one server, one connection.

    tck-id-operational-behavior-primary-application-state-with-multiple-servers-single-server
    """
    node = EdgeNode(group="estate", node="gw1", view=View(), primary_host="cloud")
    now = Now(at=0, utc_ms=time.time_ns() // 1_000_000)
    settings = UplinkTable(host=LOOPBACK, port=recorder.port)
    link = NodeLink(settings, "estate-gw1", node.connect(7, now), Signals(), written=False)
    try:
        found = facts(recorder.first())
        assert found.clean
        assert Monitor().node_connected(("estate", "gw1"), found, now.utc_ms) == []
        assert len(recorder.connects) == 1
    finally:
        link.close()


def test_host(recorder: Recorder) -> None:
    """tck-id-message-flow-phid-sparkplug-clean-session-311."""
    holder = StateHolder("cloud")
    now_ms = time.time_ns() // 1_000_000
    link = HostLink(
        Broker(host=LOOPBACK, port=recorder.port),
        "state",
        Subscribe(filters=(state_topic("cloud"),)),
        on_message=lambda _: None,
        on_up=lambda: None,
        on_down=lambda: None,
        will=lambda: holder.connect(now_ms),
    )
    link.start()
    try:
        found = facts(recorder.first())
        assert found.clean
        assert Monitor().host_connected("cloud", found, now_ms) == []
    finally:
        link.stop()
