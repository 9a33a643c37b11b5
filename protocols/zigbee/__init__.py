"""zigbee2mqtt: its topics and payloads, and what they say in the words of the catalogue.

Source: the zigbee2mqtt documentation, "MQTT topics and messages", "Device availability" and the pages of the devices;
payloads seen in the field are in tests/cases/zigbee. One message is the whole known state of a device, so a value may
be old; what just happened stands in `action`, followed by a message where it is empty or null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from protocols.bridged import read_json, with_battery_low
from protocols.errors import ProtocolError
from protocols.events import Event, Observation, Reading, Value
from protocols.picking import as_number

TopicKind = Literal["device", "availability", "bridge-state", "bridge-devices", "bridge-event", "other"]
Payload = Mapping[str, Any]

Closes = Literal["OFF", "ON", "CLOSE"]
"""The `state` that closes a valve: OFF mostly, ON for one that is wired the other way round."""

ASKABLE: Final[Mapping[str, str]] = {"siren": "max_duration", "valve": "state"}
"""Types that listen all the time, and what they can be asked for: the others sleep, and tell by themselves only."""
SWITCHED: Final[Mapping[str, tuple[str, str]]] = {"siren": ("sound", "sounding"), "valve": ("valve-closed",) * 2}
"""Types that are written: their output, and the metric that confirms it."""
_OPENS: Final[Mapping[Closes, str]] = {"OFF": "ON", "ON": "OFF", "CLOSE": "OPEN"}
_SOS_ACTIONS: Final = frozenset({"emergency", "sos", "panic"})
_ACTIONS: Final[Mapping[str, str]] = {"sos-button": "sos", "button": "button.pressed"}
_COMES_AND_GOES: Final = frozenset({"device_joined", "device_announce", "device_interview", "device_leave"})
_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic is about; `name` is the device's friendly name (which may hold slashes), empty for the bridge."""

    kind: TopicKind
    name: str = ""


def read_topic(base: str, topic: str) -> Topic:
    """What `topic` below `base` is about; `other` for commands, logs and what is not known."""
    below = topic.removeprefix(base + "/")
    if below == topic or not below:
        return Topic("other")
    match below:
        case "bridge/state":
            return Topic("bridge-state")
        case "bridge/devices":
            return Topic("bridge-devices")
        case "bridge/event":
            return Topic("bridge-event")
    name, _, last = below.rpartition("/")
    if below.startswith("bridge/") or last in ("set", "get") or "/set/" in below or "/get/" in below:
        return Topic("other")
    return Topic("availability", name) if name and last == "availability" else Topic("device", below)


def read_payload(topic: str, payload: bytes) -> Payload:
    """The JSON object of a device's message. Raises ProtocolError for anything else."""
    try:
        body = read_json(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("protocols.zigbee.not-json", topic=topic) from error
    if not isinstance(body, dict):
        raise ProtocolError("protocols.zigbee.not-json", topic=topic)
    return body


def read_availability(topic: str, payload: bytes) -> bool:
    """Whether the device (or bridge) is there: plain ``online`` or ``{"state": "online"}``. Raises ProtocolError."""
    text = payload.decode("utf-8", "replace").strip()
    if text.startswith("{"):
        text = str(read_payload(topic, payload).get("state"))
    if text not in ("online", "offline"):
        raise ProtocolError("protocols.zigbee.availability", topic=topic)
    return text == "online"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A device as zigbee2mqtt knows it: friendly name, maker and model, and the type of the catalogue that fits."""

    name: str
    model: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeEvent:
    """A device came (joined, announced itself, was looked at) or `left`."""

    row: Row
    left: bool = False


def read_devices(topic: str, payload: bytes) -> tuple[Row, ...]:
    """What ``bridge/devices`` lists, without the coordinator and what is switched off. Raises ProtocolError."""
    try:
        rows = read_json(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("protocols.zigbee.not-json", topic=topic) from error
    if not isinstance(rows, list):
        raise ProtocolError("protocols.zigbee.not-json", topic=topic)
    found = (_row(row) for row in rows if isinstance(row, dict) and row.get("type") != "Coordinator")
    return tuple(row for row in found if row is not None)


def read_bridge_event(topic: str, payload: bytes) -> BridgeEvent | None:
    """What ``bridge/event`` tells of a device; None for what concerns none. Raises ProtocolError."""
    body = read_payload(topic, payload)
    data = body.get("data")
    row = _row(data) if isinstance(data, dict) else None
    if row is None or body.get("type") not in _COMES_AND_GOES:
        return None
    return BridgeEvent(row=row, left=body["type"] == "device_leave")


def _row(found: Mapping[str, Any]) -> Row | None:
    name, definition = found.get("friendly_name"), found.get("definition")
    if not isinstance(name, str) or not name or found.get("disabled") is True:
        return None
    if not isinstance(definition, Mapping):
        return Row(name=name)
    words = (definition.get(key) for key in ("vendor", "model"))
    exposed = frozenset(_exposed(definition.get("exposes"), 0))
    kind = next((kind for kind, wanted in _TELLS.items() if wanted & exposed), "")
    return Row(name=name, model=" ".join(word for word in words if isinstance(word, str)), type=kind)


def _exposed(entries: object, depth: int) -> Iterator[str]:
    """The properties that a definition's ``exposes`` names, and the values of its ``action``."""
    for entry in entries if isinstance(entries, list) and depth < _DEEPEST else ():
        if isinstance(entry, Mapping):
            name, values = entry.get("property"), entry.get("values")
            yield from (word for word in (name,) if isinstance(word, str))
            if name == "action" and isinstance(values, list):
                yield from (f"action:{value}" for value in values)
            yield from _exposed(entry.get("features"), depth + 1)


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


@dataclass(frozen=True, slots=True)
class _Field:
    """`key` of the payload is `metric` of the catalogue; `read` gives None for what it cannot understand."""

    metric: str
    key: str
    read: Callable[[object], Value | None]


_RADIO: Final = (_Field("battery", "battery", as_number), _Field("linkquality", "linkquality", as_number))
_BATTERY: Final = (*_RADIO, _Field("battery-low", "battery_low", _flag))
_FIELDS: Final[Mapping[str, tuple[_Field, ...]]] = {
    "smoke": (_Field("smoke", "smoke", _flag), _Field("tamper", "tamper", _flag), *_BATTERY),
    "siren": (_Field("sounding", "alarm", _flag), _Field("sounding", "warning", _warns), *_BATTERY),
    "valve": (_Field("valve-closed", "state", _shut), *_BATTERY),
    "water-leak": (_Field("leak", "water_leak", _flag), *_BATTERY),
    "motion": (
        _Field("occupancy", "occupancy", _flag),
        _Field("illuminance", "illuminance", as_number),
        _Field("illuminance", "illuminance_lux", as_number),
        *_BATTERY,
    ),
    "water-meter": (_Field("volume", "volume", as_number), _Field("flow", "flow", as_number), *_BATTERY),
    "sos-button": _BATTERY,
    "button": _BATTERY,
    "contact": (_Field("contact-open", "contact", _not), _Field("tamper", "tamper", _flag), *_BATTERY),
    "climate": (_Field("temperature", "temperature", as_number), _Field("humidity", "humidity", as_number), *_BATTERY),
    "door": (_Field("contact-open", "contact", _not), _Field("tamper", "tamper", _flag)),
}
_TELLS: Final[Mapping[str, frozenset[str]]] = {
    "smoke": frozenset({"smoke"}),
    "water-leak": frozenset({"water_leak"}),
    "siren": frozenset({"warning", "alarm"}),
    "sos-button": frozenset(f"action:{action}" for action in _SOS_ACTIONS),
    "motion": frozenset({"occupancy"}),
    "contact": frozenset({"contact"}),
    "water-meter": frozenset({"volume"}),
    "climate": frozenset({"temperature", "humidity"}),
    "button": frozenset({"action"}),
}
"""By which of its properties a device is taken for a type, the more telling first."""
TYPES: Final = tuple(_FIELDS)
"""The device types of the catalogue that zigbee2mqtt carries."""


def type_told(payload: Payload) -> str:
    """The type of the catalogue that a device's message fits, the more telling first; empty when none does."""
    action = payload.get("action")
    told = {key for key, value in payload.items() if value is not None} | {f"action:{action}"}
    return next((kind for kind, wanted in _TELLS.items() if wanted & told), "")


def fields_of(device_type: str) -> frozenset[str]:
    """The keys of a message that are read for a type, besides ``action``."""
    return frozenset(row.key for row in _FIELDS[device_type])


def read_metrics(device_type: str, payload: Payload) -> dict[str, Value | None]:
    """The metrics that `payload` speaks of, by name; None for a value that cannot be understood. Null says nothing."""
    found: dict[str, Value | None] = {}
    for row in _FIELDS[device_type]:
        raw = payload.get(row.key)
        if raw is not None and row.metric not in found:
            found[row.metric] = row.read(raw)
    return with_battery_low(device_type, found)


def observations(
    device: str, device_type: str, payload: Payload, *, at_ms: int, retained: bool = False
) -> tuple[Observation, ...]:
    """What a message of `device` says. A `retained` one tells its state, and never that something happened."""
    told: list[Observation] = [
        Reading(device=device, metric=name, value=value, at_ms=at_ms, quality="bad" if value is None else "good")
        for name, value in read_metrics(device_type, payload).items()
    ]
    action = payload.get("action")
    kind = _ACTIONS.get(device_type)
    pressed = isinstance(action, str) and (action in _SOS_ACTIONS if kind == "sos" else action != "")
    if kind is not None and pressed and not retained:
        told.append(Event(device=device, kind=kind, at_ms=at_ms, data={"action": action}))
    return tuple(told)


def get_command(device_type: str) -> bytes:
    """What ``NAME/get`` takes to let a device of one of the `ASKABLE` types report itself."""
    return json.dumps({ASKABLE[device_type]: ""}, separators=(",", ":")).encode()


def upright(payload: Payload, closes: Closes) -> Payload:
    """The message of a valve as one of which OFF is closed would tell it."""
    state = payload.get("state")
    return {**payload, "state": _OPENS[state]} if closes == "ON" and state in ("ON", "OFF") else payload


def valve_command(closed: bool, closes: Closes) -> bytes:
    """What ``NAME/set`` takes to close or open a valve of which the state `closes` is the closed one."""
    return json.dumps({"state": closes if closed else _OPENS[closes]}, separators=(",", ":")).encode()


def warning_command(sound: bool, duration_s: int) -> bytes:
    """What ``NAME/set`` takes to start a siren for `duration_s` seconds, or to stop it."""
    mode = {"mode": "emergency", "level": "very_high", "strobe": True, "duration": duration_s}
    stop = {"mode": "stop", "level": "low", "strobe": False, "duration": 0}
    return json.dumps({"warning": mode if sound else stop}, separators=(",", ":")).encode()
