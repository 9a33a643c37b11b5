"""The slaves' end of an RTU line: reads requests, answers as slow as 9600 baud, stays silent where a real bus does."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from protocols.modbus.frame import Request, build_exception, build_read_reply, take_request
from simulators.hardware.bus import Bus, Shown, Trigger
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus.slaves import PowerMeter, Slave, Thermometer
from simulators.hardware.port import Ledger

_BITS_PER_CHARACTER: Final = 10


class ModbusBus(Bus[Request]):
    """A bus on a pty with its units."""

    def __init__(
        self, path: Path, slaves: Sequence[Slave], *, ledger: Ledger, rng: random.Random, baud: int = 9600
    ) -> None:
        super().__init__(PtyLine(path), slaves, ledger=ledger, rng=rng, character_s=_BITS_PER_CHARACTER / baud)
        self._slaves = {slave.unit: slave for slave in slaves}

    def take(self, buffer: bytes) -> tuple[int, Request | None]:
        """As `Bus.take`."""
        return take_request(buffer)

    def compose(self, request: Request) -> tuple[bytes, Sequence[Shown]]:
        """As `Bus.compose`."""
        slave = self._slaves.get(request.unit)
        if slave is None or not slave.answers:
            return b"", ()
        if request.function not in (3, 4):
            return build_exception(request.unit, request.function, 1), ()
        told = slave.read(request.function, request.address, request.count)
        if isinstance(told, int):
            return build_exception(request.unit, request.function, told), ()
        at_ms = time.time_ns() // 1_000_000
        shown = [Shown(device=slave.device, metric=m, value=v, at_ms=at_ms) for m, v in told.shown.items()]
        return build_read_reply(request.unit, request.function, told.words), shown

    def triggers(self) -> Mapping[str, Trigger]:
        """Those of every bus, the mains, and the cabinets' compressors."""
        return {
            **super().triggers(),
            "power-cut": lambda device, params: self._set_mains(False),
            "power-restore": lambda device, params: self._set_mains(True),
            "cold-chain-warm": lambda device, params: self._warm(float(params.get("to", 14.0))),
            "cold-chain-cool": lambda device, params: self._warm(None),
        }

    def _set_mains(self, on: bool) -> Mapping[str, Any]:
        with self._lock:
            for slave in self._slaves.values():
                if isinstance(slave, PowerMeter):
                    slave.answers = on
                elif isinstance(slave, Thermometer):
                    slave.mains = on
        return {"mains": on, "devices": list(self.devices)}

    def _warm(self, to: float | None) -> Mapping[str, Any]:
        with self._lock:
            cabinets = [s for s in self._slaves.values() if isinstance(s, Thermometer)]
            for cabinet in cabinets:
                cabinet.fault_to = to
        return {"devices": [c.device for c in cabinets], "to": to}
