"""Weather stations of an old make: ``READ 1`` gives ``T=70.1F H=55``; some speak without being asked."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simulators.hardware.bus import Bus, Shown, Trigger
from simulators.hardware.port import Ledger
from simulators.hardware.served import Line

_BITS_PER_CHARACTER: Final = 10


class Station:
    """Temperature in 0.1 °F, never the same twice in a row. With `every_s` > 0 it speaks by itself."""

    def __init__(self, device: str, request: str, rng: random.Random, *, every_s: float = 0.0) -> None:
        self.device, self.request, self.every_s = device, request, every_s
        self.answers = True
        self.tenths = 701
        self.due_s = every_s
        self._rng = rng

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """The weather changes; it may be time to speak."""
        self.due_s -= elapsed_s
        self.tenths = max(320, min(1000, self.tenths + self._rng.choice((-2, -1, 1, 2))))

    def speaks(self) -> bool:
        """Whether it says something now without being asked."""
        if not self.answers or self.every_s <= 0 or self.due_s > 0:
            return False
        self.due_s = self.every_s
        return True

    def text(self) -> tuple[bytes, float]:
        """Its line, and the temperature in it in °C."""
        line = f"T={self.tenths / 10:.1f}F H={self._rng.randint(40, 60)}\r\n".encode("ascii")
        return line, round((self.tenths / 10 - 32) * 5 / 9, 6)

    def state(self) -> Mapping[str, Any]:
        """The temperature."""
        return {"tenths": self.tenths}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on."""
        self.tenths = int(state.get("tenths", self.tenths))


class TextBus(Bus[bytes]):
    """The line and its stations."""

    def __init__(
        self, line: Line, stations: Sequence[Station], *, ledger: Ledger, rng: random.Random, baud: int = 9600
    ) -> None:
        super().__init__(line, stations, ledger=ledger, rng=rng, character_s=_BITS_PER_CHARACTER / baud)
        self.line = line
        self._stations = tuple(stations)
        self._chatter = b""

    def take(self, buffer: bytes) -> tuple[int, bytes | None]:
        """As `Bus.take`: a question ends with its line."""
        end = buffer.find(b"\n") + 1
        return (end, buffer[:end]) if end else (0, None)

    def compose(self, request: bytes) -> tuple[bytes, Sequence[Shown]]:
        """As `Bus.compose`."""
        asked = next((one for one in self._stations if one.request and one.request.encode() == request), None)
        if asked is None or not asked.answers:
            return b"", ()
        data, value = asked.text()
        shown = Shown(device=asked.device, metric="temperature", value=value, at_ms=time.time_ns() // 1_000_000)
        return self._chatter + data, (shown,)

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Let every station live, and those speak that do so by themselves."""
        super().step(now_ms, elapsed_s)
        for station in self._stations:
            if station.speaks():
                self.line.write(self._chatter + station.text()[0])

    def damage(self, reply: bytes) -> bytes:
        """Its letters are turned over, the line stays one."""
        return bytes(sign ^ 0x55 if sign not in b"\r\n" else sign for sign in reply)

    def triggers(self) -> Mapping[str, Trigger]:
        """Those of every bus; ``chatter`` takes `text`: what is heard before every line from now on."""
        return {**super().triggers(), "chatter": self._make_chatter}

    def _make_chatter(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._chatter = str(params.get("text", "")).encode()
        return {"bytes": len(self._chatter)}
