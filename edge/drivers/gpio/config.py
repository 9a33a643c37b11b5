"""The ``[[driver]]`` table of a board's pins."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.drivers.port import DeviceConfig
from protocols.catalog import DEVICE_TYPES
from protocols.errors import ConfigError

Pin = Annotated[str, Field(pattern=r"^(GPIO\d{1,2}|BOARD\d{1,2}|J8:\d{1,2}|\d{1,2})$")]
"""As gpiozero names pins: ``17`` and ``GPIO17`` are the same, ``BOARD11`` counts on the header."""


class InputTable(BaseModel):
    """``[[driver.device.input]]``: a contact. Closed means a state (`metric`) is true, or an `event` happens.

    `pull`: the board's own resistor; `active`: the level of a closed contact; `debounce_s`: for how long it must rest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    gpio: Pin
    metric: str = ""
    event: str = ""
    pull: Literal["up", "down", "none"] = "up"
    active: Literal["low", "high"] = "low"
    debounce_s: float = Field(default=0.05, ge=0, le=10)


class OutputTable(BaseModel):
    """``[[driver.device.output]]``: a relay. Only what stands here can be switched.

    `output` is one of the type's; `pulse_s` > 0: it goes off by itself after so long. It is off when the agent ends.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    gpio: Pin
    output: str
    active: Literal["low", "high"] = "high"
    pulse_s: float = Field(default=0.0, ge=0, le=3600)


class GpioDevice(DeviceConfig):
    """``[[driver.device]]``: a device made of contacts and relays."""

    input: tuple[InputTable, ...] = ()
    output: tuple[OutputTable, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> GpioDevice:
        row = DEVICE_TYPES.get(self.type)
        if not self.input and not self.output:
            raise ConfigError("edge.driver.gpio.nothing", device=self.id)
        if row is None:
            return self  # told by who knows all types
        states = [metric.name for metric in row.metrics if metric.datatype == "Boolean"]
        for one in self.input:
            if bool(one.metric) == bool(one.event):
                raise ConfigError("edge.driver.gpio.one-meaning", device=self.id, pin=one.gpio)
            if one.metric and one.metric not in states:
                allowed = ", ".join(states) or "-"
                raise ConfigError("edge.driver.gpio.metric", device=self.id, metric=one.metric, allowed=allowed)
            if one.event and one.event not in row.events:
                allowed = ", ".join(row.events) or "-"
                raise ConfigError("edge.driver.gpio.event", device=self.id, event=one.event, allowed=allowed)
        for wanted in self.output:
            if wanted.output not in row.outputs:
                allowed = ", ".join(row.outputs) or "-"
                raise ConfigError("edge.driver.gpio.output", device=self.id, output=wanted.output, allowed=allowed)
        return self


class GpioConfig(BaseModel):
    """The pins of the board that the agent runs on."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["gpio"]
    name: str
    device: tuple[GpioDevice, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_pin_once(self) -> GpioConfig:
        seen: set[str] = set()
        for device in self.device:
            for pin in [*(one.gpio for one in device.input), *(one.gpio for one in device.output)]:
                number = pin.removeprefix("GPIO")
                if number in seen:
                    raise ConfigError("edge.driver.gpio.pin-twice", name=self.name, pin=pin)
                seen.add(number)
        return self
