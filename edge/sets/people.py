"""What delivered pages say of people. Imported where there are any: most gateways may keep the memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge.sets.content import unusable
from protocols.access.cardholders import Cardholder, Cardholders, cardholders_from
from protocols.errors import ConfigError
from protocols.sets import content_of

_PEOPLE = TypeAdapter(tuple[Cardholder, ...])
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
        raise unusable(error, source, "cardholder") from error
    for person in people:
        if person.codes or person.duress_codes:  # what is secret does not come down
            raise ConfigError("edge.sets.codes", file=source, holder=person.id)
    return people
