"""What a birth says of the file: per epoch and lane the numbers that are held, and the last one that was given.

An older epoch of which nothing is left is declared until a birth that names it was answered. Else numbers that had to
go before any birth spoke of them would be missing nowhere: the cloud can only lack what it knows to have been given.
The row of a lane is the memory of that. It outlives restarts, and goes once it was spoken of and holds nothing; what is
declared or answered twice changes nothing in the cloud.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from edge.outbox.database import transaction
from edge.outbox.holdings import LANES, Holdings, Numbers
from edge.outbox.statements import statements
from protocols.delivery import Declaration, Lane

MOST_EMPTY: Final = 256
"""Older epochs of which nothing is left that a file keeps to declare them, the newest: about 30 KB of a birth."""
_SQL: Final = statements("edge.outbox", "statements.sql")

Given = Mapping[tuple[uuid.UUID, Lane], int]
"""The last number that was given, by epoch and lane."""


def declarations(lanes: Iterable[Any], holdings: Holdings, current: int = 0) -> dict[Lane, list[Declaration]]:
    """What there is to say of `lanes` (rows of the statement of that name): of `current`, a row of an epoch, always.

    From then on these numbers count as declared.
    """
    found: dict[Lane, list[Declaration]] = {lane: [] for lane in LANES}
    for epoch, name, number, following, *_ in lanes:
        numbers = holdings.of(epoch, LANES[number])
        held = numbers.held - numbers.dropped
        last = max(following - 1, held.ranges[-1][1] if held else 0)
        if last or epoch == current:
            found[LANES[number]].append(Declaration(epoch=uuid.UUID(name), held=held, last_given=last))
            numbers.declared = True
    return found


def settle(connection: sqlite3.Connection, epoch: int, lane: Lane, numbers: Numbers) -> None:
    """A birth was answered for a lane of an older epoch: if nothing of it is left, nobody needs to hear of it again.

    Raises sqlite3.Error; then it is declared, and answered, once more.
    """
    if numbers.declared and not numbers.held:
        with transaction(connection, durable=False):
            connection.execute(_SQL["settle_lane"], {"epoch": epoch, "lane": LANES.index(lane)})
        numbers.declared = False


def remember(connection: sqlite3.Connection, given: Given, boot: int, now_ms: int) -> None:
    """Within a transaction: what is known to have been `given` in a file that was set aside, read out of it or not."""
    for (name, lane), last in given.items():
        connection.execute(_SQL["remember_epoch"], {"uuid": str(name), "opened": now_ms, "boot": boot})
        row = {"uuid": str(name), "lane": LANES.index(lane), "next": last + 1}
        connection.execute(_SQL["remember_lane"], row)


def tidy(connection: sqlite3.Connection, holdings: Holdings, current: int) -> None:
    """Within a transaction, at an opening: older epochs of which nothing is left to hold or to say, and their boots."""
    given = {epoch for epoch, _, _, following, *_ in connection.execute(_SQL["lanes"]) if following > 1}
    rows = connection.execute("SELECT id FROM epoch WHERE id <> ? ORDER BY id", (current,)).fetchall()
    empty = [epoch for (epoch,) in rows if not any(holdings.of(epoch, lane).held for lane in LANES)]
    kept = set([epoch for epoch in empty if epoch in given][-MOST_EMPTY:])
    connection.executemany(_SQL["tidy_epoch"], [{"epoch": epoch} for epoch in empty if epoch not in kept])
    connection.execute(_SQL["tidy_boots"])
