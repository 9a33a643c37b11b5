"""The cloud's own account of what is gone, held against what is gone: number by number. Pure, but for `read`.

The hardware knows nothing of numbers. The wiretap heard which message carried which observation, so what the database
lacks has numbers, and what the loss view says has observations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from liandong.lab.account import Missing
from liandong.lab.stored import Key

_TOLD = "SELECT epoch::text, lane, lower(one), upper(one) - 1 FROM loss, unnest(missing) AS one WHERE ended_at IS NULL"

Lane = tuple[str, str]
"""Epoch and lane."""


@dataclass(slots=True, kw_only=True)
class Compared:
    """`told`: gone, and the loss view has its numbers; `untold`: gone, and it lacks one; `wrongly`: told, yet stored.

    `numbers`: how many the loss view has.
    """

    told: list[Missing] = field(default_factory=list)
    untold: list[Missing] = field(default_factory=list)
    wrongly: list[Key] = field(default_factory=list)
    numbers: int = 0


def read(dsn: str) -> dict[Lane, list[tuple[int, int]]]:
    """What the loss view says now: ranges of numbers by epoch and lane. Raises psycopg.OperationalError."""
    found: dict[Lane, list[tuple[int, int]]] = defaultdict(list)
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        for epoch, lane, first, last in connection.execute(_TOLD):
            found[epoch, lane].append((first, last))
    return dict(found)


def compare(
    missing: Sequence[Missing],
    stored: set[Key],
    told: Mapping[Lane, Sequence[tuple[int, int]]],
    sendings: Mapping[Key, Sequence[tuple[int, str]]],
) -> Compared:
    """Hold `missing` and `stored` against the loss view. `sendings`: see `liandong.lab.wiretap.Wiretap`."""
    found = Compared(numbers=sum(last - first + 1 for ranges in told.values() for first, last in ranges))
    for one in missing:
        said = {message for _, message in sendings.get(one.key, ())}
        (found.told if said and all(_is_told(message, told) for message in said) else found.untold).append(one)
    found.wrongly = [
        key
        for key, said in sendings.items()
        if key in stored and len({message for _, message in said}) == 1 and _is_told(said[0][1], told)
    ]
    return found


def _is_told(message: str, told: Mapping[Lane, Sequence[tuple[int, int]]]) -> bool:
    epoch, _, rest = message.partition("/")
    lane, _, numbers = rest.partition("/")
    first, _, last = numbers.partition("-")
    if not first.isdigit() or not last.isdigit():
        return False
    return any(low <= int(first) and int(last) <= high for low, high in told.get((epoch, lane), ()))
