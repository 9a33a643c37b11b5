"""Meters and sensors of further makes: their register images, written out a second time as in `slaves`."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any, Final

from simulators.hardware.modbus.slaves import PowerMeter, ReadOnly, Told

_ILLEGAL_FUNCTION: Final = 1
_ILLEGAL_ADDRESS: Final = 2


class ThreePhaseMeter(PowerMeter):
    """Eastron SDM630: as the SDM120, with each phase by itself and the sums elsewhere."""

    _SHARES: Final = (0.5, 0.3, 0.2)

    def _values(self) -> Mapping[int, float]:
        """Voltages, currents and powers of the three phases; mean, sums, frequency, energies."""
        told: dict[int, float] = {0x2A: self._voltage, 0x30: self._power / self._voltage, 0x34: self._power}
        for phase, share in enumerate(self._SHARES):
            told[2 * phase] = self._voltage
            told[0x06 + 2 * phase] = self._power * share / self._voltage
            told[0x0C + 2 * phase] = self._power * share
            told[0x1E + 2 * phase] = 0.97
        return told | {0x3E: 0.97, 0x46: 50.0, 0x48: self._import, 0x4A: 0.25, 0x156: self._told_total}


class Sensor(ReadOnly):
    """Holding registers (function 3) of a sensor; `value` drifts around `usual`, in the smallest step that it shows."""

    usual: int = 0
    wide: int = 10

    def __init__(self, device: str, unit: int, rng: random.Random) -> None:
        self.device = device
        self.unit = unit
        self.answers = True
        self.value = self.usual
        self._rng = rng

    def image(self) -> Mapping[int, int]:
        """The registers that it has."""
        raise NotImplementedError

    def read(self, function: int, address: int, count: int) -> Told | int:
        """Those registers; whatever touches another one is refused."""
        if function != 3:
            return _ILLEGAL_FUNCTION
        image = self.image()
        wanted = range(address, address + count)
        if not wanted or any(at not in image for at in wanted):
            return _ILLEGAL_ADDRESS
        return Told(words=tuple(image[at] & 0xFFFF for at in wanted), shown={})

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Come back to what is usual, a little off."""
        goal = self.usual + self._rng.uniform(-self.wide, self.wide)
        self.value = round(self.value + (goal - self.value) * (1 - math.exp(-elapsed_s / 300)))

    def state(self) -> Mapping[str, Any]:
        """What it measures."""
        return {"value": self.value}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.value = int(state.get("value", self.value))


class RoomClimate(Sensor):
    """RS-WS-N01: humidity (0) and temperature (1) in tenths; `value` is the temperature."""

    usual = 215

    def image(self) -> Mapping[int, int]:
        """It has two registers."""
        return {0: 480, 1: self.value}


class LevelProbe(Sensor):
    """QDY30A set to centimetres with one decimal: address, speed, unit, decimals, value, zero and full scale."""

    usual = 1234

    def image(self) -> Mapping[int, int]:
        """Registers 0 to 6."""
        return {0: self.unit, 1: 3, 2: 1, 3: 1, 4: self.value, 5: 0, 6: 5000}


class CarbonMonoxide(Sensor):
    """JXBS-3001-CO: tenths of a ppm in register 6."""

    usual = 21

    def image(self) -> Mapping[int, int]:
        """One register."""
        return {6: self.value}


class CombustibleGas(Sensor):
    """PT495 with its LEL sensor: percent of the lower explosive limit (0), type and status (1), alarm levels."""

    usual = 2
    wide = 2

    def image(self) -> Mapping[int, int]:
        """Registers 0 to 5."""
        return {0: max(0, self.value), 1: 0x0200, 2: 20, 3: 0, 4: 40, 5: 1}
