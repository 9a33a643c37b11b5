"""The slaves' end of a Modbus line: answers as slow as its speed, and stays silent where a real bus does."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from protocols.modbus.frame import (
    NO_ANSWER,
    Request,
    build_exception,
    build_read_reply,
    build_write_reply,
    take_request,
    take_tcp_request,
    to_tcp,
)
from simulators.hardware.bus import Bus, Shown, Trigger
from simulators.hardware.modbus.slaves import PowerMeter, Slave, Thermometer
from simulators.hardware.modbus.switches import Switched
from simulators.hardware.port import Ledger
from simulators.hardware.served import Line

_BITS_PER_CHARACTER: Final = 10
_READS: Final = frozenset({1, 2, 3, 4})
_WRITES: Final = frozenset({5, 6, 15, 16})

Framing = Literal["rtu", "tcp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question; over Modbus TCP it has a number."""

    request: Request
    transaction: int | None = None


class ModbusBus(Bus[Asked]):
    """A bus with its units: RTU on a pty or behind a serial server, or `framing` tcp: a gateway with units behind it.

    Who is not there is silent; a gateway says so in their stead (exception 11), after the time that it waits itself.
    """

    def __init__(
        self,
        line: Line,
        slaves: Sequence[Slave],
        *,
        ledger: Ledger,
        rng: random.Random,
        baud: int = 9600,
        framing: Framing = "rtu",
    ) -> None:
        super().__init__(line, slaves, ledger=ledger, rng=rng, character_s=_BITS_PER_CHARACTER / baud)
        self.line = line
        self._framing = framing
        self._slaves = {slave.unit: slave for slave in slaves}

    def take(self, buffer: bytes) -> tuple[int, Asked | None]:
        """As `Bus.take`."""
        if self._framing == "rtu":
            used, request = take_request(buffer)
            return used, Asked(request=request) if request is not None else None
        used, transaction, request = take_tcp_request(buffer)
        return used, Asked(request=request, transaction=transaction) if request is not None else None

    def compose(self, request: Asked) -> tuple[bytes, Sequence[Shown]]:
        """As `Bus.compose`."""
        frame, shown = self._reply(request.request)
        if request.transaction is None:
            return frame, shown
        asked = request.request
        return to_tcp(frame or build_exception(asked.unit, asked.function, NO_ANSWER), request.transaction), shown

    def _reply(self, request: Request) -> tuple[bytes, Sequence[Shown]]:
        unit, function = request.unit, request.function
        slave = self._slaves.get(unit)
        if slave is None or not slave.answers:
            return b"", ()
        if function in _WRITES:
            refused = slave.write(function, request.address, request.written)
            return build_exception(unit, function, refused) if refused else build_write_reply(request), ()
        if function not in _READS:
            return build_exception(unit, function, 1), ()
        told = slave.read(function, request.address, request.count)
        if isinstance(told, int):
            return build_exception(unit, function, told), ()
        at_ms = time.time_ns() // 1_000_000
        shown = [Shown(device=slave.device, metric=m, value=v, at_ms=at_ms) for m, v in told.shown.items()]
        return build_read_reply(unit, function, told.words), shown

    def triggers(self) -> Mapping[str, Trigger]:
        """Those of every bus, the mains, the cabinets' compressors; ``stuck`` takes `on`: writes change nothing."""
        return {
            **super().triggers(),
            "power-cut": lambda device, params: self._set_mains(False),
            "power-restore": lambda device, params: self._set_mains(True),
            "cold-chain-warm": lambda device, params: self._warm(float(params.get("to", 14.0))),
            "cold-chain-cool": lambda device, params: self._warm(None),
            "stuck": self._make_stuck,
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

    def _make_stuck(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        on = bool(params.get("on", True))
        with self._lock:
            for slave in self._slaves.values():
                if slave.device == device and isinstance(slave, Switched):
                    slave.stuck = on
        return {"device": device, "stuck": on}
