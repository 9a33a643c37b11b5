"""MQTT 3.1.1 packets of a client, as bytes: what is sent, and what is read out of a stream.

Pure, and as little as the cloud and thousands of sessions in one process need; the agent uses a client library.

Source: OASIS MQTT 3.1.1, chapters 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.errors import ProtocolError

CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
SUBACK: Final = 9
UNSUBACK: Final = 11
PINGRESP: Final = 13
PINGREQ: Final = bytes((0xC0, 0))
DISCONNECT: Final = bytes((0xE0, 0))
MOST_BYTES: Final = 2 * 1024 * 1024
"""A message that is longer is not ours, and left out; any other packet of this length makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker publishes when the connection breaks."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A PUBLISH. `number` is to be acknowledged when `qos` is 1."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    number: int


def connect(
    client_id: str, *, keepalive_s: int, user: str | None = None, password: str | None = None, will: Will | None = None
) -> bytes:
    """CONNECT with a clean session."""
    flags = 0x02
    tail = _text(client_id)
    if will is not None:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
        tail += _text(will.topic) + len(will.payload).to_bytes(2, "big") + will.payload
    if user is not None:
        flags |= 0x80
        tail += _text(user)
        if password is not None:
            flags |= 0x40
            tail += _text(password)
    return frame(0x10, _text("MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big") + tail)


def subscribe(number: int, filters: Sequence[str], qos: int = 0) -> bytes:
    """SUBSCRIBE; `number` from 1 to 65535."""
    wanted = b"".join(_text(topic) + bytes((qos,)) for topic in filters)
    return frame(0x82, number.to_bytes(2, "big") + wanted)


def unsubscribe(number: int, filters: Sequence[str]) -> bytes:
    """UNSUBSCRIBE; `number` from 1 to 65535."""
    return frame(0xA2, number.to_bytes(2, "big") + b"".join(map(_text, filters)))


def publish(topic: str, payload: bytes, *, qos: int = 0, number: int = 0, retain: bool = False) -> bytes:
    """PUBLISH; `number` from 1 to 65535 with QoS 1."""
    between = number.to_bytes(2, "big") if qos else b""
    return frame(0x30 | qos << 1 | retain, _text(topic) + between + payload)


def puback(number: int) -> bytes:
    """PUBACK."""
    return frame(0x40, number.to_bytes(2, "big"))


def frame(head: int, body: bytes) -> bytes:
    """Any packet."""
    left, size = len(body), bytearray()
    while True:
        left, digit = left >> 7, left & 127
        size.append(digit | (128 if left else 0))
        if not left:
            return bytes((head, *size)) + body


def received(head: int, body: bytes) -> Received:
    """What a PUBLISH packet says. Raises ProtocolError for one that is cut short."""
    qos = head >> 1 & 3
    end = 2 + int.from_bytes(body[:2], "big")
    start = end + (2 if qos else 0)
    if len(body) < max(2, start):
        raise ProtocolError("protocols.mqtt.bad-packet", kind=head >> 4)
    return Received(
        topic=body[2:end].decode("utf-8", "replace"),
        payload=body[start:],
        qos=qos,
        retained=bool(head & 1),
        number=int.from_bytes(body[end:start], "big"),
    )


class Stream:
    """Cuts what a connection brought into packets. One per connection. `left_out`: messages that were too long.

    Whoever may publish must not be able to end the connection of everybody who listens, and with what a broker retains
    each new one too: so a long message is passed over, without being kept or acknowledged.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._passed_over = 0
        self.left_out = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The first byte and the body of each packet that is whole now. Raises ProtocolError for a wrong length."""
        passed = min(self._passed_over, len(data))
        self._passed_over -= passed
        self._pending += data[passed:]
        start = 0
        while (place := self._next(start)) is not None:
            body, end = place
            if end - body > MOST_BYTES:
                self.left_out += 1
                self._passed_over = max(0, end - len(self._pending))
            else:
                yield self._pending[start], bytes(self._pending[body:end])
            start = end
        del self._pending[:start]

    def _next(self, start: int) -> tuple[int, int] | None:
        """Where the body of the packet at `start` begins and ends; None while it is not there yet."""
        size = 0
        for index in range(1, 5):
            if start + index >= len(self._pending):
                return None
            digit = self._pending[start + index]
            size |= (digit & 127) << 7 * (index - 1)
            if digit < 128:
                body = start + index + 1
                if size > MOST_BYTES:
                    if self._pending[start] >> 4 != PUBLISH:
                        break
                    return body, body + size
                return (body, body + size) if len(self._pending) >= body + size else None
        raise ProtocolError("protocols.mqtt.bad-packet", kind=self._pending[start] >> 4)


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
