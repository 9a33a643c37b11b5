"""What wakes the uplink: a message, a change of the connection, something new in the outbox, or a stop."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The broker answered CONNECT; `refused` says why it did not accept."""

    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """The broker answered SUBSCRIBE; `refused` says why it did not accept."""

    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """The connection ended."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message came from the broker."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The packet of a publish with this packet id left the process."""

    mid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChanged:
    """A device was lost, or answers again."""

    device: str
    online: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """The configuration changed: births again, perhaps at another broker."""


Signal = Connected | Subscribed | Disconnected | Message | Written | DeviceChanged | Renewed
MAX_SIGNALS = 10_000


class Signals:
    """A queue of signals with a bell. Put from any thread, waited for by one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[Signal] = deque()
        self._rung = False
        self._stopping = False
        self._hurried = False

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def put(self, signal: Signal) -> None:
        """Tell the uplink. What a broker sends beyond `MAX_SIGNALS` unread messages is dropped: it is sent again."""
        with self._changed:
            if len(self._queue) < MAX_SIGNALS or not isinstance(signal, Message):
                self._queue.append(signal)
                self._changed.notify()

    def ring(self) -> None:
        """There is something to send."""
        with self._changed:
            self._rung = True
            self._changed.notify()

    def hurry(self) -> None:
        """End the pause that is on, or that comes next."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Say goodbye and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> list[Signal]:
        """What has come, at once if something has; else whatever comes within `timeout_s`."""
        with self._changed:
            if not self._queue and not self._rung and not self._stopping:
                self._changed.wait(timeout_s)
            self._rung = False
            found = list(self._queue)
            self._queue.clear()
            return found

    def pause(self, timeout_s: float) -> None:
        """Sleep, unless the agent stops or is in a hurry. The bell is not heard."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._hurried, timeout_s)
            self._hurried = False

    def drain(self) -> list[Signal]:
        """Take what is left from a connection that is gone."""
        with self._changed:
            found = list(self._queue)
            self._queue.clear()
            return found
