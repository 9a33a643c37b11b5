"""The live stream: what was committed goes to every page that may see it, in order, none left out.

The listener's thread reads new rows; the event loop hands them to clients. A client that does not keep up is cut: its
page reconnects with the last id it has and misses nothing.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.storage.connection import Connection
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.storage.scope import Scope

BATCH: Final = 500
QUEUE: Final = 1000
CLIENTS: Final = 2000
PER_PERSON: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """One stream event, ready to be sent. `path` is where it is, `person` to whom alone it goes."""

    id: int
    path: str | None
    person: UUID | None
    text: bytes


@dataclass(slots=True, eq=False)
class Client:
    """A page that listens. `cut`: it was too slow, or the service stops."""

    person: UUID
    scope: Scope
    queue: asyncio.Queue[Live | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    cut: bool = False

    def may_see(self, live: Live) -> bool:
        """To this person alone, or where they hold a role of the console."""
        if live.person is not None:
            return live.person == self.person
        return bool(self.scope.paths) and self.scope.covers(live.path)


class Hub:
    """Clients belong to the event loop; `heard` runs in the listener's thread."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self._last: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on events are handed to clients of this loop."""
        self._loop = loop

    def close(self) -> None:
        """Let every stream end. In the loop's thread."""
        self._closed = True
        self._cut_all()

    def heard(self, connection: Connection) -> None:
        """Read what is new and hand it to the loop. Begins with what is committed after the first call."""
        sql = load("live")["after"]
        if self._last is None:
            head = connection.execute(load("stream")["bounds"]).fetchone()
            self._last = head["newest"] if head else 0
            return
        while rows := connection.execute(sql, {"after": self._last, "limit": BATCH}).fetchall():
            batch = [live(row) for row in rows]
            self._last = batch[-1].id
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._give, batch)
        head = connection.execute(load("stream")["bounds"]).fetchone()
        if head is not None and head["newest"] < self._last:  # the database was restored: its numbers begin anew
            self._last = head["newest"]
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._cut_all)

    @property
    def clients(self) -> int:
        """How many pages listen."""
        return len(self._clients)

    def room(self, person: UUID) -> bool:
        """Whether one more page of this person can listen: nobody alone can take all the room."""
        if self._closed or len(self._clients) >= CLIENTS:
            return False
        return sum(client.person == person for client in self._clients) < PER_PERSON

    def join(self, client: Client) -> bool:
        """Listen from now on; False when there is no room, or the service stops."""
        if not self.room(client.person):
            return False
        self._clients.add(client)
        return True

    def leave(self, client: Client) -> None:
        """Listen no more."""
        self._clients.discard(client)

    def _give(self, batch: list[Live]) -> None:
        for client in list(self._clients):
            for event in batch:
                if client.may_see(event):
                    try:
                        client.queue.put_nowait(event)
                    except asyncio.QueueFull:
                        self._cut(client)
                        break

    def _cut_all(self) -> None:
        for client in list(self._clients):
            self._cut(client)

    def _cut(self, client: Client) -> None:
        client.cut = True
        self._clients.discard(client)
        while not client.queue.empty():
            client.queue.get_nowait()
        client.queue.put_nowait(None)


def live(row: DictRow) -> Live:
    """A row of stream_event."""
    text = sse(row["kind"], row["data"], row["id"])
    return Live(id=row["id"], path=row["path"], person=row["person_id"], text=text)


def sse(kind: str, data: Any, number: int | None = None) -> bytes:
    """One server-sent event (WHATWG HTML, section 9.2)."""
    head = f"id: {number}\n" if number is not None else ""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{head}event: {kind}\ndata: {body}\n\n".encode()


def replay(tx: Transaction, client: Client, after: int) -> list[Live]:
    """The next events after an id that may concern `client`.

    Of what is the person's alone only the newest state is told: an address that a phone may no longer show does not
    come back with an old event.
    """
    which = {"after": after, "limit": BATCH, "person": client.person, "console": bool(client.scope.paths)}
    return [live(row) for row in tx.fetch(load("live")["replay"], which)]
