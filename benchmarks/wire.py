"""MQTT 3.1.1 by hand, as little as a load generator needs: a Python client of its own would be what is measured.

Source: OASIS MQTT 3.1.1, chapters 2 and 3. QoS 0 only; the keep-alive is 18 hours, for rumqttd refuses none.
"""

from __future__ import annotations

import select
import socket
from typing import Final

from protocols.errors import UnavailableError

_ANSWER_S: Final = 10.0
_CHUNK: Final = 1 << 18
_PUBLISH: Final = 3


class Wire:
    """One connection. Single-threaded."""

    def __init__(self, port: int, client_id: str, user: str, password: str) -> None:
        """Connect and sign in. Raises UnavailableError when the broker does not let us."""
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_S)
        except OSError as error:
            raise UnavailableError("liandong.bench.broker", why=error) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending = b""
        body = _text("MQTT") + bytes((4, 0xC2, 0xFF, 0xFF)) + _text(client_id) + _text(user) + _text(password)
        self._ask(_frame(0x10, body), 2)

    def close(self) -> None:
        """Leave in order."""
        self._socket.sendall(bytes((0xE0, 0)))
        self._socket.close()

    def subscribe(self, topic: str) -> None:
        """Wait until the broker has confirmed."""
        self._ask(_frame(0x82, b"\x00\x01" + _text(topic) + b"\x00"), 9)

    def send(self, data: bytes | memoryview) -> None:
        """Hand over whole packets; waits as long as the broker takes to read them, at most ten seconds."""
        self._socket.sendall(data)

    def heard(self, timeout_s: float) -> list[tuple[str, bytes]]:
        """Topics and payloads that came within `timeout_s`; returns with the first."""
        return [_message(body) for kind, body in self._frames(timeout_s) if kind >> 4 == _PUBLISH]

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
        self._pending += data
        found = []
        while (end := _length(self._pending)) is not None:
            start, size = end
            found.append((self._pending[0], self._pending[start : start + size]))
            self._pending = self._pending[start + size :]
        return found


def publish(topic: str, payload: bytes) -> bytes:
    """A PUBLISH packet with QoS 0."""
    return _frame(0x30, _text(topic) + payload)


def _message(body: bytes) -> tuple[str, bytes]:
    size = int.from_bytes(body[:2], "big")
    return body[2 : 2 + size].decode(), body[2 + size :]


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _frame(head: int, body: bytes) -> bytes:
    left, size = len(body), bytearray()
    while True:
        left, digit = left >> 7, left & 127
        size.append(digit | (128 if left else 0))
        if not left:
            return bytes((head, *size)) + body


def _length(data: bytes) -> tuple[int, int] | None:
    """Where the first packet's body begins and how long it is; None while it is not all there."""
    size = 0
    for index in range(1, min(len(data), 5)):
        size |= (data[index] & 127) << 7 * (index - 1)
        if data[index] < 128:
            return (index + 1, size) if len(data) > index + size else None
    return None
