"""The MQTT side: a session that the broker keeps, messages handed over in order, acknowledgements when we say so.

paho's thread only puts messages into a bounded queue. A message is acknowledged on the connection that brought it and
on no other: after a reconnect its number may belong to another message. What was not acknowledged comes again.

One filter, because brokers may keep order per filter only (iotcore does).
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from edge.drivers.broker.config import BrokerTable

_WAITING: Final = 2000
# Before the bridge (zigbee2mqtt tries every second): of a forgotten session, what comes before we subscribe is lost.
_RECONNECT_S: Final = (0.05, 0.4)
_CONNECT_S: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message and where it came from. `again`: the broker says that it may have sent it before."""

    topic: str
    payload: bytes
    retained: bool
    again: bool
    qos: int
    mid: int
    connection: int


class Session:
    """Owns the connection. `take` and `acknowledge` are for one thread, `publish` for any."""

    def __init__(self, config: BrokerTable, topics: str, hear: Callable[[Incoming], None]) -> None:
        """`topics`: the filter. `hear` sees each message at once, on paho's thread: it must be quick and not raise."""
        self._config, self._topics = config, topics
        self._hear = hear
        self._waiting: queue.Queue[Incoming] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._connection = 0
        self._connected = False
        self._away_since = time.monotonic()
        self.refusal: str | None = None
        self.dropped = 0
        self.forgotten = 0
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=config.session,
            clean_session=False,
            protocol=paho.MQTTv311,
            manual_ack=True,
        )
        if config.username is not None:
            client.username_pw_set(config.username, config.password())
        client.connect_timeout = _CONNECT_S
        client.reconnect_delay_set(*_RECONNECT_S)  # type: ignore[arg-type]  # its clock knows fractions
        client.on_connect_fail = lambda _client, _userdata: None
        self._client = client

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and is still there."""
        return self._connected

    @property
    def away_s(self) -> float:
        """Seconds since the broker was lost (or never reached); 0 while it is there."""
        return 0.0 if self._connected else time.monotonic() - self._away_since

    def open(self) -> None:
        """Begin to connect, and connect again whenever the broker is lost, until `close`."""
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.connect_async(self._config.host, self._config.port, keepalive=self._config.keepalive_s)
        self._client.loop_start()

    def close(self) -> None:
        """Leave; the broker keeps the session and what arrives for it."""
        self._client.disconnect()
        self._client.loop_stop()
        # paho closes its own pair of sockets when it is freed: nothing may hold it in a circle.
        self._client.on_connect = self._client.on_disconnect = self._client.on_message = None
        self._hear = lambda _: None

    def take(self, most: int, timeout_s: float) -> list[Incoming]:
        """Up to `most` messages in order, waiting up to `timeout_s` for the first."""
        taken: list[Incoming] = []
        with contextlib.suppress(queue.Empty):
            taken.append(self._waiting.get(timeout=timeout_s))
            while len(taken) < most:
                taken.append(self._waiting.get_nowait())
        return taken

    def acknowledge(self, message: Incoming) -> None:
        """Tell the broker that `message` is safe; nothing when its connection is gone (then it comes again)."""
        with self._lock:
            if message.qos and message.connection == self._connection and self._connected:
                self._client.ack(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send now or not at all (QoS 0): a command that waits for a broker would switch something much later."""
        return self._connected and self._client.publish(topic, payload, qos=0).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _on_connect(
        self, client: paho.Client, _userdata: Any, flags: paho.ConnectFlags, reason: ReasonCode, _props: Any
    ) -> None:
        if reason.is_failure:
            self.refusal = str(reason)
            return
        with self._lock:
            self.refusal = None
            if self._connection and not flags.session_present:
                self.forgotten += 1
            self._connection += 1
            self._connected = True
        client.subscribe(self._topics, qos=1)

    def _on_disconnect(
        self, _client: paho.Client, _userdata: Any, _flags: Any, _reason: ReasonCode, _props: Any
    ) -> None:
        with self._lock:
            if self._connected:
                self._away_since = time.monotonic()
            self._connected = False

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        incoming = Incoming(
            topic=message.topic,
            payload=bytes(message.payload),
            retained=message.retain,
            again=message.dup,
            qos=message.qos,
            mid=message.mid,
            connection=self._connection,
        )
        self._hear(incoming)
        try:
            self._waiting.put_nowait(incoming)
        except queue.Full:
            self.dropped += 1  # QoS 1 comes again after the next connect; brokers send far fewer unacknowledged
