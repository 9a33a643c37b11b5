"""The panel: its detectors, what it still has to report, and the connection over which it does, one at a time."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from protocols.gb26875 import ACK, REPLY, REQUEST, Inbox
from simulators.hardware.firepanel import reports
from simulators.hardware.port import Ledger

_REPEAT_S: Final = 1.0
_NOISE_BYTES: Final = 40
_CONNECT_S: Final = 2.0
_PAUSE_S: Final = 0.1
_HEARTBEAT_S: Final = 30.0
_JOIN_S: Final = 2.0
_MOST_WAITING: Final = 1000
_ZONE: Final = timezone(timedelta(hours=8))


@dataclass(slots=True, kw_only=True)
class Deviations:
    """What this maker does otherwise than the standard."""

    decimal_time: bool = False
    big_length: bool = False
    clock_ahead_s: float = 0.0
    heartbeats: bool = True
    answers_questions: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """One report that waits for its acknowledgement."""

    sequence: int
    data: bytes
    kind: str
    shown: str


class FirePanel:
    """A client of the gateway, as transmission devices are. What is not acknowledged is sent again."""

    def __init__(
        self,
        device: str,
        server: tuple[str, int],
        *,
        ledger: Ledger,
        chance: random.Random,
        source: int = 0x102,
        loops: int = 2,
        detectors: int = 8,
    ) -> None:
        self.device = device
        self.deviations = Deviations()
        self.answers: list[int] = []
        """The commands of what the gateway said, in order: 3 acknowledged, 6 denied, 4 asked."""
        self._server, self._source, self._ledger, self._chance = server, source, ledger, chance
        self._detectors = {(loop, number) for loop in range(1, loops + 1) for number in range(1, detectors + 1)}
        self._reports: deque[_Report] = deque(maxlen=_MOST_WAITING)
        self._sequence = 0
        self._counters: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._cut = self._garble = self._twice = self._noise = 0
        self._slow_s = 0.0
        self._plugged = True
        self._thread: threading.Thread | None = None

    @property
    def devices(self) -> tuple[str, ...]:
        """The panel."""
        return (self.device,)

    @property
    def waiting(self) -> int:
        """How many reports are not acknowledged yet."""
        return len(self._reports)

    def start(self) -> None:
        """Connect and report."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._serve, name=f"panel {self.device}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop reporting."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            self._thread = None

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """A panel only speaks when something happens."""

    def triggers(self) -> Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]:
        """``panel-…`` take `loop` and `number`; ``cut``, ``wrong-sum``, ``repeat``, ``noise`` `frames` (how many).

        ``slow`` takes `seconds` between one byte of a report and the next.
        """
        return {
            "panel-fire": lambda device, params: self._detector(params, reports.NORMAL | reports.FIRE),
            "panel-fault": lambda device, params: self._detector(params, reports.NORMAL | reports.FAULT),
            "panel-normal": lambda device, params: self._detector(params, reports.NORMAL),
            "panel-value": self._value,
            "panel-mains": self._mains,
            "panel-reset": self._reset,
            "panel-raw": self._raw,
            "cut": lambda device, params: self._spoil(cut=int(params.get("frames", 1))),
            "wrong-sum": lambda device, params: self._spoil(garble=int(params.get("frames", 1))),
            "repeat": lambda device, params: self._spoil(twice=int(params.get("frames", 1))),
            "noise": lambda device, params: self._spoil(noise=int(params.get("frames", 1))),
            "slow": lambda device, params: self._make_slow(float(params.get("seconds", 0.0))),
            "unplug": lambda device, params: self._plug(False),
            "plug": lambda device, params: self._plug(True),
        }

    def state(self) -> Mapping[str, Any]:
        """The next sequence number, what was counted, and what still waits: a panel keeps it in its own memory."""
        with self._lock:
            waiting = [(one.sequence, one.data.hex(), one.kind, one.shown) for one in self._reports]
            return {"sequence": self._sequence, "counters": dict(self._counters), "waiting": waiting}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take it up again."""
        with self._lock:
            self._sequence = int(state.get("sequence", 0))
            self._counters = {str(key): int(count) for key, count in state.get("counters", {}).items()}
            for sequence, data, kind, shown in state.get("waiting", ()):
                self._reports.append(_Report(sequence=sequence, data=bytes.fromhex(data), kind=kind, shown=shown))

    def _now(self) -> bytes:
        moment = datetime.fromtimestamp(time.time() + self.deviations.clock_ahead_s, _ZONE)
        return reports.clock(moment, decimal=self.deviations.decimal_time)

    def _add(self, data: bytes, kind: str, shown: str) -> Mapping[str, Any]:
        with self._lock:
            self._sequence = self._sequence + 1 & 0xFFFF
            self._reports.append(_Report(sequence=self._sequence, data=data, kind=kind, shown=shown))
            return {"sequence": self._sequence, "kind": kind, "shown": shown}

    def _detector(self, params: Mapping[str, Any], flags: int) -> Mapping[str, Any]:
        loop, number = int(params.get("loop", 1)), int(params.get("number", 1))
        if (loop, number) not in self._detectors:
            return {"missing": f"{loop}-{number}"}
        text = str(params.get("text", f"{loop}号楼{number}层走廊"))
        return self._add(reports.component(loop, number, flags, text, self._now()), "component", f"{loop}-{number}")

    def _value(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        loop, number = int(params.get("loop", 1)), int(params.get("number", 1))
        tenths = round(10 * float(params.get("celsius", 21.5)))
        return self._add(reports.value(loop, number, 3, tenths, self._now()), "value", f"{loop}-{number}")

    def _mains(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        flags = reports.NORMAL if params.get("on", True) else reports.NORMAL | reports.MAINS_FAULT
        return self._add(reports.system(flags, self._now()), "system", str(flags))

    def _reset(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._add(reports.operation(1, 7, self._now()), "operation", "reset")

    def _raw(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._add(bytes.fromhex(str(params["hex"])), "raw", str(params["hex"])[:40])

    def _spoil(self, *, cut: int = 0, garble: int = 0, twice: int = 0, noise: int = 0) -> Mapping[str, Any]:
        with self._lock:
            self._cut, self._garble, self._twice = self._cut + cut, self._garble + garble, self._twice + twice
            self._noise += noise
        return {"cut": self._cut, "wrong-sum": self._garble, "repeat": self._twice, "noise": self._noise}

    def _make_slow(self, seconds: float) -> Mapping[str, Any]:
        self._slow_s = seconds
        return {"seconds": seconds}

    def _plug(self, on: bool) -> Mapping[str, Any]:
        self._plugged = on
        return {"plugged": on}

    def _serve(self) -> None:
        while not self._stop.is_set():
            if self._plugged:
                with contextlib.suppress(OSError), socket.create_connection(self._server, _CONNECT_S) as link:
                    link.settimeout(_PAUSE_S)
                    self._talk(link)
            self._stop.wait(_PAUSE_S * self._chance.uniform(1, 2))

    def _talk(self, link: socket.socket) -> None:
        """Report until the connection ends."""
        inbox, beat = Inbox(), 0.0
        while not self._stop.is_set() and self._plugged:
            report = self._reports[0] if self._reports else None
            if report is not None:
                self._report(link, inbox, report)
            elif self.deviations.heartbeats and time.monotonic() - beat > _HEARTBEAT_S:
                link.sendall(reports.frame(0, self._source, b"", self._now()))
                beat = time.monotonic()
            else:
                self._hear(link, inbox)

    def _report(self, link: socket.socket, inbox: Inbox, report: _Report) -> None:
        self._send(link, self._bytes(link, report))
        end = time.monotonic() + _REPEAT_S
        while not self._stop.is_set() and time.monotonic() < end:
            for sequence, command in self._hear(link, inbox):
                if sequence == report.sequence:
                    self._settle(report, command)
                    return

    def _send(self, link: socket.socket, data: bytes) -> None:
        if not self._slow_s:
            link.sendall(data)
            return
        for number in range(len(data)):
            link.sendall(data[number : number + 1])
            self._stop.wait(self._slow_s)

    def _bytes(self, link: socket.socket, report: _Report) -> bytes:
        data = reports.frame(
            report.sequence, self._source, report.data, self._now(), big_length=self.deviations.big_length
        )
        with self._lock:
            cut, garble, twice, noise = self._cut > 0, self._garble > 0, self._twice > 0, self._noise > 0
            self._noise -= noise
            self._cut, self._garble, self._twice = self._cut - cut, self._garble - garble, self._twice - twice
        if cut:
            link.sendall(data[: len(data) // 2])
            raise ConnectionError("the line was cut in the middle of a frame")
        if garble:
            return data[:-3] + bytes([data[-3] ^ 0x01]) + data[-2:]
        before = self._chance.randbytes(_NOISE_BYTES) if noise else b""
        return before + (data * 2 if twice else data)

    def _hear(self, link: socket.socket, inbox: Inbox) -> list[tuple[int, int]]:
        try:
            data = link.recv(4096)
        except TimeoutError:
            return []
        if not data:
            raise ConnectionError("closed")
        heard = [(one.frame.sequence, one.frame.command) for one in inbox.feed(data) if one.frame.fits]
        self.answers += [command for _, command in heard]
        for sequence, command in heard:
            if command == REQUEST and self.deviations.answers_questions:
                state = reports.device(reports.NORMAL, self._now())
                link.sendall(reports.frame(sequence, self._source, state, self._now(), command=REPLY))
        return heard

    def _settle(self, report: _Report, command: int) -> None:
        """Acknowledged: it is the gateway's now. Denied: what the gateway cannot read is not sent for ever."""
        with self._lock:
            if command != ACK and report.kind != "raw":
                return
            self._reports.popleft()
            counter = self._counters[report.kind] = self._counters.get(report.kind, 0) + 1
        if command == ACK:
            self._ledger.observed(self.device, report.kind, counter, report.shown, time.time_ns() // 1_000_000)
