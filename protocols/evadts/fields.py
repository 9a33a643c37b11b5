"""The fields of the records that we read, as table rows, after EVA-DTS 6.2 (data dictionary) and files from the field.

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
_EXTRAS: Final = (
    " #discount-count-init $discounts-init #discount-count-reset $discounts-reset"
    " #surcharge-count-init $surcharges-init #surcharge-count-reset $surcharges-reset"
)
_GIVEN: Final = (
    "$discounts-reset #discount-count-reset $discounts-init #discount-count-init"
    " $surcharges-reset #surcharge-count-reset $surcharges-init #surcharge-count-init"
)
_UNIT: Final = "serial model revision user-field asset"
_VALUES: Final = "$value-reset $value-init"
_STORED: Final = " ".join(f"#type-{number}" for number in range(8))
_GROUP: Final = (
    "#group $sales-reset $added-reset $discounts-reset #count-init #count-reset $sales-init $added-init $discounts-init"
)

RECORDS: Final[dict[str, tuple[FieldSpec | None, ...]]] = {
    kind: _row(text)
    for kind, text in {
        "DXS": "communication-id functional-id version transmission",
        "DXE": "transmission #sets",
        "ST": "set control",
        "SE": "#records control",
        "G85": "crc",
        "ID1": "serial model build location user-field asset level revision",
        "ID2": _UNIT,
        "ID3": "route function person user-field",
        "ID4": "#decimals currency-number currency",
        "ID5": "@date :time #seconds daylight-saving",
        "ID6": "cash-bag",
        "ID7": "number type maker serial model revision status user-field",
        "IC1": "- - - location user-field asset",
        "IC4": "#decimals currency-number currency",
        "IC5": "@date :time #seconds daylight-saving",
        "CB1": _UNIT,
        "CA1": _UNIT,
        "BA1": _UNIT,
        "DA1": _UNIT,
        "DB1": _UNIT,
        "TA1": _UNIT,
        "HA1": _UNIT,
        "HB1": _UNIT,
        "AM1": _UNIT,
        "VA1": _SALES + " $discounts-init #discount-count-init $discounts-reset #discount-count-reset"
        " #surcharge-count-init $surcharges-init #surcharge-count-reset $surcharges-reset",
        "VA2": _SALES + " $to-box-init $to-box-reset",
        "VA3": _SALES,
        "CA2": _SALES,
        "DA2": _SALES + " user-field",
        "DB2": _SALES + " user-field",
        "TA2": _SALES + " $value-tokens-init #value-tokens-count-init $value-tokens-reset #value-tokens-count-reset",
        "CA3": "$in-reset $to-box-reset $to-tubes-reset $bills-reset $in-init $to-box-init $to-tubes-init $bills-init"
        " $bills-in-reset $bills-in-init $to-recycler-reset $to-recycler-init",
        "CA4": "$dispensed-reset $manual-reset $dispensed-init $manual-init $bills-reset $bills-manual-reset"
        " $bills-to-recycler-reset $bills-init $bills-manual-init $bills-to-recycler-init",
        "CA5": "#outages-reset #outages-init",
        "CA6": "#reads-init #door-openings-init",
        "CA7": "$discounts-reset $discounts-init #discount-count-reset #discount-count-init"
        " $surcharges-reset $surcharges-init #surcharge-count-reset #surcharge-count-init",
        "CA8": "$overpay-reset $overpay-init",
        "CA9": "$exact-change-reset $exact-change-init",
        "CA10": "$filled-reset $filled-init $bills-filled-reset $bills-filled-init",
        "CA11": "$coin #in-reset #to-box-reset #to-tubes-reset #in-init #to-box-init #to-tubes-init age country",
        "CA12": "$coin #dispensed-reset #manual-reset #dispensed-init #manual-init age country",
        "CA13": "$coin #filled-reset #filled-init age country",
        "CA14": "$bill #in-reset #to-stacker-reset #in-init #to-stacker-init",
        "CA15": "$tube-value block " + _STORED,
        "CA16": "$credited-reset $credited-init",
        "CA17": "#coin-type $coin #in-tube #inserted #dispensed ?full",
        "CA18": "destination $coin",
        "CA19": "$bill #in-reset #to-box-reset #to-recycler-reset #in-init #to-box-init #to-recycler-init age country",
        "CA20": "$bill #dispensed-reset #manual-reset #to-box-reset #dispensed-init #manual-init #to-box-init"
        " age country",
        "CA21": "$bill #filled-reset #filled-init age country",
        "CA22": "$recycler-value block " + _STORED,
        "CA23": "#bill-type $bill #in-store - - ?full",
        "CA24": "destination $bill",
        "DA3": "$debited-init $debited-reset user-field",
        "DB3": "$debited-init $debited-reset user-field",
        "DA4": "$credited-init $credited-reset user-field",
        "DB4": "$credited-init $credited-reset user-field",
        "DA5": _GIVEN,
        "DB5": _GIVEN,
        "DA6": "$incentive-init $incentive-reset",
        "DB6": "$incentive-init $incentive-reset",
        "DA7": _GROUP,
        "DB7": _GROUP,
        "DA9": "$overpay-reset $overpay-init",
        "DB9": "$overpay-reset $overpay-init",
        "DA10": _COUNT_FIRST,
        "DB10": _COUNT_FIRST,
        "HA2": "$in-reset $filled-reset $in-init $filled-init",
        "HB2": "$in-reset $filled-reset $in-init $filled-init",
        "HA3": "$dispensed-reset $manual-reset $dispensed-init $manual-init",
        "HB3": "$dispensed-reset $manual-reset $dispensed-init $manual-init",
        "TA3": _VALUES,
        "TA5": _VALUES,
        "TA7": "$token #in-reset #to-box-reset #to-tubes-reset #in-init #to-box-init #to-tubes-init",
        "TA9": "$token #filled-reset #filled-init",
        "TA10": "#token-type $token",
        "PA1": "selection $price product #capacity #standard-fill #standard-dispensed status #level #minimum",
        "PA2": _COUNT_FIRST + _EXTRAS,
        "PA3": _COUNT_FIRST,
        "PA4": _COUNT_FIRST + " #without-cup-init #without-cup-reset",
        "PA5": "@date :time #times-sold-out",
        "PA6": "selection text #vat-group #status #free-vend user-field",
        "PA7": "selection device price-list $price " + _COUNT_FIRST,
        "PA8": _COUNT_FIRST,
        "PC1": "selection $price product #capacity #standard-fill #standard-dispensed status #level #minimum",
        "PC7": "selection device price-list $price",
        "LA1": "price-list selection $price #count-reset #count-init",
        "PP1": "preselection $price text $price-increment " + _COUNT_FIRST,
        "SA1": "item #added #removed $price location user-field",
        "SA2": "ingredient #used-reset #used-init",
        "EA1": "event @date :time #minutes #milliseconds user-field",
        "EA2": "event #count-reset #count-init user-field ?active #minutes",
        "EA3": "#reads-with-reset @date :time terminal @last-date :last-time last-terminal user-field #reads #resets",
        "EA4": "@date :time terminal user-field",
        "EA5": "@date :time terminal user-field #changes",
        "EA6": "@date :time terminal user-field",
        "EA7": "#outages-reset #outages-init",
        "EA9": "#hours #dispensed user-field",
        "LS": "loop",
        "LE": "loop",
        "MA5": "name",
        "SD1": "password new-password report reset reset-interval-data reset-events",
    }.items()
}
