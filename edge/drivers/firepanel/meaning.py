"""What the objects of a panel's report mean for its device and for those of its components. Pure but for ids of events.

Nothing is dropped: what belongs to no device becomes an event of the panel, with everything that the object says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edge.drivers.firepanel.config import PANEL, FireDevice
from protocols.events import Event, Observation, Quality, Reading, Value

_SERIOUS: Final = frozenset({"fire", "fault", "supervisory"})
_STATES: Final = ("fire", "fault", "disabled", "supervisory", "started", "test")
_PANEL_STATES: Final = (*_STATES, "mains-lost", "battery-low")
_RENAMED: Final = {
    "mains-fault": "mains-lost",
    "battery-fault": "battery-low",
    "bus-fault": "fault",
    "link-fault": "fault",
    "line-fault": "fault",
    "power-fault": "fault",
}
_SYSTEM_STATE, _COMPONENT_STATE, _COMPONENT_VALUE = 1, 2, 3
_OPERATIONS: Final = frozenset({4, 24})
_DEVICE_STATE: Final = 21
_DEVICE: Final = "device"
_MOST_KEYS: Final = 1000
"""Components without a device that may burn at once; the newest are kept."""


@dataclass(slots=True, kw_only=True)
class PanelMemory:
    """What a panel said last: the states of its systems, and which of its components burn (key → device, '' = none)."""

    systems: dict[str, list[str]] = field(default_factory=dict)
    burning: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"systems": self.systems, "burning": self.burning}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PanelMemory:
        """What `to_json` gave."""
        return cls(
            systems={str(key): list(value) for key, value in data.get("systems", {}).items()},
            burning={str(key): str(value) for key, value in data.get("burning", {}).items()},
        )


class Meaning:
    """The devices of one panel."""

    def __init__(self, panel: FireDevice, devices: Sequence[FireDevice]) -> None:
        self._panel = panel.id
        self._components = {
            (one.system, one.component): one for one in devices if one.panel == panel.id and one.type != PANEL
        }

    def observations(self, told: Mapping[str, Any], memory: PanelMemory, at_ms: int) -> list[Observation]:
        """What one frame tells (`told`: a frame of `protocols.gb26875.decode_gb26875`); changes `memory`."""
        kind = told.get("type")
        found: list[Observation] = []
        for one in told.get("objects", ()):
            if kind == _COMPONENT_STATE:
                found += self._component(one, memory, at_ms)
            elif kind == _COMPONENT_VALUE:
                found += self._values(one, at_ms)
            elif kind in (_SYSTEM_STATE, _DEVICE_STATE):
                key = _DEVICE if kind == _DEVICE_STATE else str(one["system_address"])
                memory.systems[key] = _named(one["state"])
                if "reset" in one["state"]:
                    found += self._reset(one, memory, at_ms)
            elif kind in _OPERATIONS:
                found.append(self._event("fire.operation", one, at_ms, kind=kind))
                if "reset" in one["operation"]:
                    found += self._reset(one, memory, at_ms)
            else:
                found.append(self._event("fire.information", one, at_ms, kind=kind))
        if kind in (_SYSTEM_STATE, _COMPONENT_STATE, _DEVICE_STATE, *_OPERATIONS):
            found += self._panel_states(memory, at_ms)
        return found

    def unreadable(self, raw: bytes, findings: Sequence[Mapping[str, Any]], at_ms: int) -> Event:
        """A report that cannot be read: its bytes, and why."""
        why = [finding["code"] for finding in findings][:8]
        data = {"raw": raw[:1024].hex().upper(), "size": len(raw), "findings": why}
        return Event(device=self._panel, kind="fire.unreadable", at_ms=at_ms, data=data)

    def _device(self, one: Mapping[str, Any]) -> FireDevice | None:
        address = one["component_address"]
        return self._components.get((one["system_address"], address)) or self._components.get((None, address))

    def _component(self, one: Mapping[str, Any], memory: PanelMemory, at_ms: int) -> Iterator[Observation]:
        device, states = self._device(one), _named(one["state"])
        key = f"{one['system_address']}/{one['component_address']}"
        burnt = memory.burning.pop(key, None) is not None
        if "fire" in states:
            memory.burning[key] = device.id if device else ""
            for oldest in list(memory.burning)[: max(0, len(memory.burning) - _MOST_KEYS)]:
                del memory.burning[oldest]
        if device is None:
            if burnt != ("fire" in states):
                yield self._event("fire.cleared" if burnt else "fire.alarm", one, at_ms)
            if set(states) - {"fire"} or not (burnt or "fire" in states):
                yield self._event("fire.component", one, at_ms)
        elif device.type == "smoke":
            yield Reading(device=device.id, metric="smoke", value="fire" in states, at_ms=at_ms)
            if set(states) - {"fire"}:
                yield self._event("fire.component", one, at_ms, device=device.id)
        else:
            for name in _STATES:
                yield Reading(device=device.id, metric=name, value=name in states, at_ms=at_ms)

    def _values(self, one: Mapping[str, Any], at_ms: int) -> Iterator[Observation]:
        device = self._device(one)
        if device is None:
            yield self._event("fire.component", one, at_ms)
            return
        for value in one["values"]:
            yield Reading(device=device.id, at_ms=at_ms, **_measured(value))

    def _reset(self, one: Mapping[str, Any], memory: PanelMemory, at_ms: int) -> Iterator[Observation]:
        """After a reset nothing burns until it is told again (GB 4717: what still burns is alarmed anew)."""
        system = one.get("system_address")
        for key, device in list(memory.burning.items()):
            if system is not None and not key.startswith(f"{system}/"):
                continue
            del memory.burning[key]
            if device in self._types:
                metric = "smoke" if self._types[device] == "smoke" else "fire"
                yield Reading(device=device, metric=metric, value=False, at_ms=at_ms)
            else:
                where, _, component = key.partition("/")
                data = {"system_address": int(where), "component_address": int(component), "by": "reset"}
                yield Event(device=self._panel, kind="fire.cleared", at_ms=at_ms, data=data)

    @property
    def _types(self) -> dict[str, str]:
        return {one.id: one.type for one in self._components.values()}

    def _panel_states(self, memory: PanelMemory, at_ms: int) -> Iterator[Observation]:
        states = {state for said in memory.systems.values() for state in said}
        if "" in memory.burning.values():
            states.add("fire")
        for name in _PANEL_STATES:
            yield Reading(device=self._panel, metric=name, value=name in states, at_ms=at_ms)

    def _event(self, code: str, one: Mapping[str, Any], at_ms: int, **more: Any) -> Event:
        data = {name: value for name, value in one.items() if not name.endswith(("_raw", "_name"))}
        return Event(device=self._panel, kind=code, at_ms=at_ms, data=data | more)


def _named(flags: Sequence[str]) -> list[str]:
    """The states of the catalogue among the named bits. A test is no test when something serious is told with it."""
    states = {_RENAMED.get(flag, flag) for flag in flags} & set(_PANEL_STATES)
    if "normal" not in flags and not _SERIOUS.intersection(states):
        states.add("test")
    return sorted(states)


def _measured(value: Mapping[str, Any]) -> dict[str, Any]:
    """Metric, value and quality of an analogue value; what is of no known kind is told under its number, as bad."""
    name: str = value["name"] or f"analog-{value['type']}"
    number: Value | None = value["value"]
    quality: Quality = "good" if number is not None else "bad"
    if value["unit"] == "MPa" and isinstance(number, int | float):
        number = round(number * 1000, 3)
    return {"metric": name, "value": number, "quality": quality}
