"""What hangs on the bus: register images as the manufacturers document them, written out here a second time.

Nothing of ``protocols.modbus.profile`` is used: a wrong word order or address in a profile must show against these.
Temperatures in °C, power in W, energy in kWh; `elapsed_s` in simulated seconds.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

_DAY_MS: Final = 86_400_000
_UTC_OFFSET_MS: Final = 8 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A reply's words, and what is unique in them: `shown` is metric → value as a reader must see it."""

    words: tuple[int, ...]
    shown: Mapping[str, float]


class Slave(Protocol):
    """A unit of the bus."""

    device: str
    unit: int
    answers: bool

    def read(self, function: int, address: int, count: int) -> Told | int:
        """The registers (or bits) asked for, or the exception code of the refusal."""

    def write(self, function: int, address: int, values: Sequence[int]) -> int:
        """Take `values`; 0, or the exception code of the refusal."""

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Live a little."""

    def state(self) -> Mapping[str, Any]:
        """What survives a restart."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take it up again."""


def _words(value: float) -> tuple[int, int]:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return high, low


def _single(value: float) -> float:
    """`value` as a 32-bit float holds it."""
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


def _above(value: float, least: float) -> float:
    """The 32-bit float nearest to `value` that is greater than `least` (a positive 32-bit float)."""
    near = _single(value)
    if near > least:
        return near
    return float(struct.unpack(">f", struct.pack(">I", struct.unpack(">I", struct.pack(">f", least))[0] + 1))[0])


class ReadOnly:
    """Knows no function that writes."""

    def write(self, function: int, address: int, values: Sequence[int]) -> int:
        """Refused: an unknown function."""
        return 1


class PowerMeter(ReadOnly):
    """Eastron SDM120: function 4 only, float32 high word first, at most 40 parameters a read, zero where it has none.

    The line that it measures feeds it: without mains it is silent. Its total is greater in every reply.
    """

    _MOST: Final = 80
    _END: Final = 0x0400
    _MARGIN_KWH: Final = 0.05

    def __init__(self, device: str, unit: int, rng: random.Random) -> None:
        self.device = device
        self.unit = unit
        self.answers = True
        self._rng = rng
        self._voltage = 230.0
        self._power = 400.0
        self._import = 100.0 + rng.random() * 400
        self._told_total = 0.0

    def read(self, function: int, address: int, count: int) -> Told | int:
        """Input registers; odd addresses fall between two parameters and are refused, as the meter does."""
        if function != 4:
            return 1
        if address % 2 or count % 2 or not 0 < count <= self._MOST or address + count > self._END:
            return 2
        holds_total = address <= 0x0156 < address + count
        if holds_total:
            self._told_total = _above(self._import, self._told_total)
        values = self._values()
        words = tuple(w for at in range(address, address + count, 2) for w in _words(values.get(at, 0.0)))
        return Told(words=words, shown={"energy-total": self._told_total} if holds_total else {})

    def _values(self) -> Mapping[int, float]:
        """Its parameters, by address."""
        return {
            0x0000: self._voltage,
            0x0006: self._power / self._voltage,
            0x000C: self._power,
            0x001E: 0.97,
            0x0046: 50.0 + self._rng.uniform(-0.02, 0.02),
            0x0048: self._import,
            0x0156: self._told_total,
        }

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Follow the day: low at night, a rise in the morning, the peak in the evening."""
        if not self.answers:
            return
        hour = (now_ms + _UTC_OFFSET_MS) % _DAY_MS / 3_600_000
        wanted = 250 + 350 * math.exp(-(((hour - 8) / 1.5) ** 2)) + 900 * math.exp(-(((hour - 19.5) / 2.2) ** 2))
        self._power += (wanted * self._rng.uniform(0.9, 1.1) - self._power) * min(1.0, elapsed_s / 60)
        self._voltage = min(240.0, max(220.0, self._voltage + self._rng.uniform(-0.3, 0.3)))
        self._import += self._power * elapsed_s / 3_600_000

    def state(self) -> Mapping[str, Any]:
        """The register that never goes back."""
        return {"import": self._import, "told": self._told_total}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on counting, a little above: what was told after `state` was saved must not be told again."""
        self._told_total = float(state.get("told", 0.0)) + self._MARGIN_KWH
        self._import = max(float(state.get("import", self._import)), self._told_total)


class Thermometer(ReadOnly):
    """XY-MD02 in a refrigerated cabinet: function 4, tenths; its battery keeps it alive when the mains fail."""

    _FIRST: Final = 1
    _SET_POINT: Final = 4.0
    _AMBIENT: Final = 27.0
    _COOL_S: Final = 300.0
    _WARM_S: Final = 2400.0
    _FAULT_S: Final = 20.0

    def __init__(self, device: str, unit: int, rng: random.Random) -> None:
        self.device = device
        self.unit = unit
        self.answers = True
        self.mains = True
        self.fault_to: float | None = None
        self._rng = rng
        self._temperature = self._SET_POINT
        self._humidity = 62.0

    @property
    def temperature(self) -> float:
        """Inside the cabinet."""
        return self._temperature

    def read(self, function: int, address: int, count: int) -> Told | int:
        """Registers 1 and 2 of the input table; anything else is refused."""
        if function != 4:
            return 1
        if address < self._FIRST or not count > 0 or address + count > self._FIRST + 2:
            return 2
        image = (round(self._temperature * 10) & 0xFFFF, round(self._humidity * 10) & 0xFFFF)
        start = address - self._FIRST
        return Told(words=image[start : start + count], shown={})

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Drift towards what the compressor, the room or the fault makes of it."""
        goal, seconds = self._SET_POINT + self._rng.uniform(-0.6, 0.6), self._COOL_S
        if self.fault_to is not None:
            goal, seconds = self.fault_to, self._FAULT_S
        elif not self.mains:
            goal, seconds = self._AMBIENT, self._WARM_S
        self._temperature += (goal - self._temperature) * (1 - math.exp(-elapsed_s / seconds))
        self._humidity = min(90.0, max(40.0, self._humidity + self._rng.uniform(-0.4, 0.4)))

    def state(self) -> Mapping[str, Any]:
        """Warm food does not become cold by a restart."""
        return {"temperature": self._temperature, "mains": self.mains, "fault_to": self.fault_to}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._temperature = float(state.get("temperature", self._temperature))
        self.mains = bool(state.get("mains", True))
        fault = state.get("fault_to")
        self.fault_to = None if fault is None else float(fault)
