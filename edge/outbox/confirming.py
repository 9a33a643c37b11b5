"""What becomes of stored blocks by what the cloud says: confirmed, waiting again, or deleted as unreadable."""

from __future__ import annotations

from typing import Final

from edge.outbox.database import transaction
from edge.outbox.holdings import Numbers, key, place
from edge.outbox.opening import Opening
from edge.outbox.statements import statements
from protocols.delivery import Lane, MessageId, NumberSet

_SQL: Final = statements("edge.outbox", "statements.sql")


class Confirming:
    """Changes blocks of one opening. Called with the lock of the writing connection held; raises sqlite3.Error."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    def confirm(self, epoch: int, lane: Lane, numbers: Numbers) -> bool:
        """Confirm the blocks that the cloud has as a whole; whether there were any."""
        found: list[tuple[int, int, int, int]] = []
        done = numbers.waiting & (numbers.has | numbers.dropped)
        if done:
            with transaction(self._opening.write, durable=False):
                for low, high in done.ranges:
                    query = {"low": key(epoch, lane, low), "high": key(epoch, lane, high), "last": high}
                    found += self._opening.write.execute(_SQL["confirm"], query).fetchall()
        numbers.waiting -= NumberSet((first, last) for _, _, first, last in found)
        for messages, size, _, _ in found:
            self._opening.holdings.totals.confirm(lane, messages, size)
        return bool(found)

    def requeue(self, epoch: int, lane: Lane, numbers: Numbers, again: NumberSet) -> None:
        """Let the blocks wait again of which the cloud lacks anything."""
        found: list[tuple[int, int, int, int]] = []
        if again:
            with transaction(self._opening.write, durable=False):
                for low, high in again.ranges:
                    query = {"low": key(epoch, lane, low), "high": key(epoch, lane, high), "first": low}
                    query["lowest"] = key(epoch, lane, 1)
                    found += self._opening.write.execute(_SQL["requeue"], query).fetchall()
        numbers.waiting |= NumberSet((first, last) for _, _, first, last in found)
        for messages, size, _, _ in found:
            self._opening.holdings.totals.confirm(lane, messages, size, sign=-1)

    def drop(self, epoch: int, message: MessageId, numbers: Numbers, gone: NumberSet) -> None:
        """Within a transaction: delete a message, and its block once nothing of it can be read."""
        query = {"id": key(epoch, message.lane, message.first), "lowest": key(epoch, message.lane, 1)}
        rows = self._opening.write.execute(_SQL["holding"], query | {"number": message.first}).fetchall()
        for block, last, acknowledged, messages, size, dropped in rows:
            whole = NumberSet([(place(block)[2], last)])
            parts = gone if dropped is None else gone | NumberSet.parse(dropped)
            if whole - parts:
                self._opening.write.execute(_SQL["drop_part"], {"id": block, "dropped": str(parts & whole)})
                continue
            self._opening.write.execute(_SQL["delete"], {"id": block})
            numbers.remove(whole)
            self._opening.holdings.totals.remove(message.lane, messages, size, acknowledged=bool(acknowledged))
