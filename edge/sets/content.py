"""What delivered pages say: people, and rules that fit this gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge.rules import check_rules
from protocols.access.cardholders import Cardholder, Cardholders, cardholders_from
from protocols.errors import ConfigError, LiandongError
from protocols.rules import Rule
from protocols.sets import content_of

_PEOPLE = TypeAdapter(tuple[Cardholder, ...])
_RULES = TypeAdapter(tuple[Rule, ...])
_HEAD = ("time_zone", "holidays", "schedule")


class PeopleReader:
    """Reads cardholder sets; people of pages that it has read before are not read again. Owned by one thread."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Cardholder, ...]] = {}

    def read(self, number: int, names: Sequence[str], pages: Sequence[bytes]) -> Cardholders:
        """The store that these pages are. Raises ConfigError and ProtocolError; then what was known stays."""
        head, leaves = content_of(pages)
        source = f"#{number}"
        read: dict[str, tuple[Cardholder, ...]] = {}
        for name, leaf in zip(names[1:], leaves, strict=True):
            read[name] = self._known[name] if name in self._known else _people(leaf, source)
        everybody = tuple(person for leaf in read.values() for person in leaf)
        table = {key: head[key] for key in _HEAD if key in head} | {"version": source, "cardholder": everybody}
        store = cardholders_from(table, source=source)
        assert len(store.by_card) >= 0  # made here, so that no door waits for it
        self._known = read
        return store


def _people(leaf: Sequence[Any], source: str) -> tuple[Cardholder, ...]:
    try:
        people = _PEOPLE.validate_python(leaf)
    except ValidationError as error:
        raise _fault(error, source, "cardholder") from error
    for person in people:
        if person.codes or person.duress_codes:  # what is secret does not come down
            raise ConfigError("edge.sets.codes", file=source, holder=person.id)
    return people


def read_rules(number: int, pages: Sequence[bytes]) -> tuple[Rule, ...]:
    """The rules that these pages are, in the order of their codes. Raises ConfigError and ProtocolError."""
    _, leaves = content_of(pages)
    try:
        rules = _RULES.validate_python([item for leaf in leaves for item in leaf])
    except ValidationError as error:
        raise _fault(error, f"#{number}", "rule") from error
    if len({rule.code for rule in rules}) != len(rules):
        raise ConfigError("edge.sets.twice", file=f"#{number}")
    return tuple(sorted(rules, key=lambda rule: rule.code))


def fitting(
    own: Sequence[Rule], delivered: Sequence[Rule], types: Mapping[str, str], number: int
) -> tuple[list[Rule], list[LiandongError]]:
    """Those of the delivered rules that this gateway can judge, and what is wrong with each of the others.

    A rule of the same code in the gateway's own configuration counts, and keeps the delivered one out.
    """
    here = {rule.code for rule in own}
    fit: list[Rule] = []
    faults: list[LiandongError] = []
    for rule in delivered:
        try:
            if rule.code in here:
                raise ConfigError("edge.sets.rule-here", file=f"#{number}", rule=rule.code)
            check_rules([rule], types, Path(f"#{number}"))
            fit.append(rule)
        except LiandongError as error:
            if "key" in error.params:
                error.params["key"] = str(error.params["key"]).replace("rule[0]", rule.code)
            faults.append(error)
    return fit, faults


def _fault(error: ValidationError, source: str, what: str) -> ConfigError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join((what, *map(str, first["loc"])))
    return ConfigError("edge.sets.unusable", file=source, key=where, why=first["msg"])
