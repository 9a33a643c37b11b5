"""ChirpStack's MQTT integration: topics and JSON events, of version 4 and of version 3.

Source: ChirpStack v4 documentation, "Integrations", "MQTT" and "Event types"; message definitions of
``integration.proto``. The JSON is ProtoJSON: a field that is left out has its default (0, false, empty). Version 3,
which network servers inside radio gateways still speak (Milesight UG6x), has no ``deviceInfo``: what names the device
stands beside the rest, its EUI in hexadecimal or, with the marshaler ``json``, in base64
(``as/integration/integration.proto``).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from protocols.bridged import read_json
from protocols.errors import ProtocolError

EventKind = Literal["up", "join", "status", "ack", "txack", "log", "location", "integration"]
KINDS: Final[tuple[EventKind, ...]] = ("up", "join", "status", "ack", "txack", "log", "location", "integration")
TOPICS: Final = "application/+/device/+/event/+"
"""The filter of all events, below the prefix of the region, if there is one."""

_TOPIC: Final = re.compile(r"application/([^/]{1,64})/device/([0-9a-fA-F]{16})/(?:event/)?([a-z]{1,16})")
_BEFORE: Final[Mapping[str, EventKind]] = {"rx": "up", "error": "log"}
"""What version 3 called two of the events."""
_EUI: Final = re.compile(r"[0-9a-fA-F]{16}")
MAX_DATA: Final = 242
"""Bytes of an FRMPayload: the most that LoRaWAN carries (Regional Parameters, EU868 DR7)."""


@dataclass(frozen=True, slots=True)
class Topic:
    """`dev_eui` in lower case."""

    application: str
    dev_eui: str
    kind: EventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraEvent:
    """An event of a device. `time`: as it stands there; `rssi` (dBm) and `snr` (dB) of the gateway that heard it best.

    ``up``: `port`, `count` (frame counter), `data`, and `object` where ChirpStack has a codec. ``status``: `battery` in
    %, None when it is not known or the device has external power. ``ack``: `acknowledged`. ``log``: `code`, `text`.
    """

    kind: EventKind
    dev_eui: str
    id: str = ""
    time: str = ""
    name: str = ""
    profile: str = ""
    application: str = ""
    port: int = 0
    count: int = 0
    data: bytes = b""
    object: Mapping[str, Any] = field(default_factory=dict)
    rssi: int | None = None
    snr: float | None = None
    battery: float | None = None
    acknowledged: bool = False
    level: str = ""
    code: str = ""
    text: str = ""


def read_topic(prefix: str, topic: str) -> Topic | None:
    """What `topic` is about; None for anything but an event below `prefix` (empty, or a region with its slash)."""
    if not topic.startswith(prefix):
        return None
    found = _TOPIC.fullmatch(topic.removeprefix(prefix))
    word = "" if found is None else found[3]
    kind = _BEFORE.get(word) or next((kind for kind in KINDS if kind == word), None)
    return Topic(found[1], found[2].lower(), kind) if found is not None and kind is not None else None


def read_event(kind: EventKind, payload: bytes, where: str = "") -> LoraEvent:
    """The event in `payload`; `where` (a topic) for the error. Raises ProtocolError for what is no such event."""
    try:
        body = read_json(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("protocols.chirpstack.not-json", topic=where) from error
    if not isinstance(body, dict):
        raise ProtocolError("protocols.chirpstack.not-json", topic=where)
    device = _table(body, "deviceInfo") or {"devEui": _eui(_text(body, "devEUI")), **body}
    eui = _text(device, "devEui")
    if not _EUI.fullmatch(eui):
        raise ProtocolError("protocols.chirpstack.no-device", topic=where)
    rssi, snr = _heard(body.get("rxInfo"))
    old = "deviceInfo" not in body
    return LoraEvent(
        kind=kind,
        dev_eui=eui.lower(),
        id=_text(body, "deduplicationId"),
        time=_text(body, "time") or _text(body, "publishedAt"),
        name=_text(device, "deviceName"),
        profile=_text(device, "deviceProfileName"),
        application=_text(device, "applicationName"),
        port=_whole(body, "fPort", 255),
        count=_whole(body, "fCnt", 2**32 - 1),
        data=_data(body, where),
        object=_table(body, "object") or (_decoded(_text(body, "objectJSON")) if old else {}),
        rssi=rssi,
        snr=snr,
        battery=_battery(body) if kind == "status" else None,
        acknowledged=body.get("acknowledged") is True,
        level="ERROR" if old and "error" in body else _text(body, "level"),
        code=_text(body, "type" if old else "code"),
        text=_text(body, "error" if old else "description"),
    )


def _eui(text: str) -> str:
    """An EUI of version 3 in hexadecimal; empty for none."""
    if _EUI.fullmatch(text):
        return text
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return ""
    return data.hex() if len(data) == 8 else ""


def _decoded(text: str) -> Mapping[str, Any]:
    try:
        found = read_json(text.encode()) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _data(body: Mapping[str, Any], where: str) -> bytes:
    text = body.get("data", "")
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (ValueError, binascii.Error):
        data = None
    if data is None or len(data) > MAX_DATA:
        raise ProtocolError("protocols.chirpstack.data", topic=where)
    return data


def _battery(body: Mapping[str, Any]) -> float | None:
    """A level that is left out is 0 % and not unknown: that has a field of its own."""
    if body.get("batteryLevelUnavailable") is True or body.get("externalPowerSource") is True:
        return None
    level = body.get("batteryLevel", 0)
    number = isinstance(level, int | float) and not isinstance(level, bool) and math.isfinite(level)
    return float(level) if number else None


def _heard(gateways: object) -> tuple[int | None, float | None]:
    """Of the gateway that heard it best. One without an rssi (0 dBm is none: the default) does not say how well."""
    rows = [row for row in gateways if isinstance(row, Mapping)] if isinstance(gateways, list) else []
    found = [(rssi, _level(row, "snr") or _level(row, "loRaSNR")) for row in rows if (rssi := _level(row, "rssi"))]
    best = max(found, default=None)
    return (None, None) if best is None else (int(best[0]), best[1])


def _level(row: Mapping[str, Any], key: str) -> float:
    value = row.get(key, 0)
    return float(value) if isinstance(value, int | float) and abs(value) < 1000 else 0.0


def _table(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _whole(body: Mapping[str, Any], key: str, most: int) -> int:
    value = body.get(key, 0)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else 0
