"""What waits in the file, message by message, in the order of sending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge.outbox.blocks import Block, Position
from edge.outbox.body import Body, unpack
from edge.outbox.holdings import LANES, Numbers, key, place
from edge.outbox.opening import Opening
from edge.outbox.statements import statements
from protocols.delivery import Lane, MessageId, NumberSet
from protocols.errors import StorageError

_ROWS: Final = 4
_SQL: Final = statements("edge.outbox", "statements.sql")
_Row = tuple[int, int, str | None, bytes]


class Queue:
    """Reads under the lock of the reading connection. Of each lane the block that was read last stays unpacked."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._unpacked: dict[Lane, tuple[int, int, Body]] = {}
        self.handed = dict.fromkeys(LANES, 0)
        """Up to this number of the current epoch, blocks were handed out: as good as sent, they never change."""

    def messages(self, lane: Lane, after: Position, *, unresolved: bool) -> Iterator[Block]:
        """What the cloud lacks of `lane` behind `after`. Without `unresolved`, up to what has no time yet."""
        for epoch, numbers in self._opening.holdings.in_order(lane):
            start = after[1] + 1 if epoch == after[0] else 1
            if epoch < after[0] or not numbers.waiting:
                continue
            timeless = self._opening.times.offset_ms(epoch) is None and not unresolved
            for low, high in numbers.waiting.ranges:
                while (start := max(start, low)) <= high:
                    rows = self._waiting(epoch, lane, start, high)
                    for row in rows:
                        for block in self._of_block(epoch, lane, numbers, start, row):
                            if block.time == "unknown" and timeless:
                                return
                            if epoch == self._opening.row:
                                self.handed[lane] = max(self.handed[lane], row[1])
                            yield block
                        start = row[1] + 1
                    if not rows:
                        break

    def _waiting(self, epoch: int, lane: Lane, start: int, high: int) -> list[_Row]:
        query = {
            "start": key(epoch, lane, start),
            "lowest": key(epoch, lane, 1),
            "end": key(epoch, lane, high),
            "number": start,
            "limit": _ROWS,
        }
        return self._opening.read.execute(_SQL["waiting"], query).fetchall()

    def _of_block(self, epoch: int, lane: Lane, numbers: Numbers, start: int, row: _Row) -> Iterator[Block]:
        """The messages of a stored block from number `start` on that the cloud lacks."""
        first = place(row[0])[2]
        name = self._opening.names[epoch]
        try:
            body = self._body(lane, row)
        except StorageError as error:
            left = NumberSet([(first, row[1])]) - numbers.dropped
            identity = MessageId(epoch=name, lane=lane, first=first, last=row[1])
            if left:
                yield Block(id=identity, device="", position=(epoch, first), fault=error)
            return
        offset = self._opening.times.offset_ms(epoch)
        known = numbers.has | numbers.dropped
        for index, message in enumerate(body.messages):
            low = first + message.offset
            high = low + message.numbers - 1
            if low < start or known.contains(low, high):
                continue
            told = self._opening.times.time(epoch, lane, low, unresolved=message.unresolved)
            yield Block(
                id=MessageId(epoch=name, lane=lane, first=low, last=high),
                device=message.device,
                position=(epoch, low),
                time=told,
                offset_ms=None if told == "unknown" else offset,
                body=body,
                index=index,
            )

    def _body(self, lane: Lane, row: _Row) -> Body:
        block, last, _, packed = row
        opened = self._unpacked.get(lane)
        if opened is not None and opened[:2] == (block, last):
            return opened[2]
        body = unpack(packed)
        if body.numbers != last - place(block)[2] + 1:
            raise StorageError("edge.outbox.unreadable-block", why="numbers")
        self._unpacked[lane] = (block, last, body)
        return body
