"""The devices' end of a line on which they speak only when asked: as slow as the line is, with every fault of one.

A family says how a question is found in what was heard, and what is answered to it.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from protocols.errors import ProtocolError
from simulators.hardware.port import Ledger
from simulators.hardware.served import Line, Served

_log = logging.getLogger(__name__)

_TURNAROUND_S: Final = 0.01
_CHUNK: Final = 16
_SILENCE_S: Final = 0.03
_LISTEN_S: Final = 0.2
_PATIENCE_S: Final = 0.25
"""A master waits longer than this for a reply; whether it waits longer still is not known."""

Request = TypeVar("Request")
Trigger = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class Polled(Protocol):
    """A device of the bus."""

    device: str
    answers: bool

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Live a little."""

    def state(self) -> Mapping[str, Any]:
        """What survives a restart."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take it up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A value that a reply shows and no other reply does."""

    device: str
    metric: str
    value: float
    at_ms: int


class Bus(Served, Generic[Request]):
    """A bus. A reply counts as observed when the next request arrives: then the master has read it."""

    def __init__(
        self, line: Line, units: Sequence[Polled], *, ledger: Ledger, rng: random.Random, character_s: float
    ) -> None:
        """`character_s`: how long one byte takes on this line."""
        super().__init__(line)
        self._units, self._ledger, self._rng = tuple(units), ledger, rng
        self._character_s = character_s
        self._lock = threading.Lock()
        self._counters: dict[str, int] = {}
        self._shown: Sequence[Shown] = ()
        self._noisy = 0
        self._slow_s = 0.0
        self.requests = 0

    def take(self, buffer: bytes) -> tuple[int, Request | None]:
        """The first request in `buffer` and how many bytes are done with; ProtocolError: `buffer` is noise."""
        raise NotImplementedError

    def compose(self, request: Request) -> tuple[bytes, Sequence[Shown]]:
        """The reply, empty for silence, and what only this reply shows. Called with the lock held."""
        raise NotImplementedError

    @property
    def devices(self) -> tuple[str, ...]:
        """The units' device ids."""
        return tuple(unit.device for unit in self._units)

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Let every unit live."""
        with self._lock:
            for unit in self._units:
                unit.step(now_ms, elapsed_s)

    def triggers(self) -> Mapping[str, Trigger]:
        """``noise`` takes `replies` (how many are damaged), ``slow`` takes `seconds`, ``echo`` takes `on`.

        ``unit-silent`` and ``unit-back`` act on one device.
        """
        return {
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
            units = {unit.device: dict(unit.state()) for unit in self._units}
            return {"slaves": units, "counters": dict(self._counters)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up registers and counters."""
        with self._lock:
            self._counters = {str(k): int(v) for k, v in state.get("counters", {}).items()}
            for unit in self._units:
                unit.restore(state.get("slaves", {}).get(unit.device, {}))

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
                used, request = self.take(buffer)
            except ProtocolError as error:
                _log.debug("a frame was ignored: %s", error.code)
                return b""
            if request is None:
                return buffer
            self._answer(request, used)
            buffer = buffer[used:]
        return b""

    def _answer(self, request: Request, size: int) -> None:
        self._settle()
        self._stop.wait(size * self._character_s + _TURNAROUND_S + self._slow_s)
        with self._lock:
            self.requests += 1
            reply, shown = self.compose(request)
            if reply and self._noisy:
                self._noisy -= 1
                reply, shown = self.damage(reply), ()
            if self._line.echoes or self._slow_s > _PATIENCE_S:
                shown = ()  # the master may have given this reply up
        if reply and self._send(reply):
            self._shown = shown

    def _settle(self) -> None:
        """The master speaks again: it has what it was told before."""
        shown, self._shown = self._shown, ()
        for one in shown:
            key = f"{one.device}/{one.metric}"
            with self._lock:
                counter = self._counters[key] = self._counters.get(key, 0) + 1
            self._ledger.observed(one.device, one.metric, counter, one.value, one.at_ms)

    def _send(self, reply: bytes) -> bool:
        for start in range(0, len(reply), _CHUNK):
            chunk = reply[start : start + _CHUNK]
            if self._stop.is_set() or self._line.write(chunk) != len(chunk):
                return False
            self._stop.wait(len(chunk) * self._character_s)
        return True

    def damage(self, reply: bytes) -> bytes:
        """What noise makes of `reply`: one bit turned over, behind the address."""
        at = self._rng.randrange(2, len(reply))
        return reply[:at] + bytes((reply[at] ^ 1 << self._rng.randrange(8),)) + reply[at + 1 :]

    def _make_noise(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        replies = int(params.get("replies", 3))
        with self._lock:
            self._noisy = replies
        return {"replies": replies}

    def _make_slow(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._slow_s = float(params.get("seconds", 0.0))
        return {"seconds": self._slow_s}

    def _make_echo(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._shown = ()  # its master may have begun to mistake what it hears
        self._line.echoes = bool(params.get("on"))
        return {"on": self._line.echoes}

    def _unplug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._shown = ()  # whether the master still read the last reply is not known
        self._line.unplug()
        return {"line": self._line.name, "plugged": False}

    def _plug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._line.plug()
        return {"line": self._line.name, "plugged": True}

    def _set_answers(self, device: str, answers: bool) -> Mapping[str, Any]:
        with self._lock:
            for unit in self._units:
                if unit.device == device:
                    unit.answers = answers
        return {"device": device, "answers": answers}
