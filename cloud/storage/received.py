"""The received sets: per epoch and lane, which message numbers are stored. They alone decide that a message is new.

`lock` inserts missing rows, then locks all rows of the group in one fixed order, so that workers that carry the same
messages wait for each other and never deadlock. The locks are held until the commit that stores what the messages say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from cloud.storage.database import Transaction
from cloud.storage.queries import load
from protocols.delivery import Lane, NumberSet

LaneKey = tuple[UUID, Lane]
"""Epoch and lane."""


def lock(tx: Transaction, keys: Iterable[LaneKey]) -> dict[LaneKey, NumberSet]:
    """The received sets of `keys`, locked until the end of the transaction; rows that are missing begin empty."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    queries = load("received")
    params = {"epochs": [epoch for epoch, _ in ordered], "lanes": [str(lane) for _, lane in ordered]}
    tx.execute(queries["insert_missing"], params)
    rows = tx.fetch(queries["lock"], params)
    return {(row["epoch"], Lane(row["lane"])): NumberSet.parse(row["numbers"]) for row in rows}


def read(tx: Transaction, keys: Iterable[LaneKey]) -> dict[LaneKey, NumberSet]:
    """The received sets of `keys` as they are now; nobody is kept from changing them."""
    wanted = list(keys)
    if not wanted:
        return {}
    params = {"epochs": [epoch for epoch, _ in wanted], "lanes": [str(lane) for _, lane in wanted]}
    rows = tx.fetch(load("received")["read"], params)
    found = {(row["epoch"], Lane(row["lane"])): NumberSet.parse(row["numbers"]) for row in rows}
    return dict.fromkeys(wanted, NumberSet()) | found


def store(
    tx: Transaction,
    sets: Mapping[LaneKey, NumberSet],
    declared: Mapping[LaneKey, int] | None = None,
    gateways: Mapping[LaneKey, int] | None = None,
) -> None:
    """Write the sets of rows that `lock` holds, the highest number that a birth declared as given, and who says so."""
    declared, gateways = declared or {}, gateways or {}
    ordered = sorted({*sets, *declared})
    if not ordered:
        return
    numbers = [str(sets[key]) if key in sets else None for key in ordered]
    highest = [max(_last(sets.get(key)), declared.get(key, 0)) for key in ordered]
    params = {
        "epochs": [epoch for epoch, _ in ordered],
        "lanes": [str(lane) for _, lane in ordered],
        "numbers": numbers,
        "highest": highest,
        "gateways": [gateways.get(key) for key in ordered],
    }
    tx.execute(load("received")["store"], params)


def _last(numbers: NumberSet | None) -> int:
    return numbers.ranges[-1][1] if numbers else 0
