"""Repeats messages of the gateways on the broker, late and in another order, as a bad network of brokers does."""

from __future__ import annotations

import random
import threading
import time
import uuid
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from protocols.errors import UnavailableError

_MOST_HELD: Final = 2000
_LATEST_S: Final = 3.0
_CONNECT_S: Final = 5.0


class Repeater:
    """Between `start` and `stop` every data message comes a second time within three seconds. One thread uses it."""

    def __init__(self, port: int, username: str, password: str) -> None:
        self._port, self._username, self._password = port, username, password
        self._held: list[tuple[float, str, bytes]] = []
        self._own: set[bytes] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._client: paho.Client | None = None
        self.repeated = 0
        self.copied: set[int] = set()
        """Hashes of (topic, payload) of what was said again."""

    @property
    def held(self) -> int:
        """Messages that are to be said again."""
        with self._lock:
            return len(self._held)

    def start(self) -> None:
        """Listen. Raises UnavailableError when the broker is away."""
        client = paho.Client(CallbackAPIVersion.VERSION2, f"lab-repeater-{uuid.uuid4().hex[:8]}")
        client.username_pw_set(self._username, self._password)
        client.on_connect = lambda client, *_: client.subscribe([("spBv1.0/+/DDATA/#", 0), ("spBv1.0/+/NDATA/#", 0)])
        client.on_message = self._hear
        try:
            client.connect("127.0.0.1", self._port, keepalive=10)
        except OSError as error:
            raise UnavailableError("liandong.lab.nothing-to-break", part="broker") from error
        client.loop_start()
        self._client = client
        self._stop.clear()
        self._thread = threading.Thread(target=self._repeat, args=(client,), name="lab-repeater", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send what is held back, and leave."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_LATEST_S + _CONNECT_S)
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
        self._thread = self._client = None

    def _hear(self, _client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        payload = bytes(message.payload)
        with self._lock:
            if payload in self._own or self._stop.is_set() or len(self._held) >= _MOST_HELD:
                self._own.discard(payload)
                return
            due = time.monotonic() + random.uniform(0, _LATEST_S)  # noqa: S311 - chance of the network
            self._held.append((due, message.topic, payload))

    def _repeat(self, client: paho.Client) -> None:
        ends: float | None = None
        while ends is None or time.monotonic() < ends:
            now = time.monotonic()
            if self._stop.is_set() and ends is None:
                ends = now + _LATEST_S
            with self._lock:
                due = [held for held in self._held if held[0] <= now]
                self._held = [held for held in self._held if held[0] > now]
                self._own |= {payload for _, _, payload in due}
            for _, topic, payload in due:
                self.copied.add(hash((topic, payload)))
                client.publish(topic, payload, qos=0)
                self.repeated += 1
            if ends is not None and not self._held:
                return
            time.sleep(0.05)
