"""zigbee2mqtt's topics, its list of devices, and what it tells of devices that come and go.

Source: the zigbee2mqtt documentation, "MQTT topics and messages", "Device availability" and "Exposes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from protocols.bridged import read_json
from protocols.errors import ProtocolError
from protocols.zigbee.meaning import likely_type
from protocols.zigbee.orders import WARNING, Siren

TopicKind = Literal["device", "availability", "bridge-state", "bridge-devices", "bridge-event", "other"]
Payload = Mapping[str, Any]

_COMES_AND_GOES: Final = frozenset({"device_joined", "device_announce", "device_interview", "device_leave"})
_DEEPEST: Final = 4
_LONGEST_S: Final = 86_400
_TELLS: Final = 1
_TAKES: Final = 2
_ANSWERS: Final = 4
"""Bits of ``access`` of an exposed property."""


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
    """A device as zigbee2mqtt knows it: names, maker and model, and the type of the catalogue that fits.

    `siren`: how it is switched, where it says that it can sound.
    """

    name: str
    address: str = ""
    model: str = ""
    type: str = ""
    siren: Siren | None = None


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
    name, address, definition = found.get("friendly_name"), found.get("ieee_address"), found.get("definition")
    if not isinstance(name, str) or not name or found.get("disabled") is True:
        return None
    address = address if isinstance(address, str) else ""
    if not isinstance(definition, Mapping):
        return Row(name=name, address=address)
    vendor, model, about = (_text(definition, key) for key in ("vendor", "model", "description"))
    exposed = tuple(_exposed(definition.get("exposes"), 0))
    return Row(
        name=name,
        address=address,
        model=" ".join(word for word in (vendor, model) if word),
        type=likely_type(exposed, about),
        siren=_siren({entry["property"]: entry for entry in exposed}),
    )


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _exposed(entries: object, depth: int) -> Iterator[Mapping[str, Any]]:
    """What a definition's ``exposes`` names, with the features inside."""
    for entry in entries if isinstance(entries, list) and depth < _DEEPEST else ():
        if isinstance(entry, Mapping):
            if isinstance(entry.get("property"), str):
                yield entry
            yield from _exposed(entry.get("features"), depth + 1)


def _siren(exposed: Mapping[str, Mapping[str, Any]]) -> Siren | None:
    alarm, longest = exposed.get("alarm", {}), exposed.get("max_duration", {})
    if "warning" in exposed:
        asked = "max_duration" if _access(longest) & _ANSWERS else ""
        return Siren(key=WARNING, tells=bool(_access(alarm) & _TELLS), asked=asked)
    if alarm.get("type") != "binary" or not _access(alarm) & _TAKES:
        return None
    timed = exposed.get("duration", {})
    most = timed.get("value_max")
    seconds = timed.get("unit") == "s" and bool(_access(timed) & _TAKES)
    longest_s = int(most) if seconds and isinstance(most, int | float) and 0 < most < _LONGEST_S else 0
    on, off = ("ON", "OFF") if alarm.get("value_on") == "ON" else (True, False)
    return Siren(key="alarm", on=on, off=off, tells=True, longest_s=longest_s)


def _access(entry: Mapping[str, Any]) -> int:
    access = entry.get("access")
    return access if isinstance(access, int) else 0
