"""What a CJ/T 188 meter tells: layouts of the replies, units, and the status (CJ/T 188-2004, clause 7 and annexes)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from protocols.capture import Report, bcd, scaled

Family = Literal["water", "heat", "gas", "other"]

_TYPES: Final = {
    0x10: "cold-water",
    0x11: "hot-water",
    0x12: "drinking-water",
    0x13: "grey-water",
    0x20: "heat",
    0x21: "cold",
    0x22: "heat-and-cold",
    0x30: "gas",
    0x40: "electricity",
    0xAA: "any",
}
_FAMILIES: Final[dict[int, Family]] = {1: "water", 2: "heat", 3: "gas"}

_ENERGY_FROM: Final = (("J", 0x01, 1), ("Wh", 0x02, 3), ("kWh", 0x05, 3), ("MWh", 0x08, 3), ("kJ", 0x0B, 3))
_OTHERS_FROM: Final = (
    ("MJ", 0x0E, 3),
    ("GJ", 0x11, 3),
    ("W", 0x14, 3),
    ("kW", 0x17, 3),
    ("MW", 0x1A, 3),
    ("L", 0x29, 3),
    ("m³", 0x2C, 3),
    ("L/h", 0x32, 3),
    ("m³/h", 0x35, 3),
    ("J/h", 0x40, 3),
    ("kJ/h", 0x43, 3),
    ("MJ/h", 0x46, 3),
    ("GJ/h", 0x49, 3),
)
# Three codes in a row are the unit, ten and a hundred times it.
UNITS: Final[dict[int, tuple[str, int]]] = {
    first + step: (unit, 10**step) for unit, first, steps in (*_ENERGY_FROM, *_OTHERS_FROM) for step in range(steps)
}

IDENTIFIERS: Final = {
    0x901F: "reading",
    0x8102: "price-table",
    0x8103: "settlement-day",
    0x8104: "reading-day",
    0x8105: "bought-amount",
    0x8106: "key-version",
    0x810A: "address",
    0xA010: "price-table",
    0xA011: "settlement-day",
    0xA012: "reading-day",
    0xA013: "bought-amount",
    0xA014: "new-key",
    0xA015: "clock",
    0xA016: "meter-synchronisation",
    0xA017: "valve",
    0xA018: "address",
    0xA019: "factory-activation",
} | {0xD120 + month: "settled-reading" for month in range(12)}

VALVE_OPEN: Final = 0x55
VALVE_CLOSE: Final = 0x99


def meter_name(code: int) -> str:
    """The meter type T in words; water, heat, gas or other for the numbers that the standard leaves to makers."""
    return _TYPES.get(code) or family(code)


def family(code: int) -> Family:
    """Which layout a meter of type `code` answers with."""
    return _FAMILIES.get(code >> 4, "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value of a reply: BCD, low byte first; the last of its bytes is the unit when `unit` is None ('' = none)."""

    name: str
    size: int
    decimals: int = 2
    unit: str | None = None


def _with_unit(name: str, decimals: int = 2) -> Field:
    return Field(name=name, size=5, decimals=decimals)


_VOLUME: Final = (_with_unit("volume"), _with_unit("settled-volume"))
_HEAT: Final = (
    _with_unit("settled-energy"),
    _with_unit("energy"),
    _with_unit("power"),
    _with_unit("flow", 4),
    _with_unit("volume"),
    Field(name="supply-temperature", size=3, unit="°C"),
    Field(name="return-temperature", size=3, unit="°C"),
    Field(name="worked", size=3, decimals=0, unit="h"),
)
_PRICES: Final = (
    Field(name="price-1", size=3, unit="CNY"),
    Field(name="up-to-1", size=3, decimals=0, unit=""),
    Field(name="price-2", size=3, unit="CNY"),
    Field(name="up-to-2", size=3, decimals=0, unit=""),
    Field(name="price-3", size=3, unit="CNY"),
)
_BOUGHT: Final = (
    Field(name="purchase", size=1, decimals=0, unit=""),
    Field(name="bought", size=4, unit="CNY"),
    Field(name="bought-in-all", size=4, unit="CNY"),
    Field(name="money-left", size=4, unit="CNY"),
)
_CLOCK: Final = 7
_YEARS: Final = (1990, 2099)
"""Meters without a clock of their own leave anything there."""
_STATUS: Final = 2


def layout(meter: int) -> tuple[Field, ...]:
    """The fields of reply 901F before the clock and the status."""
    return _HEAT if family(meter) == "heat" else _VOLUME


def reading(report: Report, at: int, meter: int, payload: bytes) -> dict[str, Any]:
    """The values, the clock and the status in `payload` (what follows SER), which begins at byte `at`."""
    fields = layout(meter)
    wanted = sum(field.size for field in fields) + _CLOCK + _STATUS
    if len(payload) != wanted:
        report.add("warning", at, "length", size=len(payload), wanted=wanted)
    values, place = _fields(report, at, fields, payload)
    told: dict[str, Any] = {"values": values}
    if len(payload) >= place + _CLOCK:
        told["clock"] = _clock(report, at + place, payload[place : place + _CLOCK])
        told |= status(payload[place + _CLOCK : place + _CLOCK + _STATUS])
    return told


def prices(report: Report, at: int, payload: bytes) -> dict[str, Any]:
    """The price table (8102): up to what use which price of a unit holds."""
    return {"values": _fields(report, at, _PRICES, payload)[0]}


def bought(report: Report, at: int, payload: bytes) -> dict[str, Any]:
    """What was bought last, in all, and what is left of it (8105), and the status."""
    values, place = _fields(report, at, _BOUGHT, payload)
    return {"values": values} | status(payload[place:])


def settled(report: Report, at: int, payload: bytes) -> dict[str, Any]:
    """The counter at the end of a month that is over (D12n): a volume, or energy by its unit."""
    told = value(report, at, Field(name="settled-volume", size=5), payload)
    if told["unit"] and not told["unit"].startswith(("L", "m³")):
        told["name"] = "settled-energy"
    return {"values": [told]}


def _fields(report: Report, at: int, fields: tuple[Field, ...], payload: bytes) -> tuple[list[dict[str, Any]], int]:
    """The values of `fields` as far as `payload` goes, and how many bytes they take."""
    values, place = [], 0
    for field in fields:
        raw = payload[place : place + field.size]
        if len(raw) < field.size:
            break
        values.append(value(report, at + place, field, raw))
        place += field.size
    return values, place


def value(report: Report, at: int, field: Field, raw: bytes) -> dict[str, Any]:
    """One value in its unit beside the raw bytes; ten- and hundredfold units are multiplied out."""
    digits, unit, factor = raw, field.unit, 1
    if field.unit is None:
        digits = raw[:-1]
        if raw[-1] in UNITS:
            unit, factor = UNITS[raw[-1]]
        elif raw[-1]:
            report.add("warning", at + len(digits), "unit", unit=f"{raw[-1]:02X}")
    number = bcd(digits[::-1])
    if number is None and set(digits) != {0xFF}:
        report.add("warning", at, "not-decimal", item=field.name, raw=digits.hex().upper())
    shown = None if number is None else scaled(number * factor, field.decimals)
    return {"name": field.name, "raw": raw.hex().upper(), "value": shown, "unit": unit or None}


def _clock(report: Report, at: int, raw: bytes) -> str | None:
    """The clock of the meter, local time: ss mm hh DD MM YY YY, BCD; None when it was never set (all zero, all FF).

    Some makers send it high byte first: where only that is a moment, it is one.
    """
    if not any(raw) or raw == b"\xff" * len(raw):
        return None
    told = moment(raw)
    if told is None and (turned := moment(raw[::-1])) is not None:
        report.add("info", at, "clock-order")
        return turned
    if told is None:
        report.add("warning", at, "clock", raw=raw.hex().upper())
    return told


def moment(raw: bytes) -> str | None:
    """What seven bytes of clock say, the lowest first; None for what no calendar has."""
    digits = raw[::-1].hex()
    if not digits.isdecimal() or not _YEARS[0] <= int(digits[:4]) <= _YEARS[1]:
        return None
    month, day, hour, minute, second = (int(digits[place : place + 2]) for place in range(4, 14, 2))
    try:
        return datetime(int(digits[:4]), month, day, hour, minute, second).isoformat()  # noqa: DTZ001 - no zone
    except ValueError:
        return None


_VALVE: Final = {0: "open", 1: "closed", 3: "fault"}


def status(raw: bytes) -> dict[str, Any]:
    """The status ST: bits 0–1 of its first byte are the valve, bit 2 the battery; the rest is the maker's own."""
    if len(raw) < _STATUS:
        return {}
    return {
        "status": {
            "raw": raw.hex().upper(),
            "valve": _VALVE.get(raw[0] & 3),
            "battery_low": bool(raw[0] >> 2 & 1),
            "maker_bits": f"{raw[0] >> 3:05b} {raw[1]:08b}",
        }
    }
