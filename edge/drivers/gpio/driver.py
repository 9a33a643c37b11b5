"""The driver of a board's pins."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from gpiozero import DigitalInputDevice, DigitalOutputDevice
from gpiozero.exc import GPIOZeroError

from edge.drivers.awaited import Awaited
from edge.drivers.gpio.config import GpioConfig, GpioDevice, InputTable, OutputTable
from edge.drivers.gpio.debounce import Debounced
from edge.drivers.port import DriverContext
from protocols.catalog import DEVICE_TYPES
from protocols.errors import DeviceError, RefusedError, UnavailableError
from protocols.events import Event, Observation, Reading, Value

_LOOK_S: Final = 0.01
"""How often the pins are looked at: an edge that is shorter is a spike, and a hundred looks cost a Pi 3 one percent."""
_TOLD_S: Final = 5.0
_MOST_UNTOLD: Final = 256
"""Observations that wait here while the agent is behind; then contacts are looked at again once it has taken them."""


class _Order(Awaited):
    def __init__(self, device: GpioDevice, table: OutputTable, value: bool) -> None:
        Awaited.__init__(self)
        self.device, self.table, self.value = device, table, value


class _Input:
    def __init__(self, device: GpioDevice, table: InputTable) -> None:
        self.device, self.table = device, table
        self.state = Debounced(rest_s=table.debounce_s)
        up = {"up": True, "down": False, "none": None}[table.pull]
        # gpiozero derives the level of "active" from the resistor, and takes it only where there is none.
        self.pin = DigitalInputDevice(table.gpio, pull_up=up, active_state=None if up is not None else True)

    def closed(self) -> bool:
        """By the level of the pin, whatever gpiozero takes for active."""
        high = bool(self.pin.pin.state)
        return high is (self.table.active == "high")


class _Output:
    def __init__(self, device: GpioDevice, table: OutputTable) -> None:
        self.device, self.table = device, table
        self.pin = DigitalOutputDevice(table.gpio, active_high=table.active == "high", initial_value=False)
        self.off_s = 0.0
        self.told: bool | None = None


class GpioDriver:
    """Owns the pins. Orders are carried out by the driver's own thread, which never waits for the agent: pulses end."""

    def __init__(self, config: GpioConfig) -> None:
        self._config = config
        self._devices = {device.id: device for device in config.device}
        self._inputs: list[_Input] = []
        self._outputs: dict[tuple[str, str], _Output] = {}
        self._lock = threading.Lock()
        self._order: _Order | None = None
        self._untold: list[Observation] = []

    @property
    def devices(self) -> Sequence[GpioDevice]:
        """The devices at the pins."""
        return self._config.device

    def run(self, ctx: DriverContext) -> None:
        """Watch the pins until `ctx.stop` is set. Raises DeviceError when a pin cannot be had."""
        told_s = 0.0
        try:
            self._open()
            while not ctx.stop.is_set():
                if time.monotonic() - told_s > _TOLD_S:  # first of all: the first one may take long, and no pulse runs
                    told_s = time.monotonic()
                    for device in self._devices:
                        ctx.status(device, online=True)
                self._look(ctx)
                order = self._obey()
                self._end_pulses()
                self._tell(ctx)
                if order is not None:
                    order.finish(self._outcome(order))
                ctx.stop.wait(_LOOK_S)
        except (GPIOZeroError, OSError) as error:
            raise DeviceError("edge.driver.gpio.pin", why=f"{type(error).__name__}: {error}") from error
        finally:
            self._close()

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """Switch a declared output on or off; it is confirmed by the level of its pin."""
        target = self._devices.get(device)
        tables = () if target is None else target.output
        table = next((one for one in tables if one.output == output), None)
        if target is None or table is None:
            allowed = ", ".join(one.output for one in tables) or "-"
            raise RefusedError("edge.driver.gpio.no-output", device=device, output=output, allowed=allowed)
        if not isinstance(value, bool):
            raise RefusedError("edge.driver.gpio.needs-switch", device=device, output=output, value=value)
        order = _Order(target, table, value)
        deadline = time.monotonic() + timeout_s
        if not self._lock.acquire(timeout=timeout_s):
            raise self._unconfirmed(order, timeout_s)
        try:
            self._order = order
            if not order.wait(max(0.0, deadline - time.monotonic())):
                raise self._unconfirmed(order, timeout_s)
        finally:
            self._order = None
            self._lock.release()

    def read(self, device: str, timeout_s: float) -> None:
        """The pins are looked at all the time: there is nothing to ask for."""

    def _open(self) -> None:
        for device in self._config.device:
            for table in device.output:
                self._outputs[device.id, table.output] = _Output(device, table)
            self._inputs += [_Input(device, table) for table in device.input]

    def _close(self) -> None:
        """Switch every output off and give the pins back."""
        for pin in [*(one.pin for one in self._outputs.values()), *(one.pin for one in self._inputs)]:
            pin.close()
        self._outputs.clear()
        self._inputs.clear()
        order = self._order
        if order is not None:
            order.finish(DeviceError("edge.driver.down", driver=self._config.name))

    def _look(self, ctx: DriverContext) -> None:
        if len(self._untold) >= _MOST_UNTOLD:
            return
        for one in self._inputs:
            first = one.state.closed is None
            news = one.state.see(one.closed(), time.monotonic())
            if news is None:
                continue
            device, table = one.device.id, one.table
            if table.metric:
                self._untold.append(Reading(device=device, metric=table.metric, value=news, at_ms=ctx.now_ms()))
            elif news and not first:
                self._untold.append(
                    Event(device=device, kind=table.event, at_ms=ctx.now_ms(), data={"pin": table.gpio})
                )

    def _obey(self) -> _Order | None:
        """The order that waited and was carried out."""
        order = self._order
        if order is not None:
            self._order = None
            output = self._outputs[order.device.id, order.table.output]
            output.pin.value = order.value
            pulse_s = order.table.pulse_s if order.value else 0.0
            output.off_s = time.monotonic() + pulse_s if pulse_s else 0.0
        return order

    def _end_pulses(self) -> None:
        for output in self._outputs.values():
            if output.off_s and time.monotonic() >= output.off_s:
                output.off_s = 0.0
                output.pin.off()

    def _tell(self, ctx: DriverContext) -> None:
        """Hand on what is new, unless the agent is behind: then it waits here."""
        if len(self._untold) < _MOST_UNTOLD:
            self._untold += [reading for output in self._outputs.values() for reading in _news(output, ctx)]
        if self._untold:
            with suppress(UnavailableError):
                ctx.emit(tuple(self._untold), timeout_s=0.0)
                self._untold.clear()

    def _outcome(self, order: _Order) -> DeviceError | None:
        shown = bool(self._outputs[order.device.id, order.table.output].pin.value)
        return None if shown is order.value else self._unconfirmed(order, 0.0)

    def _unconfirmed(self, order: _Order, timeout_s: float) -> DeviceError:
        return DeviceError(
            "edge.driver.gpio.not-confirmed", device=order.device.id, output=order.table.output, timeout_s=timeout_s
        )


def _news(output: _Output, ctx: DriverContext) -> list[Reading]:
    """What the pin shows, if that is news and the device's type has a state of that name."""
    shown, device, name = bool(output.pin.value), output.device, output.table.output
    if shown is output.told or DEVICE_TYPES[device.type].metric(name) is None:
        return []
    output.told = shown
    return [Reading(device=device.id, metric=name, value=shown, at_ms=ctx.now_ms())]
