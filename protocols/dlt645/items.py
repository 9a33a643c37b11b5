"""What the data identifiers of DL/T 645 mean: names, digits and units (2007: annex A; 1997: annex A).

Only identifiers that meters in the field answer are described; others are shown as bytes. Numbers are BCD, low byte
first, with a fixed number of decimals. A number whose bytes are all FF is absent (a phase that the meter lacks).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from protocols.capture import bcd, scaled
from protocols.dlt645.frame import Edition
from protocols.errors import ProtocolError

Shape = Literal["number", "text", "digits", "date", "time", "minute", "bits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one value is written: `size` bytes, `decimals` behind the point, `unit`; `signed` by the highest bit."""

    size: int
    decimals: int = 0
    unit: str | None = None
    signed: bool = False
    shape: Shape = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What an identifier stands for: a group of `forms`, once, or again and again in a block named by `parts`."""

    name: str
    forms: tuple[Form, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    parts: str | None = None  # what a block runs over: tariff, phase, word


def item(identifier: int, edition: Edition) -> Item | None:
    """What `identifier` (as the standard writes it: 0x00010000; 0x9010 in 1997) stands for; None = not described."""
    return _item_2007(identifier) if edition == "2007" else _item_1997(identifier)


def read_form(form: Form, data: bytes) -> tuple[Any, bool]:
    """The value of `data` (low byte first), and whether it was readable; ``(None, True)`` is a value that is absent."""
    turned = data[::-1]
    if form.shape == "text":
        return turned.decode("ascii", "replace").strip("\0 "), True
    if form.shape == "bits":
        return int.from_bytes(data, "little"), True
    if data.count(0xFF) == len(data):
        return None, True
    negative = form.signed and bool(turned[0] & 0x80)
    number = bcd(bytes([turned[0] & 0x7F, *turned[1:]]) if negative else turned)
    if number is None:
        return None, False
    if form.shape == "number":
        return scaled(-number if negative else number, form.decimals), True
    return _written(form.shape, turned.hex()), True


def _written(shape: Shape, text: str) -> str:
    pairs = [text[place : place + 2] for place in range(0, len(text), 2)]
    if shape == "date":  # YYMMDDWW
        return f"20{pairs[0]}-{pairs[1]}-{pairs[2]}"
    if shape == "time":  # hhmmss
        return ":".join(pairs)
    if shape == "minute":  # YYMMDDhhmm
        return f"20{pairs[0]}-{pairs[1]}-{pairs[2]}T{pairs[3]}:{pairs[4]}"
    return text


def write_number(form: Form, value: float) -> bytes:
    """The bytes of `value` in `form` (a number), low byte first. Raises ProtocolError when it does not fit."""
    number = round(abs(value) * 10**form.decimals) if math.isfinite(value) else -1
    top = (8 if form.signed else 10) * 10 ** (2 * form.size - 1) - 1  # a signed number gives its highest bit away
    if number < 0 or form.shape != "number" or number > top or (value < 0 and not form.signed):
        raise ProtocolError("protocols.dlt645.value", value=value, size=form.size, decimals=form.decimals)
    data = bytearray.fromhex(f"{number:0{2 * form.size}d}")
    if value < 0:
        data[0] |= 0x80
    return bytes(data[::-1])


_QUANTITIES: Final = (
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
_PHASE_ROWS: Final = {0x15: "A", 0x29: "B", 0x3D: "C"}  # ten rows each, from forward-active on
_MINUTE: Final = Form(size=5, shape="minute")
_PHASES: Final = {0: "total", 1: "A", 2: "B", 3: "C"}
_BLOCK: Final = 0xFF

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
    0x04000101: ("date", Form(size=4, shape="date")),
    0x04000102: ("time", Form(size=3, shape="time")),
    0x04000103: ("demand-period", Form(size=1, unit="min")),
    0x04000104: ("demand-slip", Form(size=1, unit="min")),
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
}


def _item_2007(identifier: int) -> Item | None:
    if identifier in _SINGLE_2007:
        name, form = _SINGLE_2007[identifier]
        return Item(name=name, forms=(form,))
    high, quantity, middle, low = identifier.to_bytes(4, "big")
    if high in (0, 1):
        return _counter_2007(high, quantity, middle, low)
    if high == 2 and quantity in _BY_PHASE and low == 0:
        name, form = _BY_PHASE[quantity]
        if middle == _BLOCK:
            first = 0 if 3 <= quantity <= 6 else 1
            return Item(name=name, forms=(form,), facts={"first": first}, parts="phase")
        if middle in _PHASES:
            return Item(name=name, forms=(form,), facts={"phase": _PHASES[middle]})
    if identifier >> 8 == 0x040005:
        parts = "word" if low == _BLOCK else None
        facts = {"first": 1} if parts else {"word": low}
        return Item(name="status-word", forms=(Form(size=2, shape="bits"),), facts=facts, parts=parts)
    return None


def _counter_2007(high: int, quantity: int, tariff: int, settlement: int) -> Item | None:
    facts: dict[str, Any] = {}
    row = quantity
    for base, phase in _PHASE_ROWS.items():
        if base <= quantity < base + 10:
            row = quantity - base + 1
            facts["phase"] = phase
    if row >= len(_QUANTITIES) or settlement > 12 or (tariff > 63 and tariff != _BLOCK):
        return None
    what, unit, signed = _QUANTITIES[row]
    facts["settlement"] = settlement
    parts = "tariff" if tariff == _BLOCK else None
    facts |= {"first": 0} if parts else {"tariff": _tariff(tariff)}
    if high == 0:
        forms: tuple[Form, ...] = (Form(size=4, decimals=2, unit=unit, signed=signed),)
        return Item(name=f"{what}-energy", forms=forms, facts=facts, parts=parts)
    forms = (Form(size=3, decimals=4, unit=unit.removesuffix("h"), signed=signed), _MINUTE)
    return Item(name=f"{what}-maximum-demand", forms=forms, facts=facts, parts=parts)


def _tariff(number: int) -> str | int:
    return number or "total"


def part(run: str, number: int) -> str | int:
    """What the `number`-th value of a block over `run` (tariff, phase, word) is about."""
    if run == "phase":
        return _PHASES.get(number, number)
    return _tariff(number) if run == "tariff" else number


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
}


def _item_1997(identifier: int) -> Item | None:
    if identifier in _SINGLE_1997:
        name, form = _SINGLE_1997[identifier]
        return Item(name=name, forms=(form,))
    high, low = identifier >> 8, identifier & 0xFF
    if high >> 4 == 9 and high & 0x03 <= 1:  # 90, 94 and 98: this month, last month, the one before; 91… reactive
        row = _ENERGY_1997.get((high & 0x01) << 4 | low >> 4)
        if row is None:
            return None
        tariff = low & 0x0F
        parts = "tariff" if tariff == 0x0F else None
        facts: dict[str, Any] = {"settlement": high >> 2 & 0x03}
        facts |= {"first": 0} if parts else {"tariff": _tariff(tariff)}
        form = Form(size=4, decimals=2, unit=row[1])
        return Item(name=f"{row[0]}-energy", forms=(form,), facts=facts, parts=parts)
    if high == 0xB6 and low >> 4 in _BY_PHASE_1997:
        name, form = _BY_PHASE_1997[low >> 4]
        if low & 0x0F == 0x0F:
            return Item(name=name, forms=(form,), facts={"first": int(low >> 4 < 3)}, parts="phase")
        if low & 0x0F in _PHASES:
            return Item(name=name, forms=(form,), facts={"phase": _PHASES[low & 0x0F]})
    return None
