"""A gateway's connection to the broker: MQTT 3.1.1 on an asyncio transport, without a task or a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, cast

from protocols import mqtt
from protocols.errors import ProtocolError
from protocols.sparkplug.actions import Disconnect, Malformed, Now, Publish, Subscribe
from protocols.sparkplug.edge_node import Action
from simulators.fleet.session import Session

_LOG: Final = logging.getLogger("simulators.fleet")
KEEPALIVE_S: Final = 30
SILENT_S: Final = 75.0
"""A broker that has said nothing for so long, though it was asked, is gone."""


class Connection(asyncio.Protocol):
    """From one CONNECT to the end of that connection; then another one is made for the same session."""

    def __init__(
        self,
        session: Session,
        user: str | None,
        password: str | None,
        now: Callable[[], Now],
        ended: Callable[[], object],
    ) -> None:
        """`ended` is called once, whatever ended it."""
        self._session, self._now, self._ended = session, now, ended
        self._user, self._password = user, password
        self._stream = mqtt.Stream()
        self._transport: asyncio.Transport | None = None
        self._number = 0
        self._heard_at = self._said_at = now().at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is there."""
        self._transport = cast(asyncio.Transport, transport)
        will = self._session.node.connect(self._session.next_bdseq(), self._now())
        packet = mqtt.connect(
            f"{self._session.group}-{self._session.name}",
            keepalive_s=KEEPALIVE_S,
            user=self._user,
            password=self._password,
            will=mqtt.Will(topic=will.topic, payload=will.payload, qos=will.qos),
        )
        self._write(packet)

    def data_received(self, data: bytes) -> None:
        """From the broker."""
        self._heard_at = self._now().at
        try:
            for head, body in self._stream.feed(data):
                self._packet(head, body)
        except ProtocolError as error:
            _LOG.warning("gateway=%s broker-speaks-no-mqtt code=%s", self._session.name, error.code)
            self.drop()

    def connection_lost(self, error: Exception | None) -> None:
        """Whoever ended it."""
        self._transport = None
        self._session.cut_off()
        self._ended()

    def tick(self) -> None:
        """About once a second."""
        now = self._now()
        if self._transport is None:
            return
        if now.at - self._heard_at > SILENT_S:
            self.drop()
            return
        self.do(self._session.node.tick(now))
        self.do(self._session.send(now))
        if now.at - self._said_at > KEEPALIVE_S / 2 or now.at - self._heard_at > KEEPALIVE_S:
            self._write(mqtt.PINGREQ)

    def do(self, actions: Iterable[Action]) -> None:
        """What the session wants done, in order and in one piece."""
        packets = bytearray()
        for action in actions:
            if isinstance(action, Publish):
                packets += mqtt.publish(action.topic, action.payload, qos=action.qos, number=self._next())
            elif isinstance(action, Subscribe):
                packets += mqtt.subscribe(self._next(), action.filters, action.qos)
            elif isinstance(action, Disconnect):
                self._write(bytes(packets) + mqtt.DISCONNECT)
                self.close()
                return
            elif isinstance(action, Malformed):
                _LOG.warning("gateway=%s unreadable topic=%s code=%s", self._session.name, action.topic, action.code)
            else:
                self._session.done(action, self._now())
        if packets:
            self._write(bytes(packets))

    def close(self) -> None:
        """After what was written."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """At once, as a cable that is pulled."""
        if self._transport is not None:
            self._transport.abort()

    def _packet(self, head: int, body: bytes) -> None:
        kind, now, node = head >> 4, self._now(), self._session.node
        if kind == mqtt.PUBLISH:
            message = mqtt.received(head, body)
            if message.qos:
                self._write(mqtt.puback(message.number))
            self.do(node.received(message.topic, message.payload, now))
            self.do(self._session.send(now))
        elif kind == mqtt.CONNACK and not body[-1]:
            self.do(node.connected())
        elif kind == mqtt.SUBACK and body[-1] < 0x80:
            self.do(node.subscribed(now))
        elif kind in (mqtt.CONNACK, mqtt.SUBACK):
            _LOG.warning("gateway=%s refused-by-broker packet=%d code=%d", self._session.name, kind, body[-1])
            self.drop()

    def _next(self) -> int:
        self._number = self._number % 65535 + 1
        return self._number

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._said_at = self._now().at
            self._transport.write(data)
