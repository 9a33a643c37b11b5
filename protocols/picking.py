"""From what a device writes to what the catalogue knows: declared in a configuration, for devices without a driver.

A `Pick` says which metric (or kind of event) a raw value is, in which unit it comes, how it is scaled, and which words
mean on and off. Pure; used for decoded LoRaWAN objects, lines of text and JSON documents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from protocols.catalog import DEVICE_TYPES, MetricSpec
from protocols.errors import ConfigError
from protocols.events import Event, Observation, Reading, Value

Scalar = bool | int | float | str

UNITS: Final[Mapping[str, tuple[str, float, float]]] = {
    "[degF]": ("Cel", 5 / 9, -160 / 9),
    "K": ("Cel", 1.0, -273.15),
    "Pa": ("kPa", 0.001, 0.0),
    "hPa": ("kPa", 0.1, 0.0),
    "mbar": ("kPa", 0.1, 0.0),
    "bar": ("kPa", 100.0, 0.0),
    "cm": ("m", 0.01, 0.0),
    "mm": ("m", 0.001, 0.0),
    "L": ("m3", 0.001, 0.0),
    "L/h": ("m3/h", 0.001, 0.0),
    "L/min": ("m3/h", 0.06, 0.0),
    "W.h": ("kW.h", 0.001, 0.0),
    "MW.h": ("kW.h", 1000.0, 0.0),
    "MJ": ("GJ", 0.001, 0.0),
    "mV": ("V", 0.001, 0.0),
    "mA": ("A", 0.001, 0.0),
    "kW": ("W", 1000.0, 0.0),
    "[ppb]": ("[ppm]", 0.001, 0.0),
}
"""UCUM units that are not the catalogue's own: which of its units they become, by which factor, and what is added."""

_YES: Final = frozenset({"true", "on", "yes", "1", "open", "alarm"})
_NO: Final = frozenset({"false", "off", "no", "0", "closed", "normal", "ok"})
_LONGEST: Final = 200


class Pick(BaseModel):
    """One raw value. Exactly one of `metric` and `event` is given; number × `scale` + `offset` is in `unit`.

    `on` and `off`: what means true and false (of a state), or that the event happened. With only one of them given,
    everything else means the other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str = ""
    event: str = ""
    unit: str = ""
    scale: float = Field(default=1.0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)
    on: tuple[Scalar, ...] = ()
    off: tuple[Scalar, ...] = ()

    @model_validator(mode="after")
    def _one_meaning(self) -> Pick:
        if bool(self.metric) == bool(self.event):
            raise ConfigError("protocols.picking.one-meaning", metric=self.metric, event=self.event)
        return self

    def check(self, device: str, device_type: str) -> None:
        """Raise ConfigError for a metric, event or unit that a device of this type does not have."""
        row = DEVICE_TYPES.get(device_type)
        if row is None:
            return  # told by who knows all types
        if self.event and self.event not in row.events:
            allowed = ", ".join(row.events) or "-"
            raise ConfigError("protocols.picking.event", device=device, event=self.event, allowed=allowed)
        if not self.metric:
            return
        spec = row.metric(self.metric)
        if spec is None:
            allowed = ", ".join(metric.name for metric in row.metrics)
            raise ConfigError("protocols.picking.metric", device=device, metric=self.metric, allowed=allowed)
        if self.unit not in ("", spec.unit) and UNITS.get(self.unit, ("", 0.0, 0.0))[0] != spec.unit:
            allowed = ", ".join([spec.unit, *(unit for unit, into in UNITS.items() if into[0] == spec.unit)])
            raise ConfigError(
                "protocols.picking.unit", device=device, metric=self.metric, unit=self.unit, allowed=allowed
            )

    def observation(self, device: str, device_type: str, raw: object, at_ms: int) -> Observation | None:
        """What `raw` says at `at_ms`; None for an event that did not happen. What is not understood is marked bad."""
        if self.event:
            if not self._happened(raw):
                return None
            return Event(device=device, kind=self.event, at_ms=at_ms, data={"value": str(raw)[:_LONGEST]})
        spec = DEVICE_TYPES[device_type].metric(self.metric)
        value = None if spec is None else self.value(spec, raw)
        return Reading(
            device=device,
            metric=self.metric,
            value=value,
            at_ms=at_ms,
            quality="bad" if value is None else "good",
        )

    def value(self, spec: MetricSpec, raw: object) -> Value | None:
        """`raw` as `spec` wants it; None when it cannot be understood."""
        if spec.datatype == "Boolean":
            return self._switch(raw)
        if spec.datatype == "String":
            return str(raw)[:_LONGEST] if isinstance(raw, Scalar) else None
        number = as_number(raw)
        if number is None:
            return None
        _, factor, added = UNITS.get(self.unit, ("", 1.0, 0.0))
        found = (number * self.scale + self.offset) * factor + added
        if not math.isfinite(found):
            return None
        return round(found) if spec.datatype == "Int64" else round(found, 9)

    def _switch(self, raw: object) -> bool | None:
        if not isinstance(raw, Scalar):
            return None
        if self.on or self.off:
            if any(_same(one, raw) for one in self.on):
                return True
            if any(_same(one, raw) for one in self.off):
                return False
            return None if self.on and self.off else not self.on
        word = _word(raw)
        return True if word in _YES else False if word in _NO else None

    def _happened(self, raw: object) -> bool:
        if not isinstance(raw, Scalar):
            return False
        if self.on:
            return any(_same(one, raw) for one in self.on)
        return _word(raw) not in ("", *_NO) and not any(_same(one, raw) for one in self.off)


class Rising:
    """Events of a device that is asked again and again: one happens when an answer first says so, not with each answer.

    What an answer says at the start happened, for nobody knows since when: an alarm told twice is better than none.
    """

    def __init__(self) -> None:
        self._standing: set[tuple[str, int]] = set()

    def news(self, device: str, place: int, told: Observation | None) -> Observation | None:
        """What the pick at `place` of `device` `told` by the newest answer, if it is news; readings always are."""
        if told is not None and not isinstance(told, Event):
            return told
        stood = (device, place) in self._standing
        (self._standing.discard if told is None else self._standing.add)((device, place))
        return None if stood else told


def as_number(raw: object) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def at_pointer(document: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901) such as ``/sensors/0/temp``; None where nothing stands there."""
    found = document
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list) and key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found


def _word(raw: object) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    number = as_number(raw)
    if number is not None and number == int(number):
        return str(int(number))
    return str(raw).strip().casefold()


def _same(declared: Scalar, raw: object) -> bool:
    return _word(declared) == _word(raw)
