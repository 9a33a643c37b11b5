"""What a value information field means: quantity, unit, power of ten (EN 13757-3:2018, tables 10, 12 and 14)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A quantity in `unit` ('' = none), times ten to the power `exponent`, times `factor`."""

    name: str
    unit: str = ""
    exponent: int = 0
    factor: int = 1


MANUFACTURERS: Final = "manufacturer"
"""A value that only its maker explains: its value information tells it from the others."""

_DURATIONS: Final = (("s", 1), ("s", 60), ("s", 3600), ("s", 86_400))
"""Seconds, minutes, hours and days, all told in seconds."""


def _scale(first: int, count: int, name: str, unit: str, exponent: int) -> Iterator[tuple[int, Meaning]]:
    """`count` codes from `first` on, each ten times the one before."""
    for step in range(count):
        yield first + step, Meaning(name=name, unit=unit, exponent=exponent + step)


def _time(first: int, name: str, begin: int = 0) -> Iterator[tuple[int, Meaning]]:
    for step, (unit, factor) in enumerate(_DURATIONS[begin:]):
        yield first + step, Meaning(name=name, unit=unit, factor=factor)


def _plain(**names: int) -> Iterator[tuple[int, Meaning]]:
    for name, code in names.items():
        yield code, Meaning(name=name.replace("_", "-"))


PRIMARY: Final[dict[int, Meaning]] = dict(
    [
        *_scale(0x00, 8, "energy", "Wh", -3),
        *_scale(0x08, 8, "energy", "J", 0),
        *_scale(0x10, 8, "volume", "m³", -6),
        *_scale(0x18, 8, "mass", "kg", -3),
        *_time(0x20, "on-time"),
        *_time(0x24, "operating-time"),
        *_scale(0x28, 8, "power", "W", -3),
        *_scale(0x30, 8, "power", "J/h", 0),
        *_scale(0x38, 8, "volume-flow", "m³/h", -6),
        *_scale(0x40, 8, "volume-flow", "m³/min", -7),
        *_scale(0x48, 8, "volume-flow", "m³/s", -9),
        *_scale(0x50, 8, "mass-flow", "kg/h", -3),
        *_scale(0x58, 4, "flow-temperature", "°C", -3),
        *_scale(0x5C, 4, "return-temperature", "°C", -3),
        *_scale(0x60, 4, "temperature-difference", "K", -3),
        *_scale(0x64, 4, "external-temperature", "°C", -3),
        *_scale(0x68, 4, "pressure", "bar", -3),
        *_plain(date=0x6C, date_time=0x6D, heat_cost_units=0x6E),
        *_time(0x70, "averaging-duration"),
        *_time(0x74, "actuality-duration"),
        *_plain(fabrication_number=0x78, enhanced_identification=0x79, bus_address=0x7A),
    ]
)

FIRST_EXTENSION: Final[dict[int, Meaning]] = dict(
    [
        *_scale(0x00, 4, "credit", "", -3),
        *_scale(0x04, 4, "debit", "", -3),
        *_plain(access_number=0x08, medium=0x09, manufacturer=0x0A, parameter_set=0x0B, model=0x0C),
        *_plain(hardware_version=0x0D, firmware_version=0x0E, software_version=0x0F),
        *_plain(customer_location=0x10, customer=0x11, access_code_user=0x12, access_code_operator=0x13),
        *_plain(access_code_system_operator=0x14, access_code_developer=0x15, password=0x16),
        *_plain(error_flags=0x17, error_mask=0x18, digital_output=0x1A, digital_input=0x1B),
        (0x1C, Meaning(name="baud-rate", unit="Bd")),
        *_plain(response_delay=0x1D, retry=0x1E, remote_control=0x1F),
        *_plain(first_storage=0x20, last_storage=0x21, storage_block=0x22),
        *_time(0x24, "storage-interval"),
        (0x28, Meaning(name="storage-interval", unit="month")),
        (0x29, Meaning(name="storage-interval", unit="year")),
        *_time(0x2C, "since-last-readout"),
        (0x30, Meaning(name="tariff-start")),
        *_time(0x31, "tariff-duration", 1),
        *_time(0x34, "tariff-period"),
        (0x38, Meaning(name="tariff-period", unit="month")),
        (0x39, Meaning(name="tariff-period", unit="year")),
        *_plain(dimensionless=0x3A),
        *_scale(0x40, 16, "voltage", "V", -9),
        *_scale(0x50, 16, "current", "A", -12),
        *_plain(reset_counter=0x60, cumulation_counter=0x61, control_signal=0x62, day_of_week=0x63, week=0x64),
        *_plain(day_change=0x65, parameter_activation=0x66, supplier_information=0x67),
        (0x68, Meaning(name="since-last-cumulation", unit="s", factor=3600)),
        (0x69, Meaning(name="since-last-cumulation", unit="s", factor=86_400)),
        (0x6A, Meaning(name="since-last-cumulation", unit="month")),
        (0x6B, Meaning(name="since-last-cumulation", unit="year")),
        (0x6C, Meaning(name="battery-operating-time", unit="s", factor=3600)),
        (0x6D, Meaning(name="battery-operating-time", unit="s", factor=86_400)),
        (0x6E, Meaning(name="battery-operating-time", unit="month")),
        (0x6F, Meaning(name="battery-operating-time", unit="year")),
        *_plain(battery_change=0x70),
        (0x71, Meaning(name="radio-level", unit="dBm")),
        *_plain(daylight_saving=0x72, listening_window=0x73),
        (0x74, Meaning(name="battery-left", unit="s", factor=86_400)),
        *_plain(stops=0x75, manufacturer_container=0x76),
    ]
)

SECOND_EXTENSION: Final[dict[int, Meaning]] = dict(
    [
        *_scale(0x00, 2, "energy", "MWh", -1),
        *_scale(0x02, 2, "reactive-energy", "kvarh", 0),
        *_scale(0x04, 2, "apparent-energy", "kVAh", 0),
        *_scale(0x08, 2, "energy", "GJ", -1),
        *_scale(0x0C, 4, "energy", "Mcal", -1),
        *_scale(0x10, 2, "volume", "m³", 2),
        *_scale(0x14, 4, "reactive-power", "kvar", -3),
        *_scale(0x18, 2, "mass", "t", 2),
        *_scale(0x1A, 2, "relative-humidity", "%", -1),
        (0x20, Meaning(name="volume", unit="ft³")),
        (0x21, Meaning(name="volume", unit="ft³", exponent=-1)),
        *_scale(0x22, 2, "volume", "gal", -1),
        (0x24, Meaning(name="volume-flow", unit="gal/min", exponent=-3)),
        (0x25, Meaning(name="volume-flow", unit="gal/min")),
        (0x26, Meaning(name="volume-flow", unit="gal/h")),
        *_scale(0x28, 2, "power", "MW", -1),
        (0x2A, Meaning(name="phase-angle-voltages", unit="°", exponent=-1)),
        (0x2B, Meaning(name="phase-angle", unit="°", exponent=-1)),
        *_scale(0x2C, 4, "frequency", "Hz", -3),
        *_scale(0x30, 2, "power", "GJ/h", -1),
        *_scale(0x34, 4, "apparent-power", "kVA", -3),
        *_scale(0x58, 4, "flow-temperature", "°F", -3),
        *_scale(0x5C, 4, "return-temperature", "°F", -3),
        *_scale(0x60, 4, "temperature-difference", "°F", -3),
        *_scale(0x64, 4, "external-temperature", "°F", -3),
        *_scale(0x70, 4, "temperature-limit", "°F", -3),
        *_scale(0x74, 4, "temperature-limit", "°C", -3),
        *_scale(0x78, 8, "power-maximum", "W", -3),
    ]
)

_ENERGY: Final = (("energy", "Wh", 0, 9), ("energy", "J", 3, 9), ("power", "W", 0, 9), ("power", "J/h", 3, 9))
_VOLUME: Final = (("volume", "m³", -6, 9), ("volume-flow", "m³/h", -6, 9))

_COUNTERS: Final = [
    Meaning(name=name, unit=unit, exponent=exponent + step)
    for name, unit, exponent, count in (*_ENERGY, *_VOLUME)
    for step in range(count)
]
FIXED: Final[dict[int, Meaning]] = {
    **dict(enumerate(_COUNTERS, start=0x02)),
    0x38: Meaning(name="temperature", unit="°C", exponent=-3),
    0x39: Meaning(name="heat-cost-units"),
}
"""The units of counters in fixed data structures (EN 1434-3, annex; six bits)."""

MEDIA: Final = {
    0x00: "other",
    0x01: "oil",
    0x02: "electricity",
    0x03: "gas",
    0x04: "heat-outlet",
    0x05: "steam",
    0x06: "warm-water",
    0x07: "water",
    0x08: "heat-cost-allocator",
    0x09: "compressed-air",
    0x0A: "cooling-outlet",
    0x0B: "cooling-inlet",
    0x0C: "heat-inlet",
    0x0D: "heat-and-cooling",
    0x0E: "bus",
    0x0F: "unknown",
    0x15: "hot-water",
    0x16: "cold-water",
    0x17: "dual-water",
    0x18: "pressure",
    0x19: "analogue-converter",
    0x1A: "smoke-detector",
    0x1B: "room-sensor",
    0x1C: "gas-detector",
    0x20: "breaker",
    0x21: "valve",
    0x25: "customer-display",
    0x28: "waste-water",
    0x29: "garbage",
    0x36: "radio-converter",
    0x37: "radio-converter",
}
"""Device types (EN 13757-3:2018, table 13)."""
