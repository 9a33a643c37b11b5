"""Which codec reads a device's uplinks, and what its uplinks say in the words of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pydantic import Field

from protocols.bridged import with_battery_low
from protocols.catalog import DEVICE_TYPES
from protocols.chirpstack import milesight
from protocols.chirpstack.events import LoraEvent
from protocols.chirpstack.milesight import Decoded
from protocols.events import Event, Observation, Reading
from protocols.picking import Pick, at_pointer

OBJECT: Final = "object"
"""The codec of ChirpStack's device profile, whose fields the configuration names."""
_GS524N: Final = "milesight-gs524n"
CODECS: Final = (*milesight.MODELS, _GS524N, OBJECT)
_SHORTEST: Final = 4


class ObjectPick(Pick):
    """A value of the decoded object; `path` is a JSON pointer (RFC 6901) such as ``/temperature``."""

    path: str = Field(pattern=r"^(/[^/]{1,64}){1,8}$")


def type_of(codec: str) -> str:
    """The device type that a codec is for; empty when that is the configuration's to say."""
    if codec == OBJECT:
        return ""
    return "smoke" if codec == _GS524N else milesight.MODELS[codec].type


def guess(event: LoraEvent) -> str:
    """The codec of a device that nobody has declared, by the names it has in ChirpStack; empty for none."""
    names = {re.sub(r"[^a-z0-9]", "", text.lower()) for text in (event.profile, event.name)}
    models = {codec: codec.removeprefix("milesight-").replace("-", "") for codec in CODECS if codec != OBJECT}
    fits = [codec for codec, word in models.items() if len(word) >= _SHORTEST and any(word in name for name in names)]
    return max(fits, key=len, default="")


def decode(codec: str, port: int, data: bytes) -> Decoded:
    """The payload of an uplink, for every codec but `OBJECT`; nothing on another port than the maker's."""
    if codec == _GS524N:
        return milesight.decode_gs524n(data)
    return milesight.decode(codec, data) if port == milesight.PORT else Decoded()


def uplink(
    device: str, device_type: str, codec: str, picks: Sequence[ObjectPick], event: LoraEvent, at_ms: int
) -> list[Observation]:
    """What an uplink of `device` says. Radio reception is ``linkquality``: 0 at −120 dBm and 255 at −60 dBm."""
    told: list[Observation] = []
    if codec == OBJECT:
        for pick in picks:
            raw = at_pointer(event.object, pick.path)
            one = None if raw is None else pick.observation(device, device_type, raw, at_ms)
            told += [] if one is None else [one]
    else:
        found = decode(codec, event.port, event.data)
        metrics = with_battery_low(device_type, found.metrics)
        told += [Reading(device=device, metric=name, value=value, at_ms=at_ms) for name, value in metrics.items()]
        told += [Event(device=device, kind=kind, at_ms=at_ms, data=data) for kind, data in found.events]
    if event.rssi is not None and DEVICE_TYPES[device_type].metric("linkquality") is not None:
        heard = max(0.0, min(255.0, (event.rssi + 120) * 255 / 60))
        told.append(Reading(device=device, metric="linkquality", value=round(heard), at_ms=at_ms))
    return told


def status(device: str, device_type: str, event: LoraEvent, at_ms: int) -> list[Observation]:
    """What a device answered when ChirpStack asked how it is: its battery."""
    if event.battery is None or DEVICE_TYPES[device_type].metric("battery") is None:
        return []
    metrics = with_battery_low(device_type, {"battery": event.battery})
    return [Reading(device=device, metric=name, value=value, at_ms=at_ms) for name, value in metrics.items()]
