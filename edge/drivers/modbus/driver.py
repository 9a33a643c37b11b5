"""The driver of one RTU bus: polls its units in turn and hands their readings on."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.drivers.modbus.bus import Bus, LineError
from edge.drivers.modbus.config import ModbusConfig, ModbusDevice
from edge.drivers.port import DriverContext
from edge.drivers.reads import ReadRequest, ReadRequests
from edge.drivers.schedule import Turn, answered, choose, failed
from protocols.errors import DeviceError, LiandongError, RefusedError, UnavailableError
from protocols.events import Reading, Value
from protocols.modbus import Block, Profile, decode_block, plan_reads

_REOPEN_S: Final = (0.25, 10.0)
_BEHIND_S: Final = 0.5
_TAKE_S: Final = 1.0
_LONGEST_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    device: ModbusDevice
    profile: Profile
    blocks: tuple[Block, ...]


class ModbusDriver:
    """Owns the bus. A reply is handed on before the next request is sent: what the bus has told is never overtaken."""

    def __init__(self, config: ModbusConfig) -> None:
        self._config = config
        self._bus = Bus(config)
        self._units: dict[int, _Unit] = {}
        for device in config.device:
            profile = device.load()
            self._units[device.unit] = _Unit(device=device, profile=profile, blocks=plan_reads(profile))
        self._turns: dict[int, Turn] = {}
        self._reads = ReadRequests()

    @property
    def devices(self) -> Sequence[ModbusDevice]:
        """The units of the bus."""
        return self._config.device

    def run(self, ctx: DriverContext) -> None:
        """Poll until `ctx.stop` is set; opens the line again by itself."""
        first, longest = _REOPEN_S
        pause = first
        try:
            while not ctx.stop.is_set():
                try:
                    self._bus.open()
                    pause = first
                    self._poll(ctx)
                except LineError as error:
                    self._reads.refuse(error)
                    for device in self._config.device:
                        ctx.status(device.id, online=False, error=error)
                    ctx.stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads attempts, hides nothing
                    pause = min(2 * pause, longest)
        finally:
            self._bus.close()
            self._reads.refuse(DeviceError("edge.driver.down", driver=self._config.name))

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """Nothing on this bus can be switched: always RefusedError."""
        raise RefusedError("edge.driver.modbus.no-output", device=device, output=output)

    def read(self, device: str, timeout_s: float) -> None:
        """Ask a unit for all of its registers, before the units whose turn it is."""
        self._reads.ask(device, timeout_s)

    def _poll(self, ctx: DriverContext) -> None:
        now = time.monotonic()
        self._turns = {u: Turn(unit=u, interval_s=x.device.interval_s, due_s=now) for u, x in self._units.items()}
        while not ctx.stop.is_set():
            turn, wait_s = choose(self._turns.values(), time.monotonic())
            request = self._reads.take(0.0 if turn is not None else min(wait_s, _LONGEST_WAIT_S))
            if request is not None:
                self._read_wanted(request, ctx)
            elif turn is not None:
                self._turns[turn.unit] = self._take(turn, ctx)

    def _read_wanted(self, request: ReadRequest, ctx: DriverContext) -> None:
        """Beside its turns; a unit that was silent before has its period again when it answers."""
        unit = next(unit for unit, one in self._units.items() if one.device.id == request.device)
        error: LiandongError | None = None
        try:
            self._read_unit(unit, ctx)
            turn = self._turns[unit]
            self._turns[unit] = answered(turn, time.monotonic()) if turn.failures else turn
        except LineError as lost:
            error = lost
            raise
        except LiandongError as failure:
            error = failure
        finally:
            request.finish(error)

    def _take(self, turn: Turn, ctx: DriverContext) -> Turn:
        try:
            self._read_unit(turn.unit, ctx)
        except LineError:
            raise
        except DeviceError as error:
            return self._note_failure(turn, error, ctx)
        return answered(turn, time.monotonic())

    def _read_unit(self, number: int, ctx: DriverContext) -> None:
        unit = self._units[number]
        slowest = 0.0
        for block in unit.blocks:
            words, took = self._bus.read(number, block, ctx.stop)
            slowest = max(slowest, took)
            self._hand_on(unit, block, words, ctx)
        ctx.status(unit.device.id, online=True, round_trip_s=slowest)

    def _note_failure(self, turn: Turn, error: DeviceError, ctx: DriverContext) -> Turn:
        chance = random.random()  # noqa: S311 - spreads attempts, hides nothing
        after = failed(turn, time.monotonic(), retry_max_s=self._config.retry_max_s, chance=chance)
        if after.dead:
            ctx.status(self._units[turn.unit].device.id, online=False, error=error)
        return after

    def _hand_on(self, unit: _Unit, block: Block, words: Sequence[int], ctx: DriverContext) -> None:
        device, at_ms = unit.device.id, ctx.now_ms()
        readings = [
            Reading(device=device, metric=s.metric, value=s.value, at_ms=at_ms, quality=s.quality)
            for s in decode_block(unit.profile, block, words)
        ]
        while not ctx.stop.is_set():
            try:
                ctx.emit(readings, timeout_s=_TAKE_S)
                return
            except UnavailableError:
                ctx.stop.wait(_BEHIND_S)
