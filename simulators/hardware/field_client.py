"""A bridge's way to the gateway's own broker: QoS 1, and a ledger of what the broker has acknowledged.

A message counts as observed when the broker has acknowledged it. Until then paho keeps it, and sends it again after a
reconnect: the same content.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import BaseModel, ConfigDict

from protocols.errors import ConfigError
from simulators.hardware.port import Ledger

_log = logging.getLogger(__name__)

_QUEUED: Final = 1000
_RECONNECT_S: Final = (1, 1)
_CONNECT_S: Final = 1.5
_KEEPALIVE_S: Final = 15
_FAREWELL_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a message shows: `value` of `metric` (or kind of event) of `device`."""

    device: str
    metric: str
    value: object
    at_ms: int


class FieldBroker(BaseModel):
    """Where the broker is, and as whom to go there: a part of the bridge's own ``[[hardware]]`` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    port: int
    host: str = "127.0.0.1"
    username: str | None = None
    password_file: Path | None = None

    def password(self) -> str | None:
        """What stands in the file. Raises ConfigError when it cannot be read."""
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text("utf-8").strip()
        except OSError as error:
            raise ConfigError("simulators.broker.password-file", file=self.password_file, why=error.strerror) from error


class FieldClient:
    """Connects by itself, whenever the broker is there. Thread-safe."""

    def __init__(
        self,
        broker: FieldBroker,
        client_id: str,
        ledger: Ledger,
        *,
        connected: Callable[[], None],
        heard: Callable[[str, bytes], None] = lambda _topic, _payload: None,
        will: tuple[str, str] | None = None,
    ) -> None:
        """`connected` is called after each connect, `heard` with what was subscribed to, both on paho's thread."""
        self._broker, self._ledger, self._connected, self._heard = broker, ledger, connected, heard
        self._lock = threading.Lock()
        self._unconfirmed: dict[int, Told | None] = {}
        self._early: set[int] = set()
        self._counters: dict[str, int] = {}
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
        client.max_queued_messages_set(_QUEUED)
        client.connect_timeout = _CONNECT_S
        client.reconnect_delay_set(*_RECONNECT_S)
        if will is not None:
            client.will_set(*will, qos=1, retain=True)
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password())
        self._client = client

    def start(self) -> None:
        """Begin to connect."""
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=_KEEPALIVE_S)
        self._client.loop_start()

    def stop(self, farewell: tuple[str, str] | None = None) -> None:
        """Leave, after a retained `farewell` (topic, payload) if the broker is there."""
        if farewell is not None and self._client.is_connected():
            self._client.publish(*farewell, qos=1, retain=True).wait_for_publish(_FAREWELL_S)
        self._client.disconnect()
        self._client.loop_stop()
        # paho closes its own pair of sockets when it is freed: nothing may hold it in a circle.
        self._client.on_connect = self._client.on_message = self._client.on_publish = None
        self._connected, self._heard = lambda: None, lambda _topic, _payload: None

    def subscribe(self, topic: str) -> None:
        """Hear what comes there; to be repeated after each connect."""
        self._client.subscribe(topic, 0)

    def publish(self, topic: str, payload: str, *, told: Told | None = None, retain: bool = False) -> None:
        """Hand a message to paho, which may have its confirmation before we have its number."""
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            _log.warning("the field broker is away for long: a message on %s is lost", topic)
            return
        with self._lock:
            confirmed = info.mid in self._early
            self._early.discard(info.mid)
            if not confirmed:
                self._unconfirmed[info.mid] = told
        if confirmed:
            self._enter(told)

    def counters(self) -> dict[str, int]:
        """How often each metric of each device was observed."""
        with self._lock:
            return dict(self._counters)

    def restore(self, counters: Mapping[str, Any]) -> None:
        """Count on from there."""
        with self._lock:
            self._counters = {str(key): int(value) for key, value in counters.items()}

    def _on_connect(self, _client: paho.Client, _user: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        if reason.is_failure:
            _log.warning("the field broker refuses the bridge: %s", reason)
            return
        self._connected()

    def _on_message(self, _client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        self._heard(message.topic, bytes(message.payload))

    def _on_publish(self, _client: paho.Client, _user: Any, mid: int, _reason: Any, _props: Any) -> None:
        with self._lock:
            waiting = mid in self._unconfirmed
            told = self._unconfirmed.pop(mid, None)
            if not waiting:
                self._early.add(mid)
        self._enter(told)

    def _enter(self, told: Told | None) -> None:
        if told is None:
            return
        key = f"{told.device}/{told.metric}"
        with self._lock:
            counter = self._counters[key] = self._counters.get(key, 0) + 1
        self._ledger.observed(told.device, told.metric, counter, told.value, told.at_ms)
