"""Sensors as they speak over the air: the bytes that their makers document, written out here a second time.

`elapsed_s` is in simulated seconds. A device gives `Uplink`: the bytes, and what in them a reader must find.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from protocols.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """`data` on `port`; `metric` (or kind of event) with its value, empty for none."""

    data: bytes
    port: int = 85
    metric: str = ""
    value: object = None


@dataclass
class LoraDevice:
    """A class A device: it speaks when something happens, and every `every_s` to say that it is there."""

    id: str
    eui: str
    rng: random.Random
    every_s: float = 600.0
    battery: float = 100.0
    count: int = 0
    due_s: float = 5.0
    silent: bool = False
    """Whether nobody hears it: out of reach, or its battery is empty."""
    flags: dict[str, bool] = field(default_factory=dict)

    model: ClassVar[str] = ""
    flag: ClassVar[str] = ""
    """The condition that can be set; empty for a device that only reports."""

    def step(self, elapsed_s: float) -> list[Uplink]:
        """What it sends in this step."""
        self.battery = max(1.0, self.battery - elapsed_s / 864_000)
        self.due_s -= elapsed_s
        if self.due_s > 0:
            return []
        self.due_s = self.every_s * self.rng.uniform(0.95, 1.05)
        return self.report()

    def report(self) -> list[Uplink]:
        """Its whole state."""
        raise NotImplementedError

    def set(self, on: bool) -> list[Uplink]:
        """Its condition changes: it speaks at once."""
        self.flags[self.flag] = on
        return self.report()

    @property
    def on(self) -> bool:
        """Whether its condition is there."""
        return self.flags.get(self.flag, False)

    def charge(self) -> bytes:
        """The channel of the battery."""
        return bytes((0x01, 0x75, round(self.battery)))

    def state(self) -> dict[str, Any]:
        """What survives a restart."""
        return {"battery": self.battery, "count": self.count, "flags": dict(self.flags)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take it up again."""
        self.battery = float(state.get("battery", self.battery))
        self.count = int(state.get("count", 0))
        self.flags = {str(key): bool(value) for key, value in state.get("flags", {}).items()}


class Button(LoraDevice):
    """WS101: a button; the red one is an SOS button."""

    model = "WS101-SOS"

    def report(self) -> list[Uplink]:
        """Its battery."""
        return [Uplink(data=self.charge())]

    def press(self) -> list[Uplink]:
        """A short press."""
        return [Uplink(data=b"\xff\x2e\x01", metric="sos", value="short")]


class Leak(LoraDevice):
    """WS303: two contacts on the floor."""

    model, flag = "WS303", "leak"

    def report(self) -> list[Uplink]:
        """Battery, and wet or dry."""
        return [Uplink(data=self.charge() + bytes((0x03, 0x00, self.on)), metric="leak", value=self.on)]


class Contact(LoraDevice):
    """WS301: a magnet at a window; screwed to the frame."""

    model, flag = "WS301", "contact-open"

    def report(self) -> list[Uplink]:
        """Battery, open or closed, and that it still hangs where it hung."""
        data = self.charge() + bytes((0x03, 0x00, self.on)) + b"\x04\x00\x00"
        return [Uplink(data=data, metric="contact-open", value=self.on)]


class Motion(LoraDevice):
    """WS202: somebody moves, and after a while nobody does."""

    model, flag = "WS202", "occupancy"
    hold_s: float = 60.0
    left_s: float = 0.0

    def step(self, elapsed_s: float) -> list[Uplink]:
        """Nobody any more, or the usual report."""
        self.left_s -= elapsed_s
        return self.set(False) if self.on and self.left_s <= 0 else super().step(elapsed_s)

    def report(self) -> list[Uplink]:
        """Battery, motion, daylight."""
        self.left_s = self.hold_s
        data = self.charge() + bytes((0x03, 0x00, self.on)) + b"\x04\x00\x01"
        return [Uplink(data=data, metric="occupancy", value=self.on)]


class Climate(LoraDevice):
    """EM300-TH: the air of a flat."""

    model = "EM300-TH"
    tenths: int = 214

    def report(self) -> list[Uplink]:
        """Battery, temperature in 0.1 °C, humidity in 0.5 %; never the same temperature twice in a row."""
        self.tenths = max(-200, min(500, self.tenths + self.rng.choice((-2, -1, 1, 2))))
        air = b"\x03\x67" + struct.pack("<h", self.tenths) + bytes((0x04, 0x68, self.rng.randint(80, 120)))
        return [Uplink(data=self.charge() + air, metric="temperature", value=self.tenths / 10)]

    def state(self) -> dict[str, Any]:
        """The temperature goes on where it was."""
        return {**super().state(), "tenths": self.tenths}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on."""
        super().restore(state)
        self.tenths = int(state.get("tenths", self.tenths))


class Smoke(LoraDevice):
    """GS524N: six bytes that add up to nothing."""

    model, flag = "GS524N", "smoke"

    def report(self) -> list[Uplink]:
        """Alarm or normal."""
        head = bytes((0x22, 0x11 if self.on else 0x17, round(self.battery), 40 if self.on else 0, 0x16))
        data = head + bytes((-sum(head) & 0xFF,))
        return [Uplink(data=data, port=self.PORT, metric="smoke", value=self.on)]

    PORT: ClassVar[int] = 10


MODELS: Final[Mapping[str, type[LoraDevice]]] = {
    one.model: one for one in (Button, Leak, Contact, Motion, Climate, Smoke)
}


def make_device(device: str, model: str, eui: str, rng: random.Random, *, every_s: float = 600.0) -> LoraDevice:
    """A new device. Raises ConfigError for a model that has no stand-in here."""
    kind = MODELS.get(model)
    if kind is None:
        raise ConfigError("simulators.chirpstack.model", device=device, model=model, allowed=", ".join(MODELS))
    made = kind(id=device, eui=eui, rng=rng, every_s=every_s)
    made.battery = rng.uniform(70, 100)
    made.due_s = rng.uniform(1, 5)
    return made
