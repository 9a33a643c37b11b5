"""The counters and maximum demands of DL/T 645-2007 (annex A, tables A.1 and A.2), and what freezing keeps of them."""

from __future__ import annotations

from typing import Any, Final

from protocols.dlt645.forms import Form, Item

QUANTITIES: Final = (
    ("combined-active", "kWh", True),
    ("forward-active", "kWh", False),
    ("reverse-active", "kWh", False),
    ("combined-reactive-1", "kvarh", True),
    ("combined-reactive-2", "kvarh", True),
    ("quadrant-1-reactive", "kvarh", False),
    ("quadrant-2-reactive", "kvarh", False),
    ("quadrant-3-reactive", "kvarh", False),
    ("quadrant-4-reactive", "kvarh", False),
    ("forward-apparent", "kVAh", False),
    ("reverse-apparent", "kVAh", False),
)
"""Quantity, unit of its energy, and whether it may be negative; the row is DI2 of the total."""
PHASES: Final = {0: "total", 1: "A", 2: "B", 3: "C"}
BLOCK: Final = 0xFF
MINUTE: Final = Form(size=5, shape="minute")

_PHASE_ROWS: Final = {0x15: "A", 0x29: "B", 0x3D: "C"}  # ten rows each, from forward-active on
_PREPAID: Final = {
    0x00900100: ("energy-left", "kWh"),
    0x00900101: ("energy-overdrawn", "kWh"),
    0x00900200: ("money-left", "CNY"),
    0x00900201: ("money-overdrawn", "CNY"),
}


def energy(row: int) -> Form:
    """How a counter of the quantity in `row` is written."""
    return Form(size=4, decimals=2, unit=QUANTITIES[row][1], signed=QUANTITIES[row][2])


def demand(row: int) -> tuple[Form, Form]:
    """How a maximum demand of the quantity in `row` is written, and when it was."""
    _, unit, signed = QUANTITIES[row]
    return Form(size=3, decimals=4, unit=unit.removesuffix("h"), signed=signed), MINUTE


def counter_item(identifier: int) -> Item | None:
    """What ``00……`` (energy) and ``01……`` (maximum demand) stand for; None = not described."""
    if identifier in _PREPAID:
        name, unit = _PREPAID[identifier]
        return Item(name=name, forms=(Form(size=4, decimals=2, unit=unit),))
    high, row, tariff, settlement = identifier.to_bytes(4, "big")
    facts: dict[str, Any] = {}
    for base, phase in _PHASE_ROWS.items():
        if base <= row < base + 10:
            row = row - base + 1
            facts["phase"] = phase
            break
    if row >= len(QUANTITIES) or settlement > 12 or (tariff > 63 and tariff != BLOCK):
        return None
    facts["settlement"] = settlement
    parts = "tariff" if tariff == BLOCK else None
    facts |= {"first": 0} if parts else {"tariff": tariff_name(tariff)}
    if high == 0:
        return Item(name=f"{QUANTITIES[row][0]}-energy", forms=(energy(row),), facts=facts, parts=parts)
    return Item(name=f"{QUANTITIES[row][0]}-maximum-demand", forms=demand(row), facts=facts, parts=parts)


def tariff_name(number: int) -> str | int:
    """The tariff of this number; 0 is the sum of all."""
    return number or "total"


def part(run: str, number: int) -> str | int:
    """What the `number`-th value of a block over `run` (tariff, phase, word) is about."""
    if run == "phase":
        return PHASES.get(number, number)
    return tariff_name(number) if run == "tariff" else number
