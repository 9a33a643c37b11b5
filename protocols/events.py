"""What a device can tell: a `Reading` (a metric has a value) or an `Event` (something happened).

On the wire (Sparkplug B) a reading is a metric of its device. An event is a value of the String metric `Event` of its
device (or of the node), JSON ``{"id": uuid, "kind": "access.granted", "data": {...}}``, with the metric's time. Kinds
are rows of `protocols.catalog`. Times are milliseconds since 1970-01-01 UTC, taken at the gateway.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from protocols.errors import ProtocolError

EVENT_METRIC: Final = "Event"
MAX_EVENT_BYTES: Final = 8192

Value = float | int | bool | str
Quality = Literal["good", "uncertain", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`metric` of `device` has `value` (in the catalogue's unit) at `at_ms`; None = known to be unknown."""

    device: str
    metric: str
    value: Value | None
    at_ms: int
    quality: Quality = "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`kind` happened at `device` at `at_ms`; `device` is empty for the gateway itself. `data` is small plain JSON."""

    device: str
    kind: str
    at_ms: int
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def to_json(self) -> str:
        """The value of the `Event` metric."""
        return json.dumps(
            {"id": self.id, "kind": self.kind, "data": dict(self.data)}, ensure_ascii=False, separators=(",", ":")
        )


Observation = Reading | Event


def event_from_json(text: str, *, device: str, at_ms: int) -> Event:
    """The event that a value of the `Event` metric tells.

    Raises ProtocolError for text that is too long, no JSON object, or lacks `id` (a UUID) or `kind`.
    """
    if len(text) > MAX_EVENT_BYTES:
        raise ProtocolError("protocols.event.too-long", size=len(text), limit=MAX_EVENT_BYTES)
    try:
        body = json.loads(text)
        kind, data = body["kind"], body.get("data", {})
        identity = str(uuid.UUID(body["id"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError("protocols.event.unreadable", device=device, why=repr(error)) from error
    if not isinstance(kind, str) or not kind or not isinstance(data, dict):
        raise ProtocolError("protocols.event.unreadable", device=device, why="kind or data")
    return Event(device=device, kind=kind, at_ms=at_ms, data=data, id=identity)
