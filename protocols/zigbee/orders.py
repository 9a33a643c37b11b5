"""What zigbee2mqtt takes at ``NAME/set`` and ``NAME/get``: sirens, valves, and questions.

Source: the zigbee2mqtt documentation, "MQTT topics and messages" and the pages of the devices. A siren of the IAS WD
cluster takes ``warning``, which it never reports back; one of Tuya's makers takes ``alarm``, which is its state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Closes = Literal["OFF", "ON", "CLOSE"]
"""The `state` that closes a valve: OFF mostly, ON for one that is wired the other way round."""

ASKABLE: Final[Mapping[str, str]] = {"siren": "max_duration", "valve": "state"}
"""Types that listen all the time, and what they can be asked for: the others sleep, and tell by themselves only."""
SWITCHED: Final[Mapping[str, tuple[str, str]]] = {"siren": ("sound", "sounding"), "valve": ("valve-closed",) * 2}
"""Types that are written: their output, and the metric that confirms it."""
WARNING: Final = "warning"
_OPENS: Final[Mapping[Closes, str]] = {"OFF": "ON", "ON": "OFF", "CLOSE": "OPEN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Siren:
    """How a siren is switched: by `key`, ``warning`` or ``alarm``, the latter with the values `on` and `off`.

    `tells`: it reports whether it sounds. `asked`: what it can be asked for; its answer shows that it was reached.
    `longest_s`: the most that its ``duration`` takes, seconds; 0 where it has none.
    """

    key: str = WARNING
    on: bool | str = True
    off: bool | str = False
    tells: bool = True
    asked: str = ""
    longest_s: int = 0


def get_command(device_type: str) -> bytes:
    """What ``NAME/get`` takes to let a device of one of the `ASKABLE` types report itself."""
    return json.dumps({ASKABLE[device_type]: ""}, separators=(",", ":")).encode()


def upright(payload: Mapping[str, Any], closes: Closes) -> Mapping[str, Any]:
    """The message of a valve as one of which OFF is closed would tell it."""
    state = payload.get("state")
    return {**payload, "state": _OPENS[state]} if closes == "ON" and state in ("ON", "OFF") else payload


def valve_command(closed: bool, closes: Closes) -> bytes:
    """What ``NAME/set`` takes to close or open a valve of which the state `closes` is the closed one."""
    return json.dumps({"state": closes if closed else _OPENS[closes]}, separators=(",", ":")).encode()


def siren_command(siren: Siren, sound: bool, duration_s: int) -> bytes:
    """What ``NAME/set`` takes to start a siren for `duration_s` seconds (as far as it can be told), or to stop it."""
    wanted: dict[str, Any]
    if siren.key != WARNING:
        wanted = {"duration": min(duration_s, siren.longest_s)} if sound and siren.longest_s else {}
        wanted["alarm"] = siren.on if sound else siren.off
    elif sound:
        wanted = {WARNING: {"mode": "emergency", "level": "very_high", "strobe": True, "duration": duration_s}}
    else:
        wanted = {WARNING: {"mode": "stop", "level": "low", "strobe": False, "duration": 0}}
    return json.dumps(wanted, separators=(",", ":")).encode()
