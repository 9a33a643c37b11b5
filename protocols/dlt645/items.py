"""What the data identifiers of DL/T 645 mean: names, digits and units (2007: annex A; 1997: annex A).

Only identifiers that meters in the field answer are described; others are shown as bytes.
"""

from __future__ import annotations

from typing import Any, Final

from protocols.dlt645.counters import BLOCK, PHASES, counter_item, tariff_name
from protocols.dlt645.forms import Form, Item
from protocols.dlt645.frame import Edition
from protocols.dlt645.frozen import frozen_item


def item(identifier: int, edition: Edition) -> Item | None:
    """What `identifier` (as the standard writes it: 0x00010000; 0x9010 in 1997) stands for; None = not described."""
    return _item_2007(identifier) if edition == "2007" else _item_1997(identifier)


_BY_PHASE: Final = {
    1: ("voltage", Form(size=2, decimals=1, unit="V")),
    2: ("current", Form(size=3, decimals=3, unit="A", signed=True)),
    3: ("active-power", Form(size=3, decimals=4, unit="kW", signed=True)),
    4: ("reactive-power", Form(size=3, decimals=4, unit="kvar", signed=True)),
    5: ("apparent-power", Form(size=3, decimals=4, unit="kVA", signed=True)),
    6: ("power-factor", Form(size=2, decimals=3, signed=True)),
    7: ("phase-angle", Form(size=2, decimals=1, unit="°")),
    8: ("voltage-distortion", Form(size=2, decimals=2, unit="%")),
    9: ("current-distortion", Form(size=2, decimals=2, unit="%")),
}
_SINGLE_2007: Final[dict[int, tuple[str, Form]]] = {
    0x02800001: ("neutral-current", Form(size=3, decimals=3, unit="A", signed=True)),
    0x02800002: ("frequency", Form(size=2, decimals=2, unit="Hz")),
    0x02800003: ("active-power-1-minute", Form(size=3, decimals=4, unit="kW", signed=True)),
    0x02800004: ("active-demand", Form(size=3, decimals=4, unit="kW", signed=True)),
    0x02800005: ("reactive-demand", Form(size=3, decimals=4, unit="kvar", signed=True)),
    0x02800006: ("apparent-demand", Form(size=3, decimals=4, unit="kVA", signed=True)),
    0x02800007: ("temperature", Form(size=2, decimals=1, unit="°C", signed=True)),
    0x02800008: ("clock-battery-voltage", Form(size=2, decimals=2, unit="V")),
    0x02800009: ("reading-battery-voltage", Form(size=2, decimals=2, unit="V")),
    0x0280000A: ("clock-battery-worked", Form(size=4, unit="min")),
    0x0280000B: ("step-price", Form(size=4, decimals=4, unit="CNY/kWh")),
    0x02800020: ("tariff-price", Form(size=4, decimals=4, unit="CNY/kWh")),
    0x04000101: ("date", Form(size=4, shape="date")),
    0x04000102: ("time", Form(size=3, shape="time")),
    0x04000103: ("demand-period", Form(size=1, unit="min")),
    0x04000104: ("demand-slip", Form(size=1, unit="min")),
    0x04000106: ("time-zones-switch", Form(size=5, shape="minute")),
    0x04000107: ("day-tables-switch", Form(size=5, shape="minute")),
    0x04000204: ("tariffs", Form(size=1)),
    0x04000401: ("address", Form(size=6, shape="digits")),
    0x04000402: ("meter-number", Form(size=6, shape="digits")),
    0x04000403: ("asset-number", Form(size=32, shape="text")),
    0x04000404: ("rated-voltage", Form(size=6, shape="text")),
    0x04000405: ("rated-current", Form(size=6, shape="text")),
    0x04000406: ("maximum-current", Form(size=6, shape="text")),
    0x04000407: ("active-accuracy", Form(size=4, shape="text")),
    0x04000408: ("reactive-accuracy", Form(size=4, shape="text")),
    0x04000409: ("active-constant", Form(size=3, unit="imp/kWh")),
    0x0400040A: ("reactive-constant", Form(size=3, unit="imp/kvarh")),
    0x0400040B: ("model", Form(size=10, shape="text")),
    0x0400040C: ("made-on", Form(size=10, shape="text")),
    0x0400040D: ("protocol-version", Form(size=16, shape="text")),
}


_FROZEN: Final = 0x05
_COUNT: Final = Form(size=3)
_EVENTS: Final = {
    0x00: "programmings",
    0x01: "meter-clearings",
    0x02: "demand-clearings",
    0x03: "event-clearings",
    0x04: "clock-settings",
    0x0D: "cover-openings",
    0x0E: "terminal-cover-openings",
}
"""How often something happened: ``03 30 what 00``."""


def _item_2007(identifier: int) -> Item | None:
    if identifier in _SINGLE_2007:
        name, form = _SINGLE_2007[identifier]
        return Item(name=name, forms=(form,))
    high, quantity, middle, low = identifier.to_bytes(4, "big")
    if high in (0, 1):
        return counter_item(identifier)
    if high == _FROZEN:
        return frozen_item(identifier)
    if high == 2 and quantity in _BY_PHASE and low == 0:
        name, form = _BY_PHASE[quantity]
        if middle == BLOCK:
            first = 0 if 3 <= quantity <= 6 else 1
            return Item(name=name, forms=(form,), facts={"first": first}, parts="phase")
        if middle in PHASES:
            return Item(name=name, forms=(form,), facts={"phase": PHASES[middle]})
    if identifier >> 16 == 0x0330 and low == 0 and middle in _EVENTS:
        return Item(name=_EVENTS[middle], forms=(_COUNT,))
    if identifier >> 8 == 0x040005:
        parts = "word" if low == BLOCK else None
        facts = {"first": 1} if parts else {"word": low}
        return Item(name="status-word", forms=(Form(size=2, shape="bits"),), facts=facts, parts=parts)
    return None


_ENERGY_1997: Final = {
    0x01: ("forward-active", "kWh"),
    0x02: ("reverse-active", "kWh"),
    0x11: ("forward-reactive", "kvarh"),
    0x12: ("reverse-reactive", "kvarh"),
    0x13: ("quadrant-1-reactive", "kvarh"),
    0x14: ("quadrant-4-reactive", "kvarh"),
    0x15: ("quadrant-2-reactive", "kvarh"),
    0x16: ("quadrant-3-reactive", "kvarh"),
}
_BY_PHASE_1997: Final = {
    1: ("voltage", Form(size=2, unit="V")),
    2: ("current", Form(size=2, decimals=2, unit="A")),
    3: ("active-power", Form(size=3, decimals=4, unit="kW")),
    4: ("reactive-power", Form(size=2, decimals=2, unit="kvar")),
    5: ("power-factor", Form(size=2, decimals=3)),
}
_SINGLE_1997: Final[dict[int, tuple[str, Form]]] = {
    0xC010: ("date", Form(size=4, shape="date")),
    0xC011: ("time", Form(size=3, shape="time")),
    0xC020: ("meter-status", Form(size=1, shape="bits")),
    0xC021: ("grid-status", Form(size=1, shape="bits")),
    0xC030: ("active-constant", Form(size=3, unit="imp/kWh")),
    0xC031: ("reactive-constant", Form(size=3, unit="imp/kvarh")),
    0xC032: ("meter-number", Form(size=6, shape="digits")),
    0xC033: ("user-number", Form(size=6, shape="digits")),
    0xC034: ("device-code", Form(size=6, shape="digits")),
    0xB212: ("programmings", Form(size=2)),
    0xB213: ("demand-clearings", Form(size=2)),
    0xB214: ("battery-worked", Form(size=3, unit="min")),
    0xB310: ("phase-failures", Form(size=2)),
}


def _item_1997(identifier: int) -> Item | None:
    if identifier in _SINGLE_1997:
        name, form = _SINGLE_1997[identifier]
        return Item(name=name, forms=(form,))
    high, low = identifier >> 8, identifier & 0xFF
    if high >> 4 in (0x9, 0xA, 0xB) and high & 0x03 <= 1 and high >> 2 & 0x03 != 3:
        return _month_1997(high, low)
    if high == 0xB6 and low >> 4 in _BY_PHASE_1997:
        name, form = _BY_PHASE_1997[low >> 4]
        if low & 0x0F == 0x0F:
            return Item(name=name, forms=(form,), facts={"first": int(low >> 4 < 3)}, parts="phase")
        if low & 0x0F in PHASES:
            return Item(name=name, forms=(form,), facts={"phase": PHASES[low & 0x0F]})
    return None


def _month_1997(high: int, low: int) -> Item | None:
    """9x energy, Ax maximum demand, Bx when that was; 0, 4, 8 this month and the two before, one more is reactive."""
    row = _ENERGY_1997.get((high & 0x01) << 4 | low >> 4)
    if row is None:
        return None
    what, unit = row
    tariff = low & 0x0F
    parts = "tariff" if tariff == 0x0F else None
    facts: dict[str, Any] = {"settlement": high >> 2 & 0x03}
    facts |= {"first": 0} if parts else {"tariff": tariff_name(tariff)}
    name, form = {
        0x9: (f"{what}-energy", Form(size=4, decimals=2, unit=unit)),
        0xA: (f"{what}-maximum-demand", Form(size=3, decimals=4, unit=unit.removesuffix("h"))),
        0xB: (f"{what}-maximum-demand-at", Form(size=4, shape="month-minute")),
    }[high >> 4]
    return Item(name=name, forms=(form,), facts=facts, parts=parts)
