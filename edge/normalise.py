"""What a driver tells, held against the catalogue: type, unit's range, quality, and whether it is worth storing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from protocols.catalog import Datatype, DeviceType, MetricSpec
from protocols.events import MAX_EVENT_BYTES, Event, Observation, Reading, Value

REPEAT_MS: Final = 15 * 60 * 1000
"""A value that does not change is stored again after this long, so that its silence means something."""
_MAX_TEXT: Final = 4096
_INT64: Final = 1 << 63


class Normaliser:
    """Judges observations one by one. One thread. `types` maps device ids to rows of the catalogue."""

    def __init__(self, types: Mapping[str, DeviceType], known_type: Callable[[str, str], Datatype | None]) -> None:
        self._types = types
        self._known_type = known_type
        self._kept: dict[tuple[str, str], Reading] = {}
        self.odd: Counter[tuple[str, str, str]] = Counter()
        """How often what was not as the catalogue has it: (device, metric or kind, why)."""

    def take(self, observation: Observation) -> Observation:
        """`observation` as the catalogue wants it. Nothing is refused: what does not fit is marked, and counted."""
        return self._event(observation) if isinstance(observation, Event) else self._reading(observation)

    def urgent(self, observation: Observation) -> bool:
        """Whether it leaves the gateway at once."""
        if isinstance(observation, Event):
            return True
        spec = self._types[observation.device].metric(observation.metric)
        return spec is not None and spec.urgent

    def worth_storing(self, observation: Observation) -> bool:
        """Whether it says something new; then it is the one that later ones are compared with."""
        if isinstance(observation, Event):
            return True
        key = observation.device, observation.metric
        before = self._kept.get(key)
        spec = self._types[observation.device].metric(observation.metric)
        if before is not None and spec is not None and _says_nothing_new(spec, before, observation):
            return False
        self._kept[key] = observation
        return True

    def forget(self, observation: Observation) -> None:
        """It was not stored after all: the next one is worth storing."""
        if isinstance(observation, Reading):
            self._kept.pop((observation.device, observation.metric), None)

    def forget_device(self, device: str) -> None:
        """Whatever `device` tells next is worth storing."""
        for key in [key for key in self._kept if key[0] == device]:
            del self._kept[key]

    def datatype(self, device: str, metric: str) -> Datatype | None:
        """The type that a metric has or, if it is not in the catalogue, was born with."""
        spec = self._types[device].metric(metric) if device in self._types else None
        return self._known_type(device, metric) if spec is None else spec.datatype

    def _event(self, event: Event) -> Event:
        kinds = self._types[event.device].events
        if event.kind not in kinds and not event.kind.startswith(("device.", "rule.", "outbox.", "agent.")):
            self._note(event.device, event.kind, "unknown")
        size = len(event.to_json())
        if size <= MAX_EVENT_BYTES:
            return event
        self._note(event.device, event.kind, "too-long")
        return replace(event, data={"shortened": True, "size": size})

    def _reading(self, reading: Reading) -> Reading:
        spec = self._types[reading.device].metric(reading.metric)
        if spec is None:
            self._note(reading.device, reading.metric, "unknown")
        if reading.value is None:
            return reading
        datatype = self.datatype(reading.device, reading.metric) or _type_of(reading.value)
        value = _coerced(reading.value, datatype)
        if value is None:
            self._note(reading.device, reading.metric, "type")
            return replace(reading, value=None, quality="bad")
        if spec is not None and _outside(spec, value):
            self._note(reading.device, reading.metric, "range")
            return replace(reading, value=value, quality="bad")
        return replace(reading, value=value)

    def _note(self, device: str, what: str, why: str) -> None:
        self.odd[device, what, why] += 1


def type_of(value: Value | None) -> Datatype:
    """The type with which a metric that the catalogue lacks is born: numbers are Double, so that 20 and 20.5 agree."""
    return "Double" if value is None else _type_of(value)


def _type_of(value: Value) -> Datatype:
    if isinstance(value, bool):
        return "Boolean"
    return "String" if isinstance(value, str) else "Double"


def _coerced(value: Value, datatype: Datatype) -> Value | None:
    """`value` as `datatype`, or None when it cannot be one without inventing something."""
    if datatype == "String":
        return value[:_MAX_TEXT] if isinstance(value, str) else None
    if isinstance(value, str) or not math.isfinite(value):
        return None
    if datatype == "Boolean":
        return bool(value) if value in (0, 1) else None
    if datatype == "Double":
        return float(value)
    return int(value) if value == int(value) and -_INT64 <= value < _INT64 else None


def _outside(spec: MetricSpec, value: Value) -> bool:
    if isinstance(value, bool | str):
        return False
    return (spec.low is not None and value < spec.low) or (spec.high is not None and value > spec.high)


def _says_nothing_new(spec: MetricSpec, before: Reading, now: Reading) -> bool:
    if now.quality != before.quality or not 0 <= now.at_ms - before.at_ms < REPEAT_MS:
        return False
    old, new = before.value, now.value
    if spec.kind == "state" or old is None or new is None:
        return old == new
    if isinstance(old, str) or isinstance(new, str):
        return old == new
    return abs(new - old) < spec.deadband
