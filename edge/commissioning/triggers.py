"""What a device told when somebody worked it: a button, a card, an opened door, a detector's test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocols.catalog import DEVICE_TYPES
from protocols.events import Event, Observation, Reading, Value

_NOT_WORKED: Final = ("device.", "agent.", "outbox.", "rule.", "command.", "config.")
_BY_ITSELF: Final = frozenset(
    {
        "access.cardholders",
        "access.cardholders-refused",
        "access.key-installed",
        "fire.unreadable",
        "vending.audit-findings",
        "vending.reset",
    }
)
_SLOW_STATES: Final = frozenset({"battery-low"})
"""States that nobody brings about by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """`what`: kind of the event, or the metric that changed to `value`. `number` counts all; `at_ms` is a stamp."""

    number: int
    device: str
    what: str
    value: Value | None
    at_ms: int


def is_trigger(observation: Observation, before: Reading | None, device_type: str) -> bool:
    """Whether somebody did something to the device; `before`: the reading of the same metric until now, if any."""
    if isinstance(observation, Event):
        return observation.kind not in _BY_ITSELF and not observation.kind.startswith(_NOT_WORKED)
    row = DEVICE_TYPES.get(device_type)
    spec = row.metric(observation.metric) if row is not None else None
    if spec is None or spec.kind != "state" or observation.metric in _SLOW_STATES or before is None:
        return False
    return observation.quality == "good" and before.value is not None and observation.value != before.value


class Triggers:
    """The newest trigger of each device. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._newest: dict[str, Trigger] = {}
        self._told: Callable[[Trigger], None] = lambda _: None

    def tell(self, told: Callable[[Trigger], None]) -> None:
        """Call `told`, which must not block, with each trigger from now on."""
        self._told = told

    def note(self, observation: Observation, before: Reading | None, device_type: str) -> None:
        """The device told this."""
        if not is_trigger(observation, before, device_type):
            return
        with self._lock:
            self._count += 1
            what, value = (
                (observation.kind, None) if isinstance(observation, Event) else (observation.metric, observation.value)
            )
            found = Trigger(
                number=self._count, device=observation.device, what=what, value=value, at_ms=observation.at_ms
            )
            self._newest[observation.device] = found
        self._told(found)

    def newest(self) -> dict[str, Trigger]:
        """By device."""
        with self._lock:
            return dict(self._newest)
