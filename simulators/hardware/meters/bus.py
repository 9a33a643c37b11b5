"""A line of meters of several protocols, as one finds them in a cellar: who is meant answers, the others keep still."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from typing import Any, Final

from simulators.hardware.bus import Bus, Shown, Trigger
from simulators.hardware.meters.meters import Frame, Meter, WaterOrGasMeter, find
from simulators.hardware.port import Ledger
from simulators.hardware.served import Line

_BITS_PER_CHARACTER: Final = 11
_BEFORE_END: Final = 3


class MeterBus(Bus[Frame]):
    """The line and its meters."""

    def __init__(
        self, line: Line, meters: Sequence[Meter], *, ledger: Ledger, rng: random.Random, baud: int = 2400
    ) -> None:
        super().__init__(line, meters, ledger=ledger, rng=rng, character_s=_BITS_PER_CHARACTER / baud)
        self.line = line
        self._meters = tuple(meters)
        self._chatter = b""

    def take(self, buffer: bytes) -> tuple[int, Frame | None]:
        """As `Bus.take`."""
        return len(buffer), find(buffer)

    def compose(self, request: Frame) -> tuple[bytes, Sequence[Shown]]:
        """As `Bus.compose`."""
        told = [(m, answer) for m in self._meters if m.answers and (answer := m.answer(request)) is not None]
        if not told:
            return b"", ()
        if len(told) > 1:
            return self._chatter + _at_once([answer.data for _, answer in told]), ()
        ((meter, answer),) = told
        at_ms = time.time_ns() // 1_000_000
        shown = Shown(device=meter.device, metric=answer.metric, value=answer.value, at_ms=at_ms)
        return self._chatter + answer.data, (shown,) if answer.metric else ()

    def damage(self, reply: bytes) -> bytes:
        """A wrong check sum, or a bit turned over somewhere."""
        if self._rng.random() < 0.5 and len(reply) > 1:
            return reply[:-2] + bytes([reply[-2] ^ 0x55]) + reply[-1:]
        return super().damage(reply) if len(reply) > 2 else bytes([reply[0] ^ 0x10])

    def triggers(self) -> Mapping[str, Trigger]:
        """Those of every bus; ``chatter`` takes `hex`: bytes that are heard before every answer from now on.

        ``stuck`` takes `on`: the valve of the meter stays as it is. ``wrap``: its wheels are about to show zero again;
        ``reset``: another meter hangs there, whose wheels stand at zero.
        """
        return {
            **super().triggers(),
            "chatter": self._make_chatter,
            "stuck": self._make_stuck,
            "wrap": lambda device, params: self._turn(device, -_BEFORE_END),
            "reset": lambda device, params: self._turn(device, 0),
        }

    def _turn(self, device: str, counter: int) -> Mapping[str, Any]:
        with self._lock:
            for meter in self._meters:
                if meter.device == device:
                    meter.turn_to(counter)
        return {"device": device, "counter": counter}

    def _make_stuck(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        on = bool(params.get("on", True))
        with self._lock:
            for meter in self._meters:
                if meter.device == device and isinstance(meter, WaterOrGasMeter):
                    meter.stuck = on
        return {"device": device, "stuck": on}

    def _make_chatter(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._chatter = bytes.fromhex(str(params.get("hex", "")))
        return {"bytes": len(self._chatter)}


def _at_once(answers: Sequence[bytes]) -> bytes:
    """What is heard when several speak: a 0 on the line beats a 1."""
    size = max(map(len, answers))
    padded = [answer.ljust(size, b"\xff") for answer in answers]
    return bytes(reduce(and_, column) for column in zip(*padded, strict=True))
