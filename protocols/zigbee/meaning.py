"""What a device's message says in the words of the catalogue, and which type a device is taken for.

Source: the zigbee2mqtt documentation, "Exposes" and the pages of the devices; payloads seen in the field are in
tests/cases/zigbee. One message is the whole known state of a device, so a value may be old; what just happened stands
in `action`, followed by a message where it is empty or null. ``alarm_1`` is the plain alarm bit of an IAS zone (ZCL,
8.2.2.2.1.3), which some definitions pass on without saying of what.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from protocols.bridged import with_battery_low
from protocols.events import Event, Observation, Reading, Value
from protocols.picking import as_number

_SOS_ACTIONS: Final = frozenset({"emergency", "sos", "panic"})
_PRESSES: Final = frozenset(
    {"single", "double", "triple", "quadruple", "hold", "long", "press", "pressed", "click", "on", "short", "many"}
)
"""What a button says that knows no word for help: whoever presses one that is declared as an SOS button wants it."""
_ACTIONS: Final[Mapping[str, str]] = {"sos-button": "sos", "button": "button.pressed"}
_FOR_HELP: Final = re.compile(r"\b(sos|emergency|panic)\b", re.IGNORECASE)


def _flag(raw: object) -> bool | None:
    if isinstance(raw, bool):
        return raw
    return {"ON": True, "OFF": False, "true": True, "false": False}.get(raw) if isinstance(raw, str) else None


def _not(raw: object) -> bool | None:
    flag = _flag(raw)
    return None if flag is None else not flag


def _shut(raw: object) -> bool | None:
    return {"OFF": True, "CLOSE": True, "ON": False, "OPEN": False}.get(raw) if isinstance(raw, str) else None


def _warns(raw: object) -> bool | None:
    mode = raw.get("mode") if isinstance(raw, Mapping) else raw
    return mode != "stop" if isinstance(mode, str) and mode else None


def _smells(raw: object) -> bool | None:
    return {"alarm": True, "test": False, "normal": False}.get(raw) if isinstance(raw, str) else None


def _low(raw: object) -> bool | None:
    return {"low": True, "medium": False, "middle": False, "high": False}.get(raw) if isinstance(raw, str) else None


@dataclass(frozen=True, slots=True)
class _Field:
    """`key` of the payload is `metric` of the catalogue; `read` gives None for what it cannot understand."""

    metric: str
    key: str
    read: Callable[[object], Value | None]


_RADIO: Final = (_Field("battery", "battery", as_number), _Field("linkquality", "linkquality", as_number))
_BATTERY: Final = (*_RADIO, _Field("battery-low", "battery_low", _flag), _Field("battery-low", "battery_state", _low))
_ALARM_1: Final = "alarm_1"
_FIELDS: Final[Mapping[str, tuple[_Field, ...]]] = {
    "smoke": (
        _Field("smoke", "smoke", _flag),
        _Field("smoke", "smoke_alarm_1", _flag),
        _Field("smoke", "smoke_state", _smells),
        _Field("smoke", _ALARM_1, _flag),
        _Field("tamper", "tamper", _flag),
        *_BATTERY,
    ),
    "siren": (_Field("sounding", "alarm", _flag), _Field("sounding", "warning", _warns), *_BATTERY),
    "valve": (_Field("valve-closed", "state", _shut), *_BATTERY),
    "water-leak": (
        _Field("leak", "water_leak", _flag),
        _Field("leak", "water_leak_alarm_1", _flag),
        _Field("leak", _ALARM_1, _flag),
        *_BATTERY,
    ),
    "gas-detector": (
        _Field("gas-alarm", "gas", _flag),
        _Field("gas-alarm", "carbon_monoxide", _flag),
        _Field("co", "co", as_number),
        *_BATTERY,
    ),
    "motion": (
        _Field("occupancy", "occupancy", _flag),
        _Field("occupancy", "presence", _flag),
        _Field("illuminance", "illuminance", as_number),
        _Field("illuminance", "illuminance_lux", as_number),
        *_BATTERY,
    ),
    "water-meter": (
        _Field("volume", "volume", as_number),
        _Field("volume", "water_consumed", as_number),
        _Field("flow", "flow", as_number),
        *_BATTERY,
    ),
    "sos-button": _BATTERY,
    "button": _BATTERY,
    "contact": (
        _Field("contact-open", "contact", _not),
        _Field("contact-open", "contact_alarm_1", _flag),
        _Field("contact-open", _ALARM_1, _flag),
        _Field("tamper", "tamper", _flag),
        *_BATTERY,
    ),
    "climate": (_Field("temperature", "temperature", as_number), _Field("humidity", "humidity", as_number), *_BATTERY),
    "door": (_Field("contact-open", "contact", _not), _Field("tamper", "tamper", _flag)),
}
_ONE_IS_ENOUGH: Final = frozenset({"gas-alarm"})
"""States that several sensors of one device tell; of the others the first property that is there counts."""
_TELLS: Final[Mapping[str, frozenset[str]]] = {
    "smoke": frozenset({"smoke", "smoke_alarm_1", "smoke_state"}),
    "water-leak": frozenset({"water_leak", "water_leak_alarm_1"}),
    "gas-detector": frozenset({"gas", "carbon_monoxide"}),
    "siren": frozenset({"warning", "alarm"}),
    "sos-button": frozenset({"sos", *(f"action:{action}" for action in _SOS_ACTIONS)}),
    "motion": frozenset({"occupancy", "presence"}),
    "contact": frozenset({"contact", "contact_alarm_1"}),
    "water-meter": frozenset({"volume", "water_consumed"}),
    "climate": frozenset({"temperature", "humidity"}),
    "button": frozenset({"action"}),
}
"""By which of its properties a device is taken for a type, the more telling first."""
_BINARY: Final = frozenset({"gas", "carbon_monoxide", "alarm", "smoke", "water_leak", "contact"})
_CUBIC: Final = frozenset({"volume", "water_consumed"})
"""Properties that other devices give another meaning: a gas meter's volume is no alarm, a siren's is its loudness."""
TYPES: Final = tuple(_FIELDS)
"""The device types of the catalogue that zigbee2mqtt carries."""


def likely_type(exposed: Collection[Mapping[str, Any]], about: str = "") -> str:
    """The type of the catalogue that fits what a definition exposes, and says `about` the device; empty for none."""
    told: set[str] = set()
    for entry in exposed:
        name, values = str(entry.get("property")), entry.get("values")
        if _means_it(entry, name):
            told.add(name)
        if name == "action" and isinstance(values, list):
            told |= {f"action:{value}" for value in values}
    kind = next((kind for kind, wanted in _TELLS.items() if wanted & told), "")
    return "sos-button" if kind == "button" and _FOR_HELP.search(about) else kind


def _means_it(entry: Mapping[str, Any], name: str) -> bool:
    kind, access = entry.get("type", "binary"), entry.get("access", 7)
    if name == "alarm":  # many devices tell of one; a siren lets itself be told
        return kind == "binary" and isinstance(access, int) and bool(access & 2)
    if name in _CUBIC:
        return kind != "enum" and str(entry.get("unit", "m³")) == "m³"
    return name not in _BINARY or kind == "binary"


def type_told(payload: Mapping[str, Any]) -> str:
    """The type of the catalogue that a device's message fits, the more telling first; empty when none does."""
    action = payload.get("action")
    told = {key for key, value in payload.items() if value is not None} | {f"action:{action}"}
    told -= {key for key in ("gas", "carbon_monoxide") if _flag(payload.get(key)) is None}
    told -= {"water_consumed"}  # litres of some, cubic metres of others: only the list of devices says which
    told -= {"volume"} if as_number(payload.get("volume")) is None else set()
    return next((kind for kind, wanted in _TELLS.items() if wanted & told), "")


def fields_of(device_type: str) -> frozenset[str]:
    """The keys of a message that are read for a type, besides ``action``."""
    return frozenset(row.key for row in _FIELDS[device_type])


def read_metrics(device_type: str, payload: Mapping[str, Any]) -> dict[str, Value | None]:
    """The metrics that `payload` speaks of, by name; None for a value that cannot be understood. Null says nothing."""
    found: dict[str, Value | None] = {}
    for row in _FIELDS[device_type]:
        raw = payload.get(row.key)
        if raw is not None and (row.metric not in found or (row.metric in _ONE_IS_ENOUGH and not found[row.metric])):
            found[row.metric] = row.read(raw)
    return with_battery_low(device_type, found)


def calls(payload: Mapping[str, Any]) -> bool | None:
    """Whether an SOS button whose call is a state (``sos``) calls now; None for one that tells each press."""
    return _flag(payload.get("sos"))


def observations(
    device: str,
    device_type: str,
    payload: Mapping[str, Any],
    *,
    at_ms: int,
    retained: bool = False,
    called: bool = False,
) -> tuple[Observation, ...]:
    """What a message of `device` says. A `retained` one tells its state, and never that something happened.

    `called`: what `calls` said of its message before; a call that lasts is one.
    """
    told: list[Observation] = [
        Reading(device=device, metric=name, value=value, at_ms=at_ms, quality="bad" if value is None else "good")
        for name, value in read_metrics(device_type, payload).items()
    ]
    kind = _ACTIONS.get(device_type)
    action = _pressed(device_type, payload, called)
    if kind is not None and action and not retained:
        told.append(Event(device=device, kind=kind, at_ms=at_ms, data={"action": action}))
    return tuple(told)


def _pressed(device_type: str, payload: Mapping[str, Any], called: bool) -> str:
    """What somebody does to a button; empty for nothing."""
    action = payload.get("action")
    if device_type != "sos-button":
        return action if isinstance(action, str) else ""
    if isinstance(action, str) and action in _SOS_ACTIONS | _PRESSES:
        return action
    return "sos" if calls(payload) and not called else ""
