"""The fields of the records that we read, as table rows, after EVA-DTS 6.1 (data dictionary) and files from the field.

A field's id is its record and two digits: ``PA102`` is the second field of PA1. A record that is not in the table, or a
field beyond its row, is kept verbatim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

FieldKind = Literal["text", "count", "money", "date", "time", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field: `name` in lower case; `money` is in minor units, with the decimals that ID4 states."""

    name: str
    kind: FieldKind


_KINDS: Final[dict[str, FieldKind]] = {"#": "count", "$": "money", "@": "date", ":": "time", "?": "flag"}


def _row(text: str) -> tuple[FieldSpec | None, ...]:
    """``"$value #count - name"``: a marker gives the kind, ``-`` is a field without a meaning to us."""
    row: list[FieldSpec | None] = []
    for word in text.split():
        kind = _KINDS.get(word[0], "text")
        row.append(None if word == "-" else FieldSpec(name=word.lstrip("#$@:?"), kind=kind))
    return tuple(row)


_SALES: Final = "$value-init #count-init $value-reset #count-reset"
_COUNT_FIRST: Final = "#count-init $value-init #count-reset $value-reset"
_UNIT: Final = "serial model revision user-field asset"

RECORDS: Final[dict[str, tuple[FieldSpec | None, ...]]] = {
    kind: _row(text)
    for kind, text in {
        "DXS": "communication-id functional-id version transmission",
        "DXE": "transmission #sets",
        "ST": "set control",
        "SE": "#records control",
        "G85": "crc",
        "ID1": "serial model build location user-field asset #level revision",
        "ID4": "#decimals currency-number currency",
        "ID5": "@date :time - time-zone",
        "CB1": "serial model revision",
        "CA1": _UNIT,
        "BA1": _UNIT,
        "DA1": _UNIT,
        "DB1": _UNIT,
        "AM1": _UNIT,
        "VA1": _SALES + " $discounts-init #discount-count-init $discounts-reset #discount-count-reset"
        " $surcharges-init #surcharge-count-init $surcharges-reset #surcharge-count-reset",
        "VA2": _SALES,
        "VA3": _SALES,
        "CA2": _SALES,
        "DA2": _SALES,
        "DB2": _SALES,
        "TA2": _SALES,
        "CA3": "$in-reset $to-box-reset $to-tubes-reset $bills-reset $in-init $to-box-init $to-tubes-init $bills-init"
        " $bills-in-reset $bills-in-init",
        "CA4": "$dispensed-reset $manual-reset $dispensed-init $manual-init",
        "CA8": "$overpay-reset $overpay-init",
        "CA10": "$filled-reset $filled-init",
        "CA15": "$tube-value",
        "CA17": "#coin-type $coin #in-tube #inserted #dispensed ?full",
        "DA4": "$credited-init $credited-reset",
        "DB4": "$credited-init $credited-reset",
        "PA1": "selection $price product #capacity #standard-fill #standard-dispensed status #level #minimum",
        "PA2": _COUNT_FIRST,
        "PA3": _COUNT_FIRST,
        "PA4": _COUNT_FIRST,
        "PA5": "@date :time #times-sold-out",
        "PC1": "selection $price",
        "PA7": "selection device price-list $price " + _COUNT_FIRST,
        "EA1": "event @date :time",
        "EA2": "event #count-reset #count-init ?active",
        "EA3": "#reads @date :time terminal @last-date :last-time last-terminal",
        "EA4": "@date :time",
        "EA5": "@date :time",
        "EA6": "@date :time",
        "EA7": "#outages-reset #outages-init",
        "LS": "loop",
        "LE": "loop",
        "MA5": "name",
        "SD1": "user-field",
    }.items()
}
