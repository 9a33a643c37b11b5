"""Units as meters give them, in the units of the catalogue: exact in decimal wherever the two allow it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

# Of each unit: what quantity it measures, and how many of that quantity's base unit it is.
_UNITS: Final[dict[str, tuple[str, Decimal]]] = {
    unit: (quantity, Decimal(factor))
    for quantity, rows in (
        ("energy", (("J", "1"), ("kJ", "1e3"), ("MJ", "1e6"), ("GJ", "1e9"), ("Wh", "3600"))),
        ("energy", (("kWh", "3.6e6"), ("MWh", "3.6e9"), ("kW.h", "3.6e6"))),
        ("power", (("W", "1"), ("kW", "1e3"), ("MW", "1e6"))),
        ("volume", (("L", "1"), ("m³", "1e3"), ("m3", "1e3"))),
        ("flow", (("L/h", "1"), ("m³/h", "1e3"), ("m3/h", "1e3"), ("m³/min", "6e4"), ("m³/s", "3.6e6"))),
        ("temperature", (("°C", "1"), ("Cel", "1"))),
        ("voltage", (("V", "1"),)),
        ("current", (("A", "1"),)),
        ("frequency", (("Hz", "1"),)),
        ("ratio", (("1", "1"), ("", "1"))),
    )
    for unit, factor in rows
} | {
    f"{prefix}J/h": ("power", Decimal(10) ** power / Decimal(3600))
    for prefix, power in (("", 0), ("k", 3), ("M", 6), ("G", 9))
}


def convert(value: float, unit: str, wanted: str) -> int | float | None:
    """`value` of `unit` in `wanted`; None when the two do not measure the same. Digits are kept, not rounded off."""
    if unit == wanted:
        return value
    have, want = _UNITS.get(unit), _UNITS.get(wanted)
    if have is None or want is None or have[0] != want[0]:
        return None
    if have[1] == want[1]:
        return value
    return float(Decimal(str(value)) * have[1] / want[1])
