"""What delivered pages say: rules, and which of them fit this gateway; the places of the estate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge.rules import check_rules
from protocols.commissioning import place_of
from protocols.errors import ConfigError, LiandongError
from protocols.rules import Rule
from protocols.sets import content_of

_RULES = TypeAdapter(tuple[Rule, ...])


def read_rules(number: int, pages: Sequence[bytes]) -> tuple[Rule, ...]:
    """The rules that these pages are, in the order of their codes. Raises ConfigError and ProtocolError."""
    _, leaves = content_of(pages)
    try:
        rules = _RULES.validate_python([item for leaf in leaves for item in leaf])
    except ValidationError as error:
        raise unusable(error, f"#{number}", "rule") from error
    if len({rule.code for rule in rules}) != len(rules):
        raise ConfigError("edge.sets.twice", file=f"#{number}")
    return tuple(sorted(rules, key=lambda rule: rule.code))


@dataclass(frozen=True, slots=True)
class Listed:
    """The estate's places; `rows` as the cloud wrote them, ``{"place", "name"}``."""

    rows: tuple[Mapping[str, Any], ...] = ()


def read_places(number: int, pages: Sequence[bytes]) -> Listed:
    """The places that these pages list, in order. Raises ConfigError and ProtocolError."""
    _, leaves = content_of(pages)
    rows = [row for leaf in leaves for row in leaf]
    try:
        for row in rows:
            if not isinstance(row["place"], str) or not isinstance(row["name"], dict):
                raise TypeError(row)
            place_of(row["place"])
    except (KeyError, TypeError, LiandongError) as error:
        raise ConfigError("edge.sets.unusable", file=f"#{number}", key="place", why=repr(error)[:80]) from error
    return Listed(tuple(sorted(rows, key=lambda row: str(row["place"]))))


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


def unusable(error: ValidationError, source: str, what: str) -> ConfigError:
    """What is wrong with a page, and where."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join((what, *map(str, first["loc"])))
    return ConfigError("edge.sets.unusable", file=source, key=where, why=first["msg"])
