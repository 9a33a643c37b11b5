"""What lies in an outbox file, read beside the program."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from edge.outbox.body import unpack
from edge.outbox.store import LANES
from protocols.delivery import MessageId
from protocols.events import Reading


def messages_in(path: Path, where: str = "true") -> dict[MessageId, tuple[int, ...]]:
    """Every message with the values of its readings, without taking it out for sending."""
    found = {}
    with closing(sqlite3.connect(path)) as file:
        query = f"SELECT b.lane, b.first, b.body, e.uuid FROM block b JOIN epoch e ON e.id = b.epoch WHERE {where}"
        for lane, first, body, epoch in file.execute(query):
            for part in unpack(body).parts():
                last = first + part.numbers - 1
                message = MessageId(epoch=uuid.UUID(epoch), lane=LANES[lane], first=first, last=last)
                found[message] = tuple(int(o.value or 0) for o in part.observations if isinstance(o, Reading))
                first = last + 1
    return found
