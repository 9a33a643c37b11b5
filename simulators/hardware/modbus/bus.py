"""The slaves' end of an RTU line: reads requests, answers as slow as 9600 baud, stays silent where a real bus does."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from protocols.errors import ProtocolError
from protocols.modbus.frame import Request, build_exception, build_read_reply, take_request
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus.slaves import PowerMeter, Slave, Thermometer
from simulators.hardware.port import Ledger

_log = logging.getLogger(__name__)

_BITS_PER_CHARACTER: Final = 10
_TURNAROUND_S: Final = 0.01
_CHUNK: Final = 16
_SILENCE_S: Final = 0.03
_LISTEN_S: Final = 0.2
_JOIN_S: Final = 2.0
_REQUEST_BYTES: Final = 8
_PATIENCE_S: Final = 0.25
"""A master waits longer than this for a reply; whether it waits longer still is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    device: str
    metric: str
    value: float
    at_ms: int


class ModbusBus:
    """A bus on a pty. A reply counts as observed when the next request arrives: then the master has read it."""

    def __init__(
        self, path: Path, slaves: Sequence[Slave], *, ledger: Ledger, rng: random.Random, baud: int = 9600
    ) -> None:
        self._line = PtyLine(path)
        self._slaves = {slave.unit: slave for slave in slaves}
        self._ledger = ledger
        self._rng = rng
        self._character_s = _BITS_PER_CHARACTER / baud
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._counters: dict[str, int] = {}
        self._shown: list[_Shown] = []
        self._noisy = 0
        self._slow_s = 0.0
        self.requests = 0

    @property
    def devices(self) -> tuple[str, ...]:
        """The units' device ids."""
        return tuple(slave.device for slave in self._slaves.values())

    def start(self) -> None:
        """Plug the line in and begin to answer."""
        self._line.plug()
        self._stop.clear()
        self._thread = threading.Thread(target=self._serve, name=f"modbus {self._line.path.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the line."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            self._thread = None
        self._line.unplug()

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Let every unit live."""
        with self._lock:
            for slave in self._slaves.values():
                slave.step(now_ms, elapsed_s)

    def triggers(self) -> Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]:
        """``noise`` takes `replies` (how many are damaged), ``slow`` takes `seconds`, ``echo`` takes `on`.

        ``unit-silent`` and ``unit-back`` act on one device.
        """
        return {
            "power-cut": lambda device, params: self._set_mains(False),
            "power-restore": lambda device, params: self._set_mains(True),
            "cold-chain-warm": lambda device, params: self._warm(float(params.get("to", 14.0))),
            "cold-chain-cool": lambda device, params: self._warm(None),
            "noise": self._make_noise,
            "slow": self._make_slow,
            "echo": self._make_echo,
            "unplug": self._unplug,
            "plug": self._plug,
            "unit-silent": lambda device, params: self._set_answers(device, False),
            "unit-back": lambda device, params: self._set_answers(device, True),
        }

    def state(self) -> Mapping[str, Any]:
        """Every unit's registers, and how often each metric was observed."""
        with self._lock:
            slaves = {slave.device: dict(slave.state()) for slave in self._slaves.values()}
            return {"slaves": slaves, "counters": dict(self._counters)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up registers and counters."""
        with self._lock:
            self._counters = {str(k): int(v) for k, v in state.get("counters", {}).items()}
            for slave in self._slaves.values():
                slave.restore(state.get("slaves", {}).get(slave.device, {}))

    def _serve(self) -> None:
        buffer = b""
        while not self._stop.is_set():
            if not self._line.plugged:
                buffer = b""
                self._stop.wait(_SILENCE_S)
                continue
            data = self._line.read(timeout_s=_SILENCE_S if buffer else _LISTEN_S)
            if not data:
                buffer = b""  # a silence ends a frame; what is incomplete by then is thrown away
                continue
            buffer = self._take_all(buffer + data)

    def _take_all(self, buffer: bytes) -> bytes:
        while buffer:
            try:
                used, request = take_request(buffer)
            except ProtocolError as error:
                _log.debug("a frame was ignored: %s", error.code)
                return b""
            if request is None:
                return buffer
            buffer = buffer[used:]
            self._answer(request)
        return b""

    def _answer(self, request: Request) -> None:
        self._settle()
        self._stop.wait(_REQUEST_BYTES * self._character_s + _TURNAROUND_S + self._slow_s)
        with self._lock:
            self.requests += 1
            reply, shown = self._compose(request)
            if reply and self._noisy:
                self._noisy -= 1
                reply, shown = self._damage(reply), []
            if self._line.echoes or self._slow_s > _PATIENCE_S:
                shown = []  # the master may have given this reply up
        if reply and self._send(reply):
            self._shown = shown

    def _settle(self) -> None:
        """The master speaks again: it has what it was told before."""
        shown, self._shown = self._shown, []
        for one in shown:
            key = f"{one.device}/{one.metric}"
            with self._lock:
                counter = self._counters[key] = self._counters.get(key, 0) + 1
            self._ledger.observed(one.device, one.metric, counter, one.value, one.at_ms)

    def _compose(self, request: Request) -> tuple[bytes, list[_Shown]]:
        slave = self._slaves.get(request.unit)
        if slave is None or not slave.answers:
            return b"", []
        if request.function not in (3, 4):
            return build_exception(request.unit, request.function, 1), []
        told = slave.read(request.function, request.address, request.count)
        if isinstance(told, int):
            return build_exception(request.unit, request.function, told), []
        at_ms = time.time_ns() // 1_000_000
        shown = [_Shown(device=slave.device, metric=m, value=v, at_ms=at_ms) for m, v in told.shown.items()]
        return build_read_reply(request.unit, request.function, told.words), shown

    def _send(self, reply: bytes) -> bool:
        for start in range(0, len(reply), _CHUNK):
            chunk = reply[start : start + _CHUNK]
            if self._stop.is_set() or self._line.write(chunk) != len(chunk):
                return False
            self._stop.wait(len(chunk) * self._character_s)
        return True

    def _damage(self, reply: bytes) -> bytes:
        at = self._rng.randrange(2, len(reply))
        return reply[:at] + bytes((reply[at] ^ 1 << self._rng.randrange(8),)) + reply[at + 1 :]

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

    def _make_noise(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        replies = int(params.get("replies", 3))
        with self._lock:
            self._noisy = replies
        return {"replies": replies}

    def _make_slow(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._slow_s = float(params.get("seconds", 0.0))
        return {"seconds": self._slow_s}

    def _make_echo(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._shown = []  # its master may have begun to mistake what it hears
        self._line.echoes = bool(params.get("on"))
        return {"on": self._line.echoes}

    def _unplug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._shown = []  # whether the master still read the last reply is not known
        self._line.unplug()
        return {"line": self._line.path.name, "plugged": False}

    def _plug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._line.plug()
        return {"line": self._line.path.name, "plugged": True}

    def _set_answers(self, device: str, answers: bool) -> Mapping[str, Any]:
        with self._lock:
            for slave in self._slaves.values():
                if slave.device == device:
                    slave.answers = answers
        return {"device": device, "answers": answers}
