"""The model of an audit: records kept word for word, their decoded fields beside them, and what deviates.

Money is an exact number of minor units beside a decimal value in the currency of ID4. Dates and times are the machine's
own clock, which knows no time zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from protocols.evadts.findings import Finding

FieldValue = str | int | Decimal | bool | None

# What machines take, by ISO 4217 number. ID402 holds it after a 1, or alone; after a 0 stands an international
# telephone code instead, which machines made before the year 2000 use (EVA-DTS 6.2, ID402).
_NAMES: Final = {
    36: "AUD",
    124: "CAD",
    156: "CNY",
    158: "TWD",
    203: "CZK",
    208: "DKK",
    344: "HKD",
    348: "HUF",
    356: "INR",
    376: "ILS",
    392: "JPY",
    398: "KZT",
    410: "KRW",
    446: "MOP",
    458: "MYR",
    484: "MXN",
    554: "NZD",
    578: "NOK",
    643: "RUB",
    702: "SGD",
    704: "VND",
    710: "ZAR",
    752: "SEK",
    756: "CHF",
    764: "THB",
    784: "AED",
    810: "RUB",
    826: "GBP",
    840: "USD",
    901: "TWD",
    933: "BYN",
    946: "RON",
    949: "TRY",
    975: "BGN",
    978: "EUR",
    980: "UAH",
    985: "PLN",
    986: "BRL",
}
_BY_TELEPHONE: Final = {
    1: "USD",
    7: "RUB",
    **dict.fromkeys((30, 31, 32, 33, 34, 39, 43, 49, 351, 352, 353, 358), "EUR"),
    36: "HUF",
    40: "RON",
    41: "CHF",
    44: "GBP",
    45: "DKK",
    46: "SEK",
    47: "NOK",
    48: "PLN",
    52: "MXN",
    55: "BRL",
    60: "MYR",
    61: "AUD",
    64: "NZD",
    65: "SGD",
    66: "THB",
    81: "JPY",
    82: "KRW",
    84: "VND",
    86: "CNY",
    90: "TRY",
    420: "CZK",
    852: "HKD",
    853: "MOP",
    886: "TWD",
    972: "ILS",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """ID4: how many decimals the money fields have, and of what. None where the machine does not say."""

    decimals: int | None = None
    name: str | None = None

    @property
    def unit(self) -> str:
        """What money values are shown in: the currency's name, or minor units while the decimals are unknown."""
        if self.decimals is None:
            return "minor"
        return self.name or "major"

    def value(self, minor: int) -> Decimal:
        """`minor` units as a decimal number of the currency, exact; unchanged while the decimals are unknown."""
        return Decimal(minor).scaleb(-(self.decimals or 0))


def currency_name(number: str, alpha: str, decimals: int | None = None) -> str | None:
    """The ISO 4217 name that ID402 and ID403 give, or None. ID403 holds a number on some machines, too."""
    if len(alpha.strip()) == 3 and alpha.strip().isalpha():
        return alpha.strip().upper()
    named = _by_number(number.strip()) or _by_number(alpha.strip())
    if decimals == 0 and named == "EUR" and "978" not in (number + alpha):
        return None  # by its telephone code: money without decimals was that country's before the euro
    return named


def _by_number(digits: str) -> str | None:
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 4:
        return None
    code = int(digits)
    if code >= 1000:
        return _NAMES.get(code - 1000)
    if len(digits) == 4:
        return _BY_TELEPHONE.get(code)
    # Three digits are ISO 4217 without its 1, else a telephone code without one of its zeros. Fewer are often what the
    # maker of the machine left there, and say nothing of the money.
    return (_NAMES.get(code) or _BY_TELEPHONE.get(code)) if len(digits) == 3 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A decoded field: `raw` as it stood, `minor` for money, `value` in its unit (None = unreadable or unset)."""

    id: str
    name: str
    raw: str
    value: FieldValue
    unit: str = ""
    minor: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; money as a number of the currency beside its raw minor units."""
        value = float(self.value) if isinstance(self.value, Decimal) else self.value
        shown: dict[str, Any] = {"id": self.id, "name": self.name, "raw": self.raw, "value": value}
        return shown | {"unit": self.unit} if self.unit else shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line: its number (from 1), its text word for word, the raw fields after the kind, and the decoded ones."""

    line: int
    kind: str
    text: str
    raw: tuple[str, ...]
    fields: tuple[Field, ...] = ()
    known: bool = False

    def __getitem__(self, name: str) -> FieldValue:
        """The value of field `name`; None when it is missing, empty or unreadable."""
        found = self._field(name)
        return found.value if found else None

    def count(self, name: str) -> int | None:
        """The whole number in `name`, or None."""
        value = self[name]
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def minor(self, name: str) -> int | None:
        """The money in `name` in minor units, or None."""
        found = self._field(name)
        return found.minor if found else None

    def word(self, name: str) -> str:
        """The text in `name` without the blanks around it; empty when it is missing."""
        found = self._field(name)
        return found.raw.strip() if found else ""

    def _field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON with the engineering values beside the raw ones."""
        return {
            "line": self.line,
            "type": self.kind,
            "known": self.known,
            "text": self.text,
            "raw": list(self.raw),
            "fields": [field.to_dict() for field in self.fields],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """A whole file. `stray` are lines that are no records, word for word."""

    records: tuple[Record, ...] = ()
    findings: tuple[Finding, ...] = ()
    stray: tuple[tuple[int, str], ...] = ()
    currency: Currency = Currency()

    @property
    def ok(self) -> bool:
        """True when no finding is an error."""
        return all(finding.level != "error" for finding in self.findings)

    def of(self, kind: str) -> Iterator[Record]:
        """All records of `kind`, in order."""
        return (record for record in self.records if record.kind == kind)

    def first(self, kind: str) -> Record | None:
        """The first record of `kind`, or None."""
        return next(self.of(kind), None)

    def to_dict(self) -> dict[str, Any]:
        """The document of ``liandong decode evadts``."""
        return {
            "kind": "evadts",
            "ok": self.ok,
            "currency": {"decimals": self.currency.decimals, "name": self.currency.name},
            "findings": [finding.to_dict() for finding in self.findings],
            "records": [record.to_dict() for record in self.records],
            "stray": [{"line": line, "text": text} for line, text in self.stray],
        }
