"""The cloud without a broker: real ingest workers on a real database that fails where it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from psycopg import Connection, sql

from cloud.ingest.link import Broker, Heard
from cloud.ingest.run import RestoredError
from cloud.ingest.worker import IngestWorker
from cloud.storage.database import Database, Transaction
from protocols.delivery import Acknowledgement
from protocols.errors import UnavailableError
from protocols.sparkplug.actions import Publish
from protocols.sparkplug.births import OUTBOX_ACK_ALIAS
from protocols.sparkplug.payload import decode

HOST: Final = "cloud"


class Outcome(Enum):
    """How a commit ends."""

    COMMITS = "commits"
    KILLED_BEFORE = "the worker is killed before the commit"
    KILLED_AFTER = "the worker is killed between commit and answer"
    UNKNOWN_NO = "the connection breaks, nothing was committed"
    UNKNOWN_YES = "the connection breaks, it was committed"


class Killed(BaseException):
    """kill -9 of the worker that runs."""


class Poisoned(Killed):
    """By what it opened."""


class FailingDatabase(Database):
    """A transaction that begins after `passes` others ends as `outcome` says."""

    outcome = Outcome.COMMITS
    passes = 0

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """As the real one, with an end of its own."""
        outcome = self._next_outcome()
        with super().transaction() as tx:
            yield tx
            tx.flush()
            if outcome is Outcome.KILLED_BEFORE:
                raise Killed
            if outcome is Outcome.UNKNOWN_NO:
                raise UnavailableError("cloud.database.away", why="planned")
        if outcome is Outcome.KILLED_AFTER:
            raise Killed
        if outcome is Outcome.UNKNOWN_YES:
            raise UnavailableError("cloud.database.away", why="planned")

    def _next_outcome(self) -> Outcome:
        if self.passes:
            self.passes -= 1
            return Outcome.COMMITS
        outcome, self.outcome = self.outcome, Outcome.COMMITS
        return outcome


class _Wire:
    up = True

    def __init__(self, publish: Callable[[Publish], None]) -> None:
        self.publish = publish


class Worker(IngestWorker):
    """An ingest worker whose connection is `publish`, and whose thread is the caller."""

    def __init__(self, dsn: str, publish: Callable[[Publish], None], restored: Callable[[], None]) -> None:
        address = Broker(host="nowhere")
        self.database = FailingDatabase(dsn, max_size=2)
        self.database.open()
        super().__init__(
            self.database, address, HOST, lambda tx, facts, now: None, lambda kind, metric: False, on_restored=restored
        )
        self._link = _Wire(publish)  # type: ignore[assignment]
        self._connected.set()

    def bring(self, heard: Heard) -> None:
        """The broker delivers."""
        self._arrived(heard)

    def work(self) -> None:
        """One turn of its thread. Raises Killed."""
        with suppress(RestoredError):  # its thread goes on as well, and notices again
            self._turn()

    def may_work(self, now: float) -> bool:
        """Whether it does not wait for a database that was away."""
        return self._retry_at <= now

    @property
    def idle(self) -> bool:
        """Whether nothing waits for a turn."""
        return not len(self._inbox) and not self._backlog


def acknowledgement(message: Publish) -> Acknowledgement | None:
    """What an NCMD of ours acknowledges."""
    for metric in decode(message.payload).metrics:
        if metric.alias == OUTBOX_ACK_ALIAS:
            return Acknowledgement.parse(str(metric.value))
    return None


@dataclass(frozen=True, slots=True)
class Backup:
    """The rows of every table, and where the sequences stand."""

    rows: dict[str, bytes]
    sequences: dict[str, int]


class Backups:
    """Copies of everything that ingest writes, taken and put back on a connection of its own."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._tables = [str(row[0]) for row in connection.execute(_TABLES).fetchall()]

    def take(self) -> Backup:
        """Last night's backup."""
        rows = {}
        for table in self._tables:
            copying = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(table))
            with self._connection.cursor().copy(copying) as copy:
                rows[table] = b"".join(bytes(part) for part in copy)
        return Backup({table: data for table, data in rows.items() if data}, dict(self._sequences()))

    def put_back(self, backup: Backup) -> None:
        """Everything since is gone."""
        with self._connection.transaction():
            self._connection.execute("SET LOCAL session_replication_role = replica")
            for table in self._tables:
                self._connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            for table, data in backup.rows.items():
                copying = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
                with self._connection.cursor().copy(copying) as copy:
                    copy.write(data)
            for name in dict(self._sequences()):
                last = backup.sequences.get(name)
                self._connection.execute("SELECT setval(%s::regclass, %s, %s)", (name, last or 1, last is not None))

    def _sequences(self) -> list[tuple[str, int]]:
        found = self._connection.execute(
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
        )
        return [(str(name), int(last)) for name, last in found.fetchall()]


_TABLES: Final = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname <> 'schema_history'
ORDER BY c.relname
"""
