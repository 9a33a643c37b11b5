"""The machine's plug: answers a data carrier at the speed of the line; over DEX it may also call by itself."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from protocols.evadts import ddcmp
from protocols.evadts.dex import AuditSent, Closed, Failed, Identity, Machine, Step, Timers
from simulators.hardware.line import PtyLine
from simulators.hardware.served import Served

AnyMachine = Machine | ddcmp.Machine

_LISTEN_S: Final = 0.2
_CHUNK: Final = 32


class DexPlug(Served):
    """Serves sessions in a thread of its own. `powered` off is silence; `damage` blocks that many of our frames.

    `cut_after`: the line is pulled when so many bytes more have come from the gateway.
    """

    def __init__(
        self,
        path: Path,
        identity: Identity,
        *,
        audit: Callable[[], bytes],
        taken: Callable[[], None],
        configure: Callable[[bytes], bool],
        rng: random.Random,
        baud: int = 9600,
        link: Literal["dex", "ddcmp"] = "dex",
    ) -> None:
        self.line = PtyLine(path)
        super().__init__(self.line)
        self.powered = True
        self.damage = 0
        self.slow_s = 0.0
        self._identity = identity
        self._audit = audit
        self._taken = taken
        self._configure = configure
        self.cut_after: int | None = None
        self._rng = rng
        self._byte_s = 10 / baud
        self._link = link
        self._call = threading.Event()

    def call(self) -> None:
        """Bid for the line as soon as it is free: the machine has something to tell."""
        self._call.set()

    def _serve(self) -> None:
        machine: AnyMachine | None = None
        while not self._stop.is_set():
            if not self.powered or not self.line.plugged:
                machine = None
                self._call.clear()
                self.line.read()  # what arrives at a dead machine is lost
                self._stop.wait(_LISTEN_S / 4)
                continue
            if machine is None:
                machine = self._made()
            self._turn(machine)

    def _made(self) -> AnyMachine:
        timers = Timers(byte=self._byte_s, bids=3)
        if self._link == "ddcmp":
            return ddcmp.Machine(self._audit, timers)
        return Machine(self._identity, self._audit, timers, configure=self._configure)

    def _turn(self, machine: AnyMachine) -> None:
        now = time.monotonic()
        if self._call.is_set() and isinstance(machine, Machine) and not machine.busy:
            self._call.clear()
            self._follow(machine.bid(now))
            return
        due = machine.due
        wait_s = _LISTEN_S if due is None else min(_LISTEN_S, max(0.0, due - now))
        if not machine.busy:
            wait_s = min(wait_s, _LISTEN_S / 4)  # a call is noticed soon
        data = self._heard(wait_s)
        if data and self.slow_s:
            self._stop.wait(self.slow_s)
        now = time.monotonic()
        self._follow(machine.feed(data, now) if data else machine.poll(now))

    def _heard(self, wait_s: float) -> bytes:
        """What came, up to the cut."""
        data = self.line.read(timeout_s=wait_s)
        if self.cut_after is not None and data:
            data = data[: self.cut_after]
            self.cut_after -= len(data)
            if not self.cut_after:
                self.cut_after = None
                self.line.unplug()
        return data

    def _follow(self, step: Step) -> None:
        if step.send:
            self._send(step.send)
        for event in step.events:
            if isinstance(event, AuditSent):
                self._taken()
            elif isinstance(event, Closed | Failed):
                self._stop.wait(0.1)  # the pause between sessions

    def _send(self, data: bytes) -> None:
        if self.damage and len(data) > 1:
            self.damage -= 1
            at = self._rng.randrange(len(data))
            data = data[:at] + bytes((data[at] ^ 1 << self._rng.randrange(8),)) + data[at + 1 :]
        for start in range(0, len(data), _CHUNK):
            chunk = data[start : start + _CHUNK]
            if self._stop.is_set() or not self.powered or self.line.write(chunk) != len(chunk):
                return
            self._stop.wait(len(chunk) * self._byte_s)
