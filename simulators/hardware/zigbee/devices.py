"""The devices behind the bridge: what each shows, how it lives, what can happen to it.

Payload keys are those that zigbee2mqtt documents for such devices, written out here a second time. `elapsed_s` is in
simulated seconds. A device gives `Shown`: the payload of a message, and what in it a reader must find.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from protocols.errors import ConfigError

_DAY_MS: Final = 86_400_000
_UTC_OFFSET_MS: Final = 8 * 3_600_000


Exposed = tuple[tuple[str, str, int], ...]
"""What zigbee2mqtt's list says of a device: property, kind, and access (1 it tells, 2 it can be told, 4 asked)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message: its `payload`, and the `metric` (or kind of event) that it shows with its value; empty for none."""

    payload: Mapping[str, Any]
    metric: str = ""
    value: object = None


@dataclass
class ZigbeeDevice:
    """A battery device that reports its state from time to time."""

    id: str
    type: str
    name: str
    rng: random.Random
    online: bool = True
    battery: float = 100.0
    linkquality: int = 120
    due_s: float = 10.0

    every_s: ClassVar[float] = 600.0
    model: ClassVar[str] = ""
    exposes: ClassVar[Exposed] = ()

    def step(self, now_ms: int, elapsed_s: float) -> list[Shown]:
        """What the device tells in this step."""
        self.battery = max(5.0, self.battery - elapsed_s / 864_000)
        self.due_s -= elapsed_s
        if self.due_s > 0:
            return []
        self.due_s = self.every_s * self.rng.uniform(0.9, 1.1)
        self.linkquality = min(255, max(20, self.linkquality + self.rng.randint(-8, 8)))
        return self.report(now_ms)

    def report(self, now_ms: int) -> list[Shown]:
        """Its whole state."""
        return [self.shown()]

    def shown(self, metric: str = "", value: object = None, **more: object) -> Shown:
        """A message with `more` beside what the radio adds."""
        radio = {"battery": round(self.battery, 2), "linkquality": self.linkquality}
        return Shown(payload={**more, **radio}, metric=metric, value=value)

    def state(self) -> dict[str, Any]:
        """What survives a restart."""
        return {"online": self.online, "battery": self.battery}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take it up again."""
        self.online = bool(state.get("online", True))
        self.battery = float(state.get("battery", self.battery))


@dataclass
class SmokeDetector(ZigbeeDevice):
    """Optical smoke detector."""

    smoke: bool = False
    model: ClassVar[str] = "HS1SA"
    exposes: ClassVar[Exposed] = (("smoke", "binary", 1), ("battery_low", "binary", 1), ("tamper", "binary", 1))

    def report(self, now_ms: int) -> list[Shown]:
        """Smoke or none."""
        return [self.shown("smoke", self.smoke, smoke=self.smoke, battery_low=self.battery < 10, tamper=False)]

    def state(self) -> dict[str, Any]:
        """Smoke does not clear by a restart."""
        return {**super().state(), "smoke": self.smoke}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on."""
        super().restore(state)
        self.smoke = bool(state.get("smoke", False))


@dataclass
class LeakSensor(ZigbeeDevice):
    """Two contacts on the floor."""

    leak: bool = False
    model: ClassVar[str] = "SJCGQ11LM"
    exposes: ClassVar[Exposed] = (("water_leak", "binary", 1), ("battery", "numeric", 1))

    def report(self, now_ms: int) -> list[Shown]:
        """Wet or dry; this model writes its battery as a string."""
        shown = self.shown("leak", self.leak, water_leak=self.leak, voltage=3045)
        return [Shown(payload={**shown.payload, "battery": f"{self.battery:.2f}"}, metric="leak", value=self.leak)]

    def state(self) -> dict[str, Any]:
        """Water does not dry by a restart."""
        return {**super().state(), "leak": self.leak}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on."""
        super().restore(state)
        self.leak = bool(state.get("leak", False))


@dataclass
class MotionSensor(ZigbeeDevice):
    """Somebody lives there: often seen by day, seldom by night; clears by itself."""

    occupancy: bool = False
    clears_s: float = 0.0
    every_s: ClassVar[float] = 300.0
    hold_s: ClassVar[float] = 60.0
    model: ClassVar[str] = "RTCGQ11LM"
    exposes: ClassVar[Exposed] = (("occupancy", "binary", 1), ("illuminance", "numeric", 1))

    def step(self, now_ms: int, elapsed_s: float) -> list[Shown]:
        """Seen, or nobody any more."""
        if self.occupancy:
            self.clears_s -= elapsed_s
            if self.clears_s <= 0:
                self.occupancy = False
                return self.report(now_ms)
        elif self.rng.random() < elapsed_s / (120 if _is_day(now_ms) else 3600):
            return self.seen(now_ms)
        return super().step(now_ms, elapsed_s)

    def seen(self, now_ms: int) -> list[Shown]:
        """Somebody moves."""
        self.occupancy, self.clears_s = True, self.hold_s
        return self.report(now_ms)

    def report(self, now_ms: int) -> list[Shown]:
        """Occupancy and light."""
        light = self.rng.randint(150, 600) if _is_day(now_ms) else self.rng.randint(0, 40)
        return [self.shown("occupancy", self.occupancy, occupancy=self.occupancy, illuminance=light)]


@dataclass
class WaterMeter(ZigbeeDevice):
    """A radio water meter in m³ and m³/h; its volume is greater in every message."""

    volume: float = 0.0
    told: float = 0.0
    flow: float = 0.0
    every_s: ClassVar[float] = 20.0
    model: ClassVar[str] = "TS0601_water_meter"
    exposes: ClassVar[Exposed] = (("volume", "numeric", 1), ("flow", "numeric", 1))
    _STEP: ClassVar[float] = 0.0001
    _MARGIN: ClassVar[float] = 0.05

    def step(self, now_ms: int, elapsed_s: float) -> list[Shown]:
        """Taps open and close."""
        if self.rng.random() < elapsed_s / 60:
            self.flow = round(self.rng.uniform(0.1, 0.9), 3) if _is_day(now_ms) and self.rng.random() < 0.5 else 0.0
        self.volume += self.flow * elapsed_s / 3600
        return super().step(now_ms, elapsed_s)

    def report(self, now_ms: int) -> list[Shown]:
        """The dial; a dripping tap is enough for the last digit."""
        self.told = round(max(self.volume, self.told + self._STEP), 4)
        self.volume = max(self.volume, self.told)
        return [self.shown("volume", self.told, volume=self.told, flow=self.flow)]

    def state(self) -> dict[str, Any]:
        """The dial."""
        return {**super().state(), "told": self.told}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on counting, a little above: what was told after `state` was saved must not be told again."""
        super().restore(state)
        self.told = float(state.get("told", 0.0)) + self._MARGIN
        self.volume = max(self.volume, self.told)


@dataclass
class SosButton(ZigbeeDevice):
    """A button on the wall beside the bed."""

    every_s: ClassVar[float] = 1800.0
    model: ClassVar[str] = "SBTL-SOS"
    exposes: ClassVar[Exposed] = (("action", "enum", 1), ("battery", "numeric", 1))

    def press(self) -> list[Shown]:
        """What zigbee2mqtt makes of a press: the action, then the same without it."""
        return [self.shown("sos", "emergency", action="emergency"), self.shown(action="")]


@dataclass
class Siren(ZigbeeDevice):
    """Sounds when told to, until told otherwise or its time is over, and reports both."""

    left_s: float = 0.0
    warning: dict[str, Any] = field(default_factory=lambda: {"mode": "stop"})
    model: ClassVar[str] = "ZR1-EN"
    exposes: ClassVar[Exposed] = (("alarm", "binary", 1), ("warning", "composite", 2))

    @property
    def sounding(self) -> bool:
        """Whether it can be heard."""
        return self.left_s > 0

    def step(self, now_ms: int, elapsed_s: float) -> list[Shown]:
        """Time runs out."""
        before, self.left_s = self.left_s, self.left_s - elapsed_s
        if before > 0 >= self.left_s:
            self.warning = {"mode": "stop"}
            return self.report(now_ms)
        return super().step(now_ms, elapsed_s)

    def set(self, command: Mapping[str, Any], now_ms: int) -> list[Shown]:
        """Obey ``{"warning": {"mode", "duration"}}``; anything else is ignored, as the device does."""
        warning = command.get("warning")
        if not isinstance(warning, Mapping) or not isinstance(warning.get("mode"), str):
            return []
        self.warning = dict(warning)
        self.left_s = 0.0 if warning["mode"] == "stop" else float(warning.get("duration") or 10)
        return self.report(now_ms)

    def get(self, asked: Mapping[str, Any], now_ms: int) -> list[Shown]:
        """Answer a question for its longest duration with its whole state; anything else cannot be asked for."""
        return self.report(now_ms) if "max_duration" in asked else []

    def report(self, now_ms: int) -> list[Shown]:
        """Sounding or not."""
        return [self.shown("sounding", self.sounding, alarm=self.sounding, warning=self.warning)]


@dataclass
class Valve(ZigbeeDevice):
    """A motor on the tap of a flat; while it is `stuck` it tells that it is as it was."""

    closed: bool = False
    stuck: bool = False
    model: ClassVar[str] = "TS0601_water_valve"
    exposes: ClassVar[Exposed] = (("state", "binary", 7),)

    def set(self, command: Mapping[str, Any], now_ms: int) -> list[Shown]:
        """Obey ``{"state": "ON"}`` (open) and ``{"state": "OFF"}``; anything else is ignored."""
        if command.get("state") not in ("ON", "OFF"):
            return []
        if not self.stuck:
            self.closed = command["state"] == "OFF"
        return self.report(now_ms)

    def get(self, asked: Mapping[str, Any], now_ms: int) -> list[Shown]:
        """Answer a question for its state; anything else cannot be asked for."""
        return self.report(now_ms) if "state" in asked else []

    def report(self, now_ms: int) -> list[Shown]:
        """Open or closed."""
        return [self.shown("valve-closed", self.closed, state="OFF" if self.closed else "ON")]

    def state(self) -> dict[str, Any]:
        """A valve stays where it is."""
        return {**super().state(), "closed": self.closed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on."""
        super().restore(state)
        self.closed = bool(state.get("closed", False))


_KINDS: Final[Mapping[str, type[ZigbeeDevice]]] = {
    "smoke": SmokeDetector,
    "water-leak": LeakSensor,
    "motion": MotionSensor,
    "water-meter": WaterMeter,
    "sos-button": SosButton,
    "siren": Siren,
    "valve": Valve,
}


def make_device(device: str, device_type: str, name: str, rng: random.Random) -> ZigbeeDevice:
    """A new device of a catalogue type. Raises ConfigError for one that has no stand-in here."""
    kind = _KINDS.get(device_type)
    if kind is None:
        raise ConfigError("simulators.zigbee.type", device=device, type=device_type, allowed=", ".join(_KINDS))
    made = kind(id=device, type=device_type, name=name, rng=rng, linkquality=rng.randint(60, 200))
    made.battery = rng.uniform(70, 100)
    if isinstance(made, WaterMeter):
        made.volume = made.told = round(rng.uniform(80, 200), 4)
    return made


def _is_day(now_ms: int) -> bool:
    return 6 <= (now_ms + _UTC_OFFSET_MS) % _DAY_MS / 3_600_000 < 23
