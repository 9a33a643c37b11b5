"""A connection to the broker that is made again whenever it breaks, and the bounded queue of what it brought.

Clean sessions on MQTT 3.1.1, which every broker speaks. Reconnects wait 0.5 s, doubling to 5 s, with jitter.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cloud.ingest.client import Broker, Client
from protocols.mqtt import Received
from protocols.sparkplug.actions import Publish, Subscribe

__all__ = ["Broker", "Heard", "Inbox", "Link"]

_LOG: Final = logging.getLogger("liandong.cloud.link")
FIRST_PAUSE_S: Final = 0.5
MOST_PAUSE_S: Final = 5.0
"""Short, because a street waits for these few connections; gateways, which are many, wait longer."""
_STOP_S: Final = 10.0
_CONFIRM_S: Final = 2.0
_READY_S: Final = 30.0
"""How long a broker that let us in may take to confirm what we listen to; then it counts as away."""
_FILTERS: Final = 100
"""In one packet; some brokers take no more of them."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, with the time of its arrival on both clocks (`at` monotonic seconds, `utc_ms` ms since 1970 UTC)."""

    topic: str
    payload: bytes
    retained: bool
    at: float
    utc_ms: int


class Inbox:
    """A bounded queue from the connection's thread to the worker's. Thread-safe."""

    def __init__(self, *, most_messages: int = 20_000, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._items: deque[Heard] = deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def oldest(self) -> float | None:
        """When the message that has waited longest arrived (monotonic seconds); None when none waits."""
        with self._changed:
            return self._items[0].at if self._items else None

    def put(self, item: Heard, timeout_s: float) -> bool:
        """Add `item`, waiting for room; False when there is none in time: nobody acknowledges it, so it comes again."""
        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout_s):
                return False
            self._items.append(item)
            self._bytes += len(item.payload)
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> list[Heard]:
        """Everything that waits, in order; empty when nothing came in time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items), timeout_s)
            items = list(self._items)
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()
            return items

    def _has_room(self) -> bool:
        return len(self._items) < self._most_messages and self._bytes < self._most_bytes


class Link:
    """Keeps one connection. Callbacks run in threads of the link; `publish` and `drop` may be called from any.

    `will` is asked before each connection; `on_up` when the broker has confirmed the subscription (with no filters: the
    connection).
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        subscribe: Subscribe,
        *,
        on_message: Callable[[Heard], None],
        on_up: Callable[[], None],
        on_down: Callable[[], None],
        will: Callable[[], Publish | None] = lambda: None,
    ) -> None:
        self._broker = broker
        self._client_id = client_id
        self._wanted = frozenset(subscribe.filters)
        self._qos = subscribe.qos
        self._asked: frozenset[str] = frozenset()
        self._changing = threading.RLock()
        self._unconfirmed: set[int] = set()
        self._confirmed = threading.Condition()
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._will = will
        self._stop = threading.Event()
        self._down = threading.Event()
        self._client: Client | None = None
        self._up = False
        self._said_away = False
        self._thread = threading.Thread(target=self._run, name=client_id, daemon=True)

    @property
    def up(self) -> bool:
        """Whether the broker is there and has confirmed the subscription."""
        return self._up

    @property
    def started(self) -> bool:
        """Whether `start` was called."""
        return self._thread.ident is not None

    def start(self) -> None:
        """Begin to connect, and go on until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Disconnect (what was published before still leaves) and wait for the thread, at most a few seconds."""
        self._stop.set()
        self._down.set()
        if self.started:
            self._thread.join(_STOP_S)

    def drop(self) -> None:
        """End this connection with a DISCONNECT, after what was published; the next one follows."""
        self._down.set()

    def subscribe(self, filters: Collection[str]) -> bool:
        """Listen to these from now on, and to no others; waits until the broker has confirmed it, at most two seconds.

        False when it did not: what it then sends is anybody's guess until `drop`. Without a connection the next one
        begins so. Never from a callback of the link.
        """
        with self._changing:
            self._wanted = frozenset(filters)
            client = self._client
            if client is None or not self._up:
                return True
            gone, new = self._asked - self._wanted, self._wanted - self._asked
            self._asked = self._wanted
            return self._confirm(gone, client.unsubscribe) and self._confirm(new, lambda some: self._ask(client, some))

    def publish(self, message: Publish) -> bool:
        """Hand a message to the connection; False when there is none. Never waits."""
        client = self._client
        if client is None or not self._up:
            return False
        return client.publish(message)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            if self._connection():
                pause = FIRST_PAUSE_S
            if not self._stop.wait(pause * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
                pause = min(MOST_PAUSE_S, pause * 2)

    def _connection(self) -> bool:
        """One connection from its beginning to its end; whether the broker was there."""
        self._down.clear()
        if self._stop.is_set():
            return False
        client = Client(self._broker, self._client_id, self._will(), self)
        self._client = client  # before its thread runs: what `on_up` publishes may be said before `open` is back here
        try:
            client.open()
        except (OSError, ValueError) as error:
            self._client = None
            self._say_away(str(error))
            return False
        if not self._down.wait(_READY_S) and not self._up:
            self._say_away("subscription not confirmed")
            self._down.set()
        self._down.wait()
        client.close()
        self._client = None
        was_up, self._up = self._up, False
        if was_up:
            self._on_down()
        return was_up

    def welcomed(self, client: Client) -> None:
        """The broker has let us in."""
        with self._changing:
            self._asked = self._wanted
            asked = sorted(self._asked)
        with self._confirmed:
            self._unconfirmed = {self._ask(client, part) for part in _packets(asked)}
            ready = not self._unconfirmed
        if ready:
            self._ready()

    def confirmed(self, number: int, *, refused: bool) -> None:
        """The broker has answered what it was asked."""
        if refused:
            self._say_away("subscription refused")
            self._down.set()
            return
        with self._confirmed:
            self._unconfirmed.discard(number)
            done = not self._unconfirmed
            self._confirmed.notify_all()
        if done and not self._up:
            self._ready()

    def heard(self, message: Received) -> None:
        """A message."""
        at, utc_ms = time.monotonic(), time.time_ns() // 1_000_000
        self._on_message(Heard(message.topic, message.payload, message.retained, at, utc_ms))

    def ended(self, why: str) -> None:
        """The connection is over."""
        if not self._down.is_set():
            self._say_away(why)
        self._down.set()

    def _ready(self) -> None:
        _LOG.info("broker-connected client=%s broker=%s:%s", self._client_id, self._broker.host, self._broker.port)
        self._said_away = False
        with self._changing:
            if self._asked != self._wanted:  # changed while the broker was asked: the next connection begins so
                self._down.set()
                return
            self._up = True
        self._on_up()

    def _ask(self, client: Client, filters: Sequence[str]) -> int:
        return client.subscribe(filters, self._qos)

    def _confirm(self, filters: Collection[str], ask: Callable[[list[str]], int]) -> bool:
        """Send these, and wait for the broker's word."""
        with self._confirmed:
            self._unconfirmed = {ask(part) for part in _packets(sorted(filters))}
            return self._confirmed.wait_for(lambda: not self._unconfirmed, _CONFIRM_S)

    def _say_away(self, why: str) -> None:
        """One line per outage, not one per attempt."""
        if not self._said_away and not self._stop.is_set():
            where = f"{self._broker.host}:{self._broker.port}"
            _LOG.warning(
                "broker-away client=%s broker=%s why=%r; trying again until it is back", self._client_id, where, why
            )
            self._said_away = True


def _packets(filters: Sequence[str]) -> Iterator[list[str]]:
    for first in range(0, len(filters), _FILTERS):
        yield list(filters[first : first + _FILTERS])
