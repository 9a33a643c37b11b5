"""What gateways say about themselves, by their own device rows. Their clocks are not asked: order counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from cloud.storage.database import Transaction
from cloud.storage.queries import load
from protocols.events import Event

_Told = TypeVar("_Told")

Events = Iterable[tuple[int | None, Event]]
"""Each with the row of the device that it is of."""


def heard(tx: Transaction, events: Events, read: Callable[[str, Any], _Told | None]) -> Iterator[tuple[int, _Told]]:
    """The gateway, and what `read` makes of kind and data of its event; without those that say nothing to it."""
    for device, event in events:
        told = read(event.kind, event.data)
        row = tx.one(load("configurations")["gateway_of"], {"device": device}) if told is not None else None
        if told is not None and row is not None:
            yield row["gateway_id"], told
