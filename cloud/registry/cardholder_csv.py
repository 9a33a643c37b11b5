"""People from a spreadsheet: CSV with a head line. Each fault has its line, and while there is one nothing is taken."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from cloud.faults import told
from cloud.registry.cardholders import Holder, Site, check
from protocols.errors import ConfigError
from protocols.sets import MAX_ITEMS

COLUMNS: Final = (
    "code",
    "name",
    "cards",
    "duress_cards",
    "doors",
    "schedule",
    "valid_from",
    "valid_until",
    "enabled",
    "passback_exempt",
)
MOST_BYTES: Final = 2_000_000
MOST_FAULTS: Final = 50
_LISTS: Final = frozenset({"cards", "duress_cards", "doors"})
_YES: Final = frozenset({"true", "yes", "1", "是"})
_NO: Final = frozenset({"false", "no", "0", "否"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong in a line (counted from 1, the head line included)."""

    line: int
    error: ConfigError


def read(
    text: str, where: Site, taken: Callable[[Sequence[Holder]], Mapping[str, ConfigError]]
) -> tuple[list[Holder], list[Fault]]:
    """The people of `text`, and its first faults. Several cards or doors stand in one field, with spaces between.

    `taken`: which of their cards others have, and what to say of it.
    """
    faults: list[Fault] = []
    holders: list[Holder] = []
    lines: dict[str, int] = {}
    cards: dict[str, int] = {}
    for line, row in _rows(text.removeprefix("\ufeff"), faults):
        if len(faults) >= MOST_FAULTS:
            break
        try:
            holder = _holder(row)
            check(holder, where)
            _once(lines, holder.code, line, "code")
            for card in (*(holder.cards or ()), *(holder.duress_cards or ())):
                _once(cards, card, line, "cards")
        except ConfigError as error:
            faults.append(Fault(line=line, error=error))
        else:
            holders.append(holder)
    others = [Fault(line=cards[card], error=error) for card, error in taken(holders).items() if card in cards]
    return holders, sorted((*faults, *others), key=lambda fault: fault.line)[:MOST_FAULTS]


def _rows(text: str, faults: list[Fault]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=_delimiter(text))
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        unknown = [name for name in head if name not in COLUMNS]
        if "code" not in head or unknown or len(set(head)) != len(head):
            named = ", ".join(unknown or head) or "-"
            error = ConfigError("cloud.cardholder.csv-head", found=named, allowed=", ".join(COLUMNS))
            faults.append(Fault(line=1, error=error))
            return
        for count, fields in enumerate(reader):
            if not any(field.strip() for field in fields):
                continue
            if count >= MAX_ITEMS or len(fields) != len(head):
                long = ConfigError("cloud.cardholder.csv-long", limit=MAX_ITEMS)
                uneven = ConfigError("cloud.cardholder.csv-fields", found=len(fields), wanted=len(head))
                faults.append(Fault(line=reader.line_num, error=long if count >= MAX_ITEMS else uneven))
                return
            yield reader.line_num, dict(zip(head, (field.strip() for field in fields), strict=True))
    except csv.Error as error:
        why = ConfigError("cloud.cardholder.csv-broken", why=str(error))
        faults.append(Fault(line=max(1, reader.line_num), error=why))


def _delimiter(text: str) -> str:
    """What the head line parts its names with: spreadsheets of some countries write semicolons."""
    head = text.partition("\n")[0]
    return max((",", ";", "\t"), key=head.count)


def _holder(row: dict[str, str]) -> Holder:
    table: dict[str, Any] = {}
    for key, text in row.items():
        if key in _LISTS:
            table[key] = text.split()
        elif key in ("enabled", "passback_exempt"):
            if text:
                table[key] = _truth(key, text)
        elif text or key == "code":
            table[key] = text
    try:
        return Holder.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        code, params = told(first)
        column = str(first["loc"][0]) if first["loc"] else ""
        if column not in ("", "cards", "duress_cards"):
            params["at"] = f"{column} = {row.get(column, '')[:40]}"
        raise ConfigError(code, **params) from error


def _truth(key: str, text: str) -> bool:
    word = text.lower()
    if word not in _YES | _NO:
        raise ConfigError("cloud.cardholder.csv-truth", column=key, value=text[:40])
    return word in _YES


def _once(seen: dict[str, int], value: str, line: int, column: str) -> None:
    if value in seen:
        raise ConfigError("cloud.cardholder.csv-twice", column=column, line=seen[value])
    seen[value] = line
