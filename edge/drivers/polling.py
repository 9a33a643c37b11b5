"""Devices on one line that speak only when asked: who is asked next, what is reported, how the line comes back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from edge.drivers.port import DriverContext
from edge.drivers.reads import ReadRequest, ReadRequests
from edge.drivers.schedule import Turn, answered, choose, failed, spread
from protocols.errors import DeviceError, LiandongError, ProtocolError, UnavailableError
from protocols.events import Observation

_REOPEN_S: Final = (0.25, 10.0)
_BEHIND_S: Final = 0.5
_TAKE_S: Final = 1.0
_LONGEST_WAIT_S: Final = 1.0


class LineError(DeviceError):
    """The line itself cannot be used: adapter unplugged, no permission, taken by another program, no connection."""


class Line(Protocol):
    """What all devices hang on. Used by the driver's own thread."""

    def open(self) -> None:
        """Open it if it is closed. Raises LineError."""

    def close(self) -> None:
        """Close it; does nothing when it is closed."""


Visit = Callable[[str, DriverContext], float]
"""Reads one device and hands on what it told; the slowest answer's seconds.

Raises LineError when the line is lost, DeviceError or ProtocolError when this device cannot be read.
"""


class Polling:
    """The loop of a driver that polls: the living keep their period, dead ones are asked when nobody else is due."""

    def __init__(
        self, name: str, intervals_s: Mapping[str, float], line: Line, visit: Visit, *, retry_max_s: float
    ) -> None:
        """`intervals_s`: device → period. A dead device is asked at least every `retry_max_s`."""
        self._name, self._line, self._visit, self._retry_max_s = name, line, visit, retry_max_s
        self._ids = tuple(intervals_s)
        self._intervals_s = intervals_s
        self._turns: dict[int, Turn] = {}
        self._heard: set[str] = set()  # who answered since the start
        self._began_s: dict[str, float] = {}  # when the turn before began, of those that answered it
        self._reads = ReadRequests()
        self._opened_s = 0.0

    def run(self, ctx: DriverContext) -> None:
        """Poll until `ctx.stop` is set; opens the line again by itself."""
        first, longest = _REOPEN_S
        pause = first
        try:
            while not ctx.stop.is_set():
                opened = time.monotonic()
                try:
                    self._line.open()
                    self._poll(ctx)
                except LineError as error:
                    self._line.close()
                    self._reads.refuse(error)
                    for device in self._ids:
                        ctx.status(device, online=False, error=error)
                    pause = first if time.monotonic() - opened > longest else pause
                    ctx.stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads attempts, hides nothing
                    pause = min(2 * pause, longest)
        finally:
            self._line.close()
            self._reads.refuse(DeviceError("edge.driver.down", driver=self._name))

    def read(self, device: str, timeout_s: float) -> None:
        """Visit `device` before those whose turn it is; as `edge.drivers.port.Reads.read`."""
        self._reads.ask(device, timeout_s)

    def act(self, device: str, timeout_s: float, act: Visit, late: LiandongError) -> None:
        """Do `act` to `device` before those whose turn it is. Raises what it raises, and `late` after `timeout_s`."""
        self._reads.ask(device, timeout_s, lambda ctx: act(device, ctx), late)

    def _poll(self, ctx: DriverContext) -> None:
        now = self._opened_s = time.monotonic()
        self._began_s.clear()
        self._turns = {
            place: Turn(unit=place, interval_s=self._intervals_s[device], due_s=now)
            for place, device in enumerate(self._ids)
        }
        while not ctx.stop.is_set():
            turn, wait_s = choose(self._turns.values(), time.monotonic())
            request = self._reads.take(0.0 if turn is not None else min(wait_s, _LONGEST_WAIT_S))
            if request is not None:
                self._read_wanted(request, ctx)
            elif turn is not None:
                self._turns[turn.unit] = self._take(turn, ctx)

    def _read_wanted(self, request: ReadRequest, ctx: DriverContext) -> None:
        """Beside its turns; a device that was silent before has its period again when it answers."""
        error: LiandongError | None = None
        try:
            took_s = request.act(ctx) if request.act is not None else self._visit(request.device, ctx)
            ctx.status(request.device, online=True, round_trip_s=took_s)
            turn = self._turns[self._ids.index(request.device)]
            self._turns[turn.unit] = answered(turn, time.monotonic()) if turn.failures else turn
        except LineError as lost:
            error = lost
            raise
        except LiandongError as failure:
            error = failure
        finally:
            request.finish(error)

    def _take(self, turn: Turn, ctx: DriverContext) -> Turn:
        device = self._ids[turn.unit]
        began, before = time.monotonic(), self._began_s.pop(device, None)
        jitter_s = None if before is None else abs(began - before - turn.interval_s)
        try:
            ctx.status(device, online=True, round_trip_s=self._visit(device, ctx), jitter_s=jitter_s)
        except LineError:
            raise
        except (DeviceError, ProtocolError) as error:
            if ctx.stop.is_set():
                return turn
            chance = random.random()  # noqa: S311 - spreads attempts, hides nothing
            after = failed(turn, time.monotonic(), retry_max_s=self._retry_max_s, chance=chance)
            if after.dead:
                ctx.status(device, online=False, error=error)
            elif device in self._heard:
                ctx.status(device, online=True, error=error)
            return after
        self._heard.add(device)
        self._began_s[device] = began
        return answered(spread(turn, self._opened_s, began), time.monotonic())


def hand_on(readings: Sequence[Observation], ctx: DriverContext) -> None:
    """Emit `readings`, however long the agent is behind: an answer is never overtaken by the next question."""
    while readings and not ctx.stop.is_set():
        try:
            ctx.emit(readings, timeout_s=_TAKE_S)
            return
        except UnavailableError:
            ctx.stop.wait(_BEHIND_S)
