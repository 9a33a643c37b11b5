"""zigbee2mqtt: its topics and payloads, and what they say in the words of the catalogue.

Source: the zigbee2mqtt documentation, "MQTT topics and messages", "Device availability" and the pages of the devices;
payloads seen in the field are in tests/cases/zigbee. One message is the whole known state of a device, so a value may
be old; what just happened stands in `action`, followed by a message where it is empty or null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from protocols.catalog import DEVICE_TYPES
from protocols.errors import ProtocolError
from protocols.events import Event, Observation, Reading, Value

TopicKind = Literal["device", "availability", "bridge-state", "bridge-devices", "other"]
Payload = Mapping[str, Any]

ASKABLE: Final[Mapping[str, str]] = {"siren": "max_duration"}
"""Types that listen all the time, and what they can be asked for: the others sleep, and tell by themselves only."""
_SOS_ACTIONS: Final = frozenset({"emergency", "sos", "panic"})
_OLDEST_MS: Final = 7 * 86_400_000
_LATEST_MS: Final = 253_402_300_799_999  # the year 9999
_APART_MS: Final = 2000
"""Two clocks that agree may be as far apart as this: what lies no further ahead was heard now."""


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
    if below in ("bridge/state", "bridge/devices"):
        return Topic("bridge-state" if below == "bridge/state" else "bridge-devices")
    name, _, last = below.rpartition("/")
    if below.startswith("bridge/") or last in ("set", "get") or "/set/" in below or "/get/" in below:
        return Topic("other")
    return Topic("availability", name) if name and last == "availability" else Topic("device", below)


def read_payload(topic: str, payload: bytes) -> Payload:
    """The JSON object of a device's message. Raises ProtocolError for anything else."""
    try:
        body = json.loads(payload)
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


def read_devices(topic: str, payload: bytes) -> tuple[str, ...]:
    """The friendly names in ``bridge/devices``, without the coordinator. Raises ProtocolError."""
    try:
        rows = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("protocols.zigbee.not-json", topic=topic) from error
    if not isinstance(rows, list):
        raise ProtocolError("protocols.zigbee.not-json", topic=topic)
    named = (r for r in rows if isinstance(r, dict) and r.get("type") != "Coordinator")
    return tuple(r["friendly_name"] for r in named if isinstance(r.get("friendly_name"), str))


def observed_at(payload: Payload, now_ms: int, ahead_ms: Iterable[int] = (0,)) -> int:
    """When the device was heard, ms since 1970 UTC: its `last_seen` (ISO 8601, or ms), else `now_ms`.

    `ahead_ms`: by how much our time may be ahead of the clock that wrote `last_seen`; what comes nearest to `now_ms`
    counts. A time that lies ahead, or more than seven days back, is a clock that is not set: then `now_ms` too.
    """
    seen = payload.get("last_seen")
    if isinstance(seen, str):
        try:
            moment = datetime.fromisoformat(seen)
        except ValueError:
            return now_ms
        seen = moment.timestamp() * 1000 if moment.tzinfo is not None else None
    if isinstance(seen, bool) or not isinstance(seen, int | float) or not 0 <= seen <= _LATEST_MS:
        return now_ms
    stamps = [round(seen) + ahead for ahead in ahead_ms]
    possible = [min(stamp, now_ms) for stamp in stamps if now_ms - _OLDEST_MS <= stamp <= now_ms + _APART_MS]
    return max(possible, default=now_ms)


def _flag(raw: object) -> bool | None:
    if isinstance(raw, bool):
        return raw
    return {"ON": True, "OFF": False, "true": True, "false": False}.get(raw) if isinstance(raw, str) else None


def _not(raw: object) -> bool | None:
    flag = _flag(raw)
    return None if flag is None else not flag


def _number(raw: object) -> float | None:
    """A number, also one written as a string (battery "100.00" is seen in the field)."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _warns(raw: object) -> bool | None:
    mode = raw.get("mode") if isinstance(raw, Mapping) else raw
    return mode != "stop" if isinstance(mode, str) and mode else None


@dataclass(frozen=True, slots=True)
class _Field:
    """`key` of the payload is `metric` of the catalogue; `read` gives None for what it cannot understand."""

    metric: str
    key: str
    read: Callable[[object], Value | None]


_RADIO: Final = (_Field("battery", "battery", _number), _Field("linkquality", "linkquality", _number))
_FIELDS: Final[Mapping[str, tuple[_Field, ...]]] = {
    "smoke": (_Field("smoke", "smoke", _flag), _Field("tamper", "tamper", _flag), *_RADIO),
    "siren": (_Field("sounding", "alarm", _flag), _Field("sounding", "warning", _warns), *_RADIO),
    "water-leak": (_Field("leak", "water_leak", _flag), *_RADIO),
    "motion": (
        _Field("occupancy", "occupancy", _flag),
        _Field("illuminance", "illuminance", _number),
        _Field("illuminance", "illuminance_lux", _number),
        *_RADIO,
    ),
    "water-meter": (_Field("volume", "volume", _number), _Field("flow", "flow", _number), *_RADIO),
    "sos-button": _RADIO,
    "door": (_Field("contact-open", "contact", _not), _Field("tamper", "tamper", _flag)),
}
TYPES: Final = tuple(_FIELDS)
"""The device types of the catalogue that zigbee2mqtt carries."""


def read_metrics(device_type: str, payload: Payload) -> dict[str, Value | None]:
    """The metrics that `payload` speaks of, by name; None for a value that cannot be understood. Null says nothing."""
    found: dict[str, Value | None] = {}
    for row in _FIELDS[device_type]:
        raw = payload.get(row.key)
        if raw is not None and row.metric not in found:
            found[row.metric] = row.read(raw)
    return found


def observations(
    device: str, device_type: str, payload: Payload, *, at_ms: int, retained: bool = False
) -> tuple[Observation, ...]:
    """What a message of `device` says. A `retained` one tells its state, and never that something happened."""
    told: list[Observation] = [
        Reading(device=device, metric=name, value=value, at_ms=at_ms, quality="bad" if value is None else "good")
        for name, value in read_metrics(device_type, payload).items()
    ]
    action = payload.get("action")
    pressed = isinstance(action, str) and action in _SOS_ACTIONS
    if pressed and not retained and "sos" in DEVICE_TYPES[device_type].events:
        told.append(Event(device=device, kind="sos", at_ms=at_ms, data={"action": action}))
    return tuple(told)


def get_command(device_type: str) -> bytes:
    """What ``NAME/get`` takes to let a device of one of the `ASKABLE` types report itself."""
    return json.dumps({ASKABLE[device_type]: ""}, separators=(",", ":")).encode()


def warning_command(sound: bool, duration_s: int) -> bytes:
    """What ``NAME/set`` takes to start a siren for `duration_s` seconds, or to stop it."""
    mode = {"mode": "emergency", "level": "very_high", "strobe": True, "duration": duration_s}
    stop = {"mode": "stop", "level": "low", "strobe": False, "duration": 0}
    return json.dumps({"warning": mode if sound else stop}, separators=(",", ":")).encode()
