"""Data records of M-Bus (EN 13757-3:2018, clauses 6.3 and 6.4): what is measured, since when, and the value."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from protocols.capture import scaled
from protocols.mbus.units import FIRST_EXTENSION, MANUFACTURERS, PRIMARY, SECOND_EXTENSION, Meaning

Function = Literal["instantaneous", "maximum", "minimum", "during-error"]
Value = int | float | str | None

FUNCTIONS: Final[tuple[Function, ...]] = ("instantaneous", "maximum", "minimum", "during-error")
MANUFACTURER: Final = 0x0F
MORE_FOLLOWS: Final = 0x1F
_FILLER: Final = 0x2F
_MORE: Final = 0x80
_MOST_EXTENSIONS: Final = 10
_VARIABLE: Final = 0x0D
_SIZES: Final = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 0, 6, 0)
_REAL: Final = 0x05
_DECIMAL: Final = range(0x09, 0x0F)
_LONG_NUMBERS: Final = {0xF0: 16, 0xF1: 20, 0xF2: 24, 0xF3: 28, 0xF4: 32, 0xF5: 48, 0xF6: 64}
"""Binary fields whose length byte says a class (table 5); they are told as hexadecimal digits."""
_MONTHS: Final = 0x0F


class Cut(Exception):  # noqa: N818 - not an error of the program: the data end inside a record
    """A record that its data do not hold whole; `code` names the sentence."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One value that begins at byte `at` of the data. `vif` are its value information bytes; `name` '' = not described.

    `modifiers` are the extensions of the value information that change its meaning (hexadecimal). Times are the
    meter's own, without a zone.
    """

    at: int
    function: Function
    storage: int
    tariff: int
    subunit: int
    name: str
    unit: str
    value: Value
    vif: bytes
    raw: bytes
    modifiers: tuple[int, ...] = ()
    readable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What the maker put behind the records; `more` = further telegrams follow."""

    at: int
    data: bytes
    more: bool


class _Reader:
    """Bytes taken one after another."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise Cut("record-cut")
        self.at += 1
        return self.data[self.at - 1]

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise Cut("record-cut")
        self.at += size
        return self.data[self.at - size : self.at]


def records(data: bytes) -> Iterator[Record | Rest]:
    """The records in `data`, in order. Raises Cut where the data end inside one, or its extensions do not end."""
    reader = _Reader(data)
    while reader.at < len(data):
        at = reader.at
        dif = reader.byte()
        if dif == _FILLER:
            continue
        if dif in (MANUFACTURER, MORE_FOLLOWS):
            yield Rest(at=at, data=data[reader.at :], more=dif == MORE_FOLLOWS)
            return
        yield _record(reader, at, dif)


def _record(reader: _Reader, at: int, dif: int) -> Record:
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    for place, extension in enumerate(_extensions(reader, dif)):
        storage |= (extension & 0x0F) << (1 + 4 * place)
        tariff |= (extension >> 4 & 3) << (2 * place)
        subunit |= (extension >> 6 & 1) << place
    begin = reader.at
    first = reader.byte()
    said = _text(reader.take(reader.byte())) if first & 0x7F == 0x7C else None
    extensions = list(_extensions(reader, first))
    vif = reader.data[begin : reader.at]
    meaning, modifiers = _meaning(first, extensions, said)
    field = dif & 0x0F
    raw = _value_bytes(reader, field)
    name = meaning.name if meaning else ""
    value = _value(field, raw, name)
    readable = not (value is None and raw and _may_be_read(field))
    if isinstance(value, int | float) and meaning is not None:
        value = _in_units(value, meaning, modifiers)
    return Record(
        at=at,
        function=FUNCTIONS[dif >> 4 & 3],
        storage=storage,
        tariff=tariff,
        subunit=subunit,
        name=name,
        unit=meaning.unit if meaning else "",
        value=value,
        vif=vif,
        raw=raw,
        modifiers=tuple(m for m in modifiers if not _scales(m)),
        readable=readable,
    )


def _extensions(reader: _Reader, first: int) -> Iterator[int]:
    """The bytes that continue `first`, without their own mark of continuation."""
    byte, count = first, 0
    while byte & _MORE:
        if count == _MOST_EXTENSIONS:
            raise Cut("too-many-extensions")
        byte = reader.byte()
        count += 1
        yield byte & 0x7F


def _meaning(first: int, extensions: list[int], said: str | None) -> tuple[Meaning | None, list[int]]:
    """What is measured, and the extensions that are left to modify it."""
    if said is not None:
        return Meaning(name=said), extensions
    if first in (0xFB, 0xFD) and extensions:
        table = SECOND_EXTENSION if first == 0xFB else FIRST_EXTENSION
        return table.get(extensions[0]), extensions[1:]
    code = first & 0x7F
    return (Meaning(name=MANUFACTURERS), []) if code == 0x7F else (PRIMARY.get(code), extensions)


def _scales(modifier: int) -> bool:
    return 0x70 <= modifier <= 0x77 or modifier == 0x7D


def _in_units(value: float, meaning: Meaning, modifiers: list[int]) -> int | float:
    exponent = meaning.exponent
    for modifier in modifiers:
        if 0x70 <= modifier <= 0x77:
            exponent += modifier - 0x76
        elif modifier == 0x7D:
            exponent += 3
    if exponent >= 0:
        return value * int(meaning.factor * 10**exponent)
    return scaled(int(value), -exponent) if isinstance(value, int) else value / 10**-exponent


def _value_bytes(reader: _Reader, field: int) -> bytes:
    if field != _VARIABLE:
        return reader.take(_SIZES[field])
    length = reader.byte()
    if length < 0xC0:
        return bytes([length]) + reader.take(length)
    if length < 0xF0:
        return bytes([length]) + reader.take(length & 0x0F)
    if length not in _LONG_NUMBERS:
        raise Cut("record-length")
    return bytes([length]) + reader.take(_LONG_NUMBERS[length])


def _may_be_read(field: int) -> bool:
    return field not in (0x00, 0x08)


def _value(field: int, raw: bytes, name: str) -> Value:
    if not raw or not _may_be_read(field):
        return None
    if name in ("date", "date-time", "battery-change", "tariff-start"):
        return _moment(raw)
    if field == _REAL:
        real: float = struct.unpack("<f", raw)[0]
        return float(f"{real:.7g}") if math.isfinite(real) else None
    if field in _DECIMAL and field != _VARIABLE:
        return _decimal(raw)
    if field == _VARIABLE:
        return _variable(raw[0], raw[1:])
    return int.from_bytes(raw, "little", signed=True)


def _decimal(raw: bytes) -> int | None:
    """Digits, low byte first; F in the highest place is a minus sign (annex B, type A)."""
    digits = raw[::-1].hex()
    sign = -1 if digits[0] == "f" else 1
    digits = digits.lstrip("f") if sign < 0 else digits
    return sign * int(digits or "0") if (digits or "0").isdecimal() else None


def _variable(length: int, raw: bytes) -> Value:
    if length < 0xC0:
        return _text(raw)
    if length < 0xE0:
        number = _decimal(raw) if raw else None
        return None if number is None else number * (-1 if length >= 0xD0 else 1)
    return raw[::-1].hex().upper() if length in _LONG_NUMBERS else int.from_bytes(raw, "little", signed=True)


def _text(raw: bytes) -> str:
    """Text is sent last letter first (EN 13757-3, 6.3.2; ISO 8859-1)."""
    return raw[::-1].decode("latin-1").strip("\x00 ")


def _moment(raw: bytes) -> str | None:
    """Types G (date), F (to the minute) and I (to the second) of annex A; None for an invalid one."""
    second = 0
    if len(raw) == 6:
        second, raw = raw[0] & 0x3F, raw[1:5]
    try:
        if len(raw) == 2:
            return date(_year(raw[0], raw[1], 0), raw[1] & _MONTHS, raw[0] & 0x1F).isoformat()
        if len(raw) == 4 and not raw[0] & 0x80:
            year = _year(raw[2], raw[3], raw[1] >> 5 & 3)
            at = datetime(year, raw[3] & _MONTHS, raw[2] & 0x1F, raw[1] & 0x1F, raw[0] & 0x3F, second)  # noqa: DTZ001
            return at.isoformat(timespec="minutes" if not second else "seconds")
    except ValueError:
        return None
    return None


def _year(low: int, high: int, century: int) -> int:
    year = low >> 5 | (high & 0xF0) >> 1
    return 1900 + 100 * century + year if century or year > 80 else 2000 + year
