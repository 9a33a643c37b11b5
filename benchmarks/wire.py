"""One connection of a load generator, blocking and bare: a Python client of its own would be what is measured.

QoS 0 only; the keep-alive is 18 hours, for rumqttd refuses none.
"""

from __future__ import annotations

import select
import socket
from typing import Final

from protocols import mqtt
from protocols.errors import UnavailableError

_ANSWER_S: Final = 10.0
_CHUNK: Final = 1 << 18
_KEEPALIVE_S: Final = 0xFFFF


class Wire:
    """One connection. Single-threaded."""

    def __init__(self, port: int, client_id: str, user: str, password: str) -> None:
        """Connect and sign in. Raises UnavailableError when the broker does not let us."""
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_S)
        except OSError as error:
            raise UnavailableError("liandong.bench.broker", why=error) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = mqtt.Stream()
        hello = mqtt.connect(client_id, keepalive_s=_KEEPALIVE_S, user=user, password=password)
        self._ask(hello, mqtt.CONNACK)

    def close(self) -> None:
        """Leave in order."""
        self._socket.sendall(mqtt.DISCONNECT)
        self._socket.close()

    def subscribe(self, topic: str) -> None:
        """Wait until the broker has confirmed."""
        self._ask(mqtt.subscribe(1, [topic]), mqtt.SUBACK)

    def send(self, data: bytes | memoryview) -> None:
        """Hand over whole packets; waits as long as the broker takes to read them, at most ten seconds."""
        self._socket.sendall(data)

    def heard(self, timeout_s: float) -> list[tuple[str, bytes]]:
        """Topics and payloads that came within `timeout_s`; returns with the first."""
        packets = [(head, body) for head, body in self._frames(timeout_s) if head >> 4 == mqtt.PUBLISH]
        return [(message.topic, message.payload) for message in (mqtt.received(*packet) for packet in packets)]

    def _ask(self, frame: bytes, answer: int) -> None:
        self._socket.sendall(frame)
        for kind, body in self._frames(_ANSWER_S):
            if kind >> 4 == answer and not body[-1]:
                return
        raise UnavailableError("liandong.bench.broker", why=f"packet {frame[0] >> 4}")

    def _frames(self, timeout_s: float) -> list[tuple[int, bytes]]:
        if not select.select([self._socket], [], [], timeout_s)[0]:
            return []
        data = self._socket.recv(_CHUNK)
        if not data:
            raise UnavailableError("liandong.bench.broker", why="closed")
        return list(self._stream.feed(data))
