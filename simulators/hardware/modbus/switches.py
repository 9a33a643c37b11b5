"""Units of the bus that can be written: a board of relays, and a thermostat on a wall."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simulators.hardware.modbus.slaves import Told

_ILLEGAL_FUNCTION: Final = 1
_ILLEGAL_ADDRESS: Final = 2
_ILLEGAL_VALUE: Final = 3


class Switched:
    """A unit that is written. While it is `stuck` it acknowledges what it is told, and stays as it is."""

    def __init__(self, device: str, unit: int) -> None:
        self.device = device
        self.unit = unit
        self.answers = True
        self.stuck = False


class RelayBoard(Switched):
    """Eight coils and eight inputs, as Waveshare's and many others' boards: functions 1, 2, 5 and 15."""

    _COUNT: Final = 8

    def __init__(self, device: str, unit: int, rng: random.Random) -> None:
        super().__init__(device, unit)
        self.coils = [0] * self._COUNT
        self.inputs = [0] * self._COUNT

    def read(self, function: int, address: int, count: int) -> Told | int:
        """Coils or inputs."""
        if function not in (1, 2):
            return _ILLEGAL_FUNCTION
        if count < 1 or address + count > self._COUNT:
            return _ILLEGAL_ADDRESS
        image = self.coils if function == 1 else self.inputs
        return Told(words=tuple(image[address : address + count]), shown={})

    def write(self, function: int, address: int, values: Sequence[int]) -> int:
        """Coils only."""
        if function not in (5, 15):
            return _ILLEGAL_FUNCTION
        if address + len(values) > self._COUNT:
            return _ILLEGAL_ADDRESS
        if not self.stuck:
            self.coils[address : address + len(values)] = values
        return 0

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """A relay stays as it is."""

    def state(self) -> Mapping[str, Any]:
        """Nothing: without power every relay falls off."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Everything is off."""


class Thermostat(Switched):
    """Room temperature in tenths (holding 0), set point as a float, low word first (holding 10), switch (coil 0)."""

    _LOW, _HIGH = 5.0, 35.0
    _SLOW_S: Final = 1800.0

    def __init__(self, device: str, unit: int, rng: random.Random) -> None:
        super().__init__(device, unit)
        self.setpoint = 20.0
        self.on = True
        self._room = 17.0 + rng.random()

    def read(self, function: int, address: int, count: int) -> Told | int:
        """Registers 0, 10 and 11, and coil 0."""
        if function == 1:
            return Told(words=(int(self.on),), shown={}) if (address, count) == (0, 1) else _ILLEGAL_ADDRESS
        if function != 3:
            return _ILLEGAL_FUNCTION
        high, low = struct.unpack(">2H", struct.pack(">f", self.setpoint))
        image = {0: round(self._room * 10) & 0xFFFF, 10: low, 11: high}
        wanted = range(address, address + count)
        if not wanted or any(at not in image for at in wanted):
            return _ILLEGAL_ADDRESS
        return Told(words=tuple(image[at] for at in wanted), shown={})

    def write(self, function: int, address: int, values: Sequence[int]) -> int:
        """The set point as a whole, and the switch."""
        if function == 5 and address == 0:
            self.on = self.on if self.stuck else bool(values[0])
            return 0
        if function != 16:
            return _ILLEGAL_FUNCTION
        if address != 10 or len(values) != 2:
            return _ILLEGAL_ADDRESS
        wanted = struct.unpack(">f", struct.pack(">2H", values[1], values[0]))[0]
        if not self._LOW <= wanted <= self._HIGH:
            return _ILLEGAL_VALUE
        if not self.stuck:
            self.setpoint = float(wanted)
        return 0

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """The room follows the set point, or cools down."""
        goal = self.setpoint if self.on else 12.0
        self._room += (goal - self._room) * (1 - math.exp(-elapsed_s / self._SLOW_S))

    def state(self) -> Mapping[str, Any]:
        """What a thermostat remembers without power."""
        return {"setpoint": self.setpoint, "on": self.on, "room": self._room}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.setpoint = float(state.get("setpoint", self.setpoint))
        self.on = bool(state.get("on", self.on))
        self._room = float(state.get("room", self._room))
