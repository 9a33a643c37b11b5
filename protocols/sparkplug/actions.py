"""What a session machine wants done, and the time it is told. The machines do no input or output of their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """One moment on both clocks: `at` in seconds of a monotonic clock, `utc_ms` in ms since 1970-01-01 UTC."""

    at: float
    utc_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """A message to publish. Also the form of a will."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Topic filters to subscribe to, all in one packet and in this order."""

    filters: tuple[str, ...]
    qos: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """Leave the broker after everything before has been sent.

    `reason` is a code for the log. With MQTT 5 the packet's reason is 0x04, Disconnect with Will Message
    (tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt50).
    """

    reason: str
    reconnect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A message that could not be read, and was left alone."""

    topic: str
    code: str
    what: str
