"""The driver of one Modbus bus: polls its units in turn, hands their readings on, and writes what may be written."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from edge.drivers.modbus.bus import Bus
from edge.drivers.modbus.config import ModbusConfig, ModbusDevice
from edge.drivers.polling import Polling, hand_on
from edge.drivers.port import DriverContext
from protocols.errors import DeviceError, ProtocolError, RefusedError
from protocols.events import Reading, Value
from protocols.modbus import Block, Profile, decode_block, plan_reads, plan_write, read_back


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
        self._units: dict[str, _Unit] = {}
        for device in config.device:
            profile = device.load()
            self._units[device.id] = _Unit(device=device, profile=profile, blocks=plan_reads(profile))
        intervals_s = {device.id: device.interval_s for device in config.device}
        self._polling = Polling(config.name, intervals_s, self._bus, self._visit, retry_max_s=config.retry_max_s)

    @property
    def devices(self) -> Sequence[ModbusDevice]:
        """The units of the bus."""
        return self._config.device

    def run(self, ctx: DriverContext) -> None:
        """Poll until `ctx.stop` is set; opens the line again by itself."""
        self._polling.run(ctx)

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """Write an output that the configuration lists as writable, and read it back: what it holds must be `value`."""
        unit = self._units[device]
        if output not in unit.device.writable:
            allowed = ", ".join(unit.device.writable) or "-"
            raise RefusedError("edge.driver.modbus.no-output", device=device, output=output, allowed=allowed)
        write = plan_write(unit.profile, device, output, value)

        def carry_out(name: str, ctx: DriverContext) -> float:
            kept, took = self._bus.write(unit.device.unit, write, ctx.stop)
            if kept != write.words:
                holds = read_back(unit.profile, output, kept)
                raise DeviceError("edge.driver.modbus.not-kept", device=device, output=output, value=value, holds=holds)
            with contextlib.suppress(DeviceError, ProtocolError):  # it is written; its next turn tells what is wrong
                self._visit(name, ctx)
            return took

        late = DeviceError("edge.driver.modbus.unconfirmed", device=device, output=output, timeout_s=timeout_s)
        self._polling.act(device, timeout_s, carry_out, late)

    def read(self, device: str, timeout_s: float) -> None:
        """Ask a unit for all of its registers, before the units whose turn it is."""
        self._polling.read(device, timeout_s)

    def _visit(self, device: str, ctx: DriverContext) -> float:
        unit = self._units[device]
        slowest = 0.0
        for block in unit.blocks:
            words, took = self._bus.read(unit.device.unit, block, ctx.stop)
            slowest = max(slowest, took)
            hand_on(_readings(unit, block, words, ctx.now_ms()), ctx)
        return slowest


def _readings(unit: _Unit, block: Block, words: Sequence[int], at_ms: int) -> list[Reading]:
    return [
        Reading(device=unit.device.id, metric=s.metric, value=s.value, at_ms=at_ms, quality=s.quality)
        for s in decode_block(unit.profile, block, words)
    ]
