"""Careful mode: after a worker was killed, what may have killed it is opened alone, under a mark that outlives it.

Suspect is what was on its way when a worker died, and comes again: the next messages of every node, as many as a node
can have on its way; once two workers have died within ten minutes also the first birth of every node and device. A mark
is written before a suspect is opened and taken back when the worker survives it, whatever became of it. What has killed
two workers under its mark goes to the poison store unopened.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from cloud.ingest.run import Run
from cloud.ingest.work import Group, Message
from cloud.storage.database import Database
from cloud.storage.queries import load
from protocols.delivery.window import MOST_MESSAGES
from protocols.sparkplug.host import NodeKey

_LOG: Final = logging.getLogger("liandong.cloud.ingest")
KILLED: Final = "cloud.ingest.killed"
MOST_TRIES: Final = 2
LASTS: Final = timedelta(minutes=10)
"""How long after a death workers are careful."""


class Careful:
    """What this worker opens alone. One thread."""

    def __init__(self, database: Database, run: Run) -> None:
        self._database = database
        self._run = run
        self._deaths = 0
        self._opened: dict[NodeKey, int] = {}
        self._births: set[str] = set()
        self._owed: list[str] = []

    @property
    def on(self) -> bool:
        """Whether a worker has died lately."""
        return self._deaths > 0

    def look(self) -> None:
        """Whether anybody has died, or enough time has passed since. Raises UnavailableError."""
        with self._database.transaction() as tx:
            deaths = self._run.deaths(tx, LASTS)
        if deaths > self._deaths:
            _LOG.warning("careful-mode deaths=%d; what comes again is opened one by one", deaths)
            self._opened.clear()
            self._births.clear()
        elif self._deaths and not deaths:
            _LOG.info("careful-mode-over")
        self._deaths = deaths

    def parts(self, group: Group) -> Iterator[tuple[Group, str | None]]:
        """The group as it is to be stored: what is beyond suspicion together, each suspect alone under its name."""
        if not self.on:
            yield group, None
            return
        if group.turns or group.unread:
            yield Group(turns=group.turns, unread=group.unread), None
        rest = Group()
        for message in group.messages:
            name = self._suspect(message)
            if name is None:
                rest.messages.append(message)
            else:
                yield Group(messages=[message]), name
        if rest:
            yield rest, None

    def suspects_birth(self, topic: str) -> bool:
        """Whether a birth on this topic is to be opened alone; asked once per birth."""
        if self._deaths < MOST_TRIES or topic in self._births:
            return False
        self._births.add(topic)
        return True

    def attempt(self, name: str) -> bool:
        """Mark what is to be opened now; False: it killed two workers, leave it closed. Raises UnavailableError."""
        sql, which = load("runs"), {"message": name}
        with self._database.transaction() as tx:
            tx.execute(sql["quickly"])
            if self._owed:
                tx.execute(sql["survived"], {"messages": self._owed})
            row = tx.one(sql["tries"], which)
            harmless = row is None or row["tries"] < MOST_TRIES
            if harmless:
                tx.execute(sql["attempt"], which)
        self._owed = [name] if harmless else []
        return harmless

    def rest(self) -> None:
        """Take back the last mark, when nothing else is opened that would do it. Raises UnavailableError."""
        if self._owed:
            with self._database.transaction() as tx:
                tx.execute(load("runs")["survived"], {"messages": self._owed})
            self._owed = []

    def _suspect(self, message: Message) -> str | None:
        """The name of a suspect; None for what is none, and for what has no name to be known by when it comes again."""
        node = message.session.node
        opened = self._opened.get(node, 0)
        if message.id is None or opened >= MOST_MESSAGES:
            return None
        self._opened[node] = opened + 1
        return str(message.id)
