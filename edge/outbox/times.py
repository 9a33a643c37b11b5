"""Which boot each epoch belongs to, what is known of its clock, and which messages went out before it was known."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from edge.outbox.body import unpack
from edge.outbox.holdings import LANES, Holdings, key
from edge.outbox.stamp import Boot, Time, is_unresolved, monotonic_of
from edge.outbox.statements import statements
from protocols.delivery import Lane
from protocols.delivery.numbers import MAX_NUMBER
from protocols.errors import StorageError

_SQL: Final = statements("edge.outbox", "statements.sql")


@dataclass(slots=True)
class _Clock:
    uuid: uuid.UUID | None
    offset_ms: int | None
    estimated: bool


class Times:
    """The boots of the file. Changes are called with the lock of the writing connection held."""

    def __init__(self, connection: sqlite3.Connection, holdings: Holdings) -> None:
        self._connection, self._holdings = connection, holdings
        self._boot_of: dict[int, int] = {}
        for epoch, _, lane, _, unknown, boot in connection.execute(_SQL["lanes"]):
            self._boot_of[epoch] = boot
            holdings.of(epoch, LANES[lane]).unknown = unknown
        self._boots = {
            row: _Clock(None if name is None else uuid.UUID(name), offset, bool(estimated))
            for row, name, offset, estimated in connection.execute(_SQL["boots"])
        }

    def offset_ms(self, epoch: int) -> int | None:
        """What makes wall ms of the monotonic ms of an epoch (its row), if that is known."""
        return self._boots[self._boot_of[epoch]].offset_ms

    def time(self, epoch: int, lane: Lane, number: int, *, unresolved: bool) -> Time:
        """What is known of the time of a message that holds `unresolved` stamps, or none."""
        if not unresolved:
            return "known"
        clock = self._boots[self._boot_of[epoch]]
        if clock.offset_ms is None or number <= self._holdings.of(epoch, lane).unknown:
            return "unknown"
        return "estimated" if clock.estimated else "known"

    def note_unknown(self, epoch: int, lane: Lane, number: int) -> None:
        """What is unresolved up to `number` goes out as unknown, and stays so. Raises sqlite3.Error.

        A disk that refuses is remembered in RAM: an alarm does not wait for it.
        """
        numbers = self._holdings.of(epoch, lane)
        if number <= numbers.unknown:
            return
        numbers.unknown = number
        self._connection.execute(_SQL["note_unknown"], {"epoch": epoch, "lane": LANES.index(lane), "number": number})

    def set_offset(self, boot: int, offset_ms: int, *, estimated: bool) -> bool:
        """Set once; whether it was. Raises sqlite3.Error."""
        query = {"boot": boot, "offset": offset_ms, "estimated": int(estimated)}
        if not self._connection.execute(_SQL["set_offset"], query).fetchall():
            return False
        self._boots[boot].offset_ms, self._boots[boot].estimated = offset_ms, estimated
        return True

    def boots(self, connection: sqlite3.Connection) -> list[Boot]:
        """Every boot, with the span of its stamps, read over `connection`."""
        return [
            Boot(
                row=row,
                uuid=clock.uuid,
                offset_ms=clock.offset_ms,
                estimated=clock.estimated,
                monotonic_ms=_span(monotonic_of(at) for at in stamps if is_unresolved(at)),
                wall_ms=_span(at for at in stamps if not is_unresolved(at)),
            )
            for row, clock in sorted(self._boots.items())
            for stamps in [self._stamps(connection, row)]
        ]

    def _stamps(self, connection: sqlite3.Connection, boot: int) -> list[int]:
        """The stamps in the first and last block of each lane of each epoch of a boot."""
        found: list[int] = []
        for epoch in (epoch for epoch, owner in self._boot_of.items() if owner == boot):
            for lane in LANES:
                query = {"low": key(epoch, lane, 1), "high": key(epoch, lane, MAX_NUMBER)}
                for (packed,) in connection.execute(_SQL["ends"], query).fetchall():
                    try:
                        found += [item.at_ms for part in unpack(packed).parts() for item in part.observations]
                    except StorageError:
                        continue  # sending finds it, too, and tells
        return found


def _span(stamps: Iterable[int]) -> tuple[int, int] | None:
    told = list(stamps)
    return (min(told), max(told)) if told else None
