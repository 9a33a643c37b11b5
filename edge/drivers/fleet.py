"""The drivers of one agent: who carries which device, and how some of them are exchanged while the others go on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from edge.board import DeviceCondition, DriverCondition
from edge.config import DriverEntry
from edge.drivers.runner import DriverRunner
from protocols.catalog import DEVICE_TYPES
from protocols.errors import ConfigError, RefusedError

Make = Callable[[DriverEntry], DriverRunner]


def line_of(settings: BaseModel) -> str:
    """What a driver holds, as its table names it: the path of a serial port, or host and TCP port."""
    host, port = getattr(settings, "host", None), getattr(settings, "port", None)
    return f"{host}:{port}" if host else str(port or getattr(settings, "tcp", ""))


class Fleet:
    """`types` (device → row of the catalogue) is one mapping for the fleet's life: whoever holds it sees changes."""

    def __init__(self, entries: Sequence[DriverEntry], make: Make, source: Path) -> None:
        """Make every driver, start none. Raises ConfigError, also for a device that stands there twice."""
        self._make = make
        self._runners = [make(entry) for entry in entries]
        self.types: dict[str, str] = {device.id: device.type for runner in self._runners for device in runner.devices}
        self._check(source)

    @property
    def entries(self) -> tuple[DriverEntry, ...]:
        """The tables of the drivers that are here now."""
        return tuple(runner.entry for runner in self._runners)

    def runner_of(self, device: str) -> DriverRunner:
        """Who carries `device`. Raises RefusedError for one that nobody does."""
        for runner in self._runners:
            if any(one.id == device for one in runner.devices):
                return runner
        raise RefusedError("edge.local.device", device=device, known=", ".join(self.types))

    def device_conditions(self) -> Mapping[str, DeviceCondition]:
        """Each device as the board has it while nothing is known of it."""
        return {
            device.id: DeviceCondition(driver=runner.name, type=device.type)
            for runner in self._runners
            for device in runner.devices
        }

    def driver_conditions(self) -> Mapping[str, DriverCondition]:
        """Each driver as the board has it before it runs."""
        return {
            runner.name: DriverCondition(family=runner.family, line=line_of(runner.entry.settings))
            for runner in self._runners
        }

    def start(self) -> None:
        """Start every driver's thread that does not run yet."""
        for runner in self._runners:
            runner.start()

    def deliver(self) -> None:
        """Let every driver know whom the cloud has delivered."""
        for runner in list(self._runners):
            runner.deliver()

    def halt(self) -> None:
        """Tell every driver to end, without waiting."""
        for runner in self._runners:
            runner.stop.set()

    def close(self) -> None:
        """Wait (bounded) for every driver to end."""
        self.halt()
        for runner in self._runners:
            runner.close()

    def made(self, entries: Sequence[DriverEntry]) -> list[DriverRunner]:
        """Drivers that are to come in, not started. Raises ConfigError."""
        return [self._make(entry) for entry in entries]

    def remove(self, names: Collection[str], *, staying: Collection[str] = ()) -> None:
        """End these drivers and wait for them, beside one another; those in `staying` come in again."""
        gone = [runner for runner in self._runners if runner.name in names]
        for runner in gone:
            runner.stop.set()
        for runner in gone:
            runner.close()
            if runner.name not in staying:
                runner.waiting(())
            for device in runner.devices:
                self.types.pop(device.id, None)
        self._runners = [runner for runner in self._runners if runner.name not in names]

    def add(self, runners: Sequence[DriverRunner]) -> None:
        """Let them belong to the fleet; `start` starts them."""
        self._runners += runners
        self.types.update({device.id: device.type for runner in runners for device in runner.devices})

    def _check(self, source: Path) -> None:
        seen: set[str] = set()
        for index, runner in enumerate(self._runners):
            for number, device in enumerate(runner.devices):
                where = {"file": source, "key": f"driver[{index}].device[{number}]"}
                if device.id in seen:
                    where["key"] = f"{where['key']}.id"
                    raise ConfigError("edge.config.twice", **where, value=repr(device.id))
                seen.add(device.id)
                if device.type not in DEVICE_TYPES:
                    where["key"] = f"{where['key']}.type"
                    allowed = ", ".join(DEVICE_TYPES)
                    raise ConfigError(
                        "edge.config.not-allowed", **where, value=repr(device.type), allowed=allowed, hint=""
                    )
