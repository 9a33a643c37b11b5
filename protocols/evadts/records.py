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

# ISO 4217 numbers of what street machines take; ID402 holds the number, some machines put a 1 before it.
_NAMES: Final = {156: "CNY", 344: "HKD", 392: "JPY", 643: "RUB", 756: "CHF", 826: "GBP", 840: "USD", 978: "EUR"}


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


def currency_name(number: str, alpha: str) -> str | None:
    """The ISO 4217 name that ID402 and ID403 give, or None."""
    if len(alpha.strip()) == 3 and alpha.strip().isalpha():
        return alpha.strip().upper()
    digits = number.strip()
    if not digits.isdecimal() or len(digits) > 4:
        return None
    code = int(digits)
    return _NAMES.get(code) or _NAMES.get(code - 1000)


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
