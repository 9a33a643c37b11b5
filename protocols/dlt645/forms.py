"""How values of DL/T 645 are written: BCD, low byte first, with a fixed number of decimals, and moments without a zone.

A number whose bytes are all FF is absent (a phase that the meter lacks).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from protocols.capture import bcd, scaled
from protocols.errors import ProtocolError

Shape = Literal["number", "text", "digits", "date", "time", "minute", "second", "month-minute", "bits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one value is written: `size` bytes, `decimals` behind the point, `unit`; `signed` by the highest bit.

    `name` and `phase` are what it is in an item that holds several quantities ('' = what the item is).
    """

    size: int
    decimals: int = 0
    unit: str | None = None
    signed: bool = False
    shape: Shape = "number"
    name: str = ""
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What an identifier stands for: a group of `forms`, once, or again and again in a block named by `parts`."""

    name: str
    forms: tuple[Form, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    parts: str | None = None  # what a block runs over: tariff, phase, word


def read_form(form: Form, data: bytes) -> tuple[Any, bool]:
    """The value of `data` (low byte first), and whether it was readable; ``(None, True)`` is a value that is absent.

    Absent are FF in all bytes, and a moment of zeros only: it has not come yet.
    """
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
    written = _written(form.shape, turned.hex())
    return written, written is not None or not any(data)


_MOMENTS: Final[dict[Shape, int]] = {"date": 3, "minute": 5, "second": 6}
"""How many pairs of digits say it, the year of the century first; a date has the day of the week behind them."""


def _written(shape: Shape, digits: str) -> str | None:
    """A moment of the meter's own time; None for one that no calendar has. Other digits as they are."""
    pairs = [digits[place : place + 2] for place in range(0, len(digits), 2)]
    if shape == "time":  # hhmmss
        return ":".join(pairs)
    if shape == "month-minute":  # MMDDhhmm
        return f"{pairs[0]}-{pairs[1]} {pairs[2]}:{pairs[3]}"
    if shape not in _MOMENTS:
        return digits
    year, month, day, *clock = map(int, pairs[: _MOMENTS[shape]])
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    try:
        moment = datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - the meter has no zone
    except ValueError:
        return None
    if shape == "date":
        return moment.date().isoformat()
    return moment.isoformat(timespec="minutes" if shape == "minute" else "seconds")


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
