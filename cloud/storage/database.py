"""The connection pool, and a transaction that tells the pages what it changed.

`Transaction.publish` collects stream events; they are numbered and written as the last step before the commit, under
the lock of the one row of `stream_head`. So their ids follow the order of commits, and a page that resumes after id N
has missed nothing. NOTIFY wakes the listeners: channel `stream` for pages, channel `due` for workers that claim timers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

import psycopg
from psycopg.errors import (
    DeadlockDetected,
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
    QueryCanceled,
    ReadOnlySqlTransaction,
    UndefinedTable,
)
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from cloud.storage.connection import MARGIN_S, NOTICED, STATEMENT_S, Connection, check
from cloud.storage.queries import load
from protocols.errors import UnavailableError

BOUNDS: Final = "-c timezone=UTC -c idle_in_transaction_session_timeout=30s -c lock_timeout=10s"
"""Nothing waits for ever; what takes long by its nature (schema, retention) says so itself."""
_AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    IdleInTransactionSessionTimeout,  # this process stood still for so long that the server gave it up
    ReadOnlySqlTransaction,  # the server follows another one, or follows none yet
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """Something that pages show has changed: for people with a role at `place_id` or above, or for `person_id`."""

    kind: str
    key: str
    data: Mapping[str, Any]
    place_id: int | None = None
    person_id: UUID | None = None


class Transaction:
    """An open transaction. Not thread-safe; one thread uses it from begin to commit."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._events: list[StreamEvent] = []
        self._wake_due = False

    def fetch(self, sql: LiteralString, params: Mapping[str, Any] | None = None) -> list[DictRow]:
        """All rows of a statement, as dicts."""
        return self.connection.execute(sql, params).fetchall()

    def one(self, sql: LiteralString, params: Mapping[str, Any] | None = None) -> DictRow | None:
        """The first row, or None."""
        return self.connection.execute(sql, params).fetchone()

    def execute(self, sql: LiteralString, params: Mapping[str, Any] | None = None) -> int:
        """Run a statement; the number of rows it touched."""
        return self.connection.execute(sql, params).rowcount

    def be_patient(self, seconds: float) -> None:
        """Let every statement of this transaction take `seconds`, on both sides."""
        self.connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{seconds:.0f}s",))
        self.connection.patience_s = seconds + MARGIN_S

    def be_impatient(self, milliseconds: int) -> None:
        """Wait for no lock of this transaction longer than this; then it ends with UnavailableError."""
        self.connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{milliseconds}ms",))

    def publish(self, event: StreamEvent) -> None:
        """Tell the pages, if and when this transaction commits."""
        self._events.append(event)

    def wake_due(self) -> None:
        """Wake the workers that claim `due` rows, when this transaction commits."""
        self._wake_due = True

    def flush(self) -> None:
        """Number and write what was published. Called by `Database.transaction` just before the commit."""
        if self._events:
            self.connection.execute(load("stream")["publish"], _columns(self._events))
            self._events = []
        if self._wake_due:
            self.connection.execute("NOTIFY due")
            self._wake_due = False


class Database:
    """The pool of connections to one database. Thread-safe; whoever opens it closes it."""

    def __init__(
        self, dsn: str, *, max_size: int = 12, timeout_s: float = 10.0, statement_s: float = STATEMENT_S
    ) -> None:
        """`timeout_s`: how long to wait for a connection; `statement_s`: how long a statement may take by itself."""
        self.dsn = dsn
        self.name = f"liandong-{uuid4()}"
        """What the connections of this pool, and no others, are called in `pg_stat_activity`."""
        self._timeout_s, self._statement_s = timeout_s, statement_s
        bounds = f"{BOUNDS} -c statement_timeout={statement_s:.0f}s"
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            min_size=1,
            max_size=max_size,
            timeout=timeout_s,
            max_waiting=200,
            connection_class=Connection,
            kwargs={"row_factory": dict_row, "options": bounds, "application_name": self.name, **NOTICED},
            configure=self._make_patient,
            check=check,
            open=False,
        )

    def _make_patient(self, connection: Connection) -> None:
        connection.usual_s = connection.patience_s = self._statement_s + MARGIN_S

    def open(self) -> None:
        """Begin to connect. Does not wait: the first transaction does, within its bound."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close every connection; bounded by five seconds."""
        self._pool.close(timeout=5.0)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction: commits at the end of the block, rolls back when the block raises.

        Raises UnavailableError when no connection can be had within `timeout_s`, it broke, a statement took longer than
        `BOUNDS` allow, the server takes no changes now (a standby), or the database has no schema (it was emptied under
        a service that runs).
        """
        try:
            with self._pool.connection() as connection:
                transaction = Transaction(connection)
                yield transaction
                transaction.flush()
        except (QueryCanceled, LockNotAvailable, DeadlockDetected) as error:
            raise UnavailableError("cloud.database.slow", why=str(error).strip()) from error
        except UndefinedTable as error:
            raise UnavailableError("cloud.database.no-schema", why=str(error).strip()) from error
        except _AWAY as error:
            raise UnavailableError("cloud.database.away", why=str(error).strip()) from error


def _columns(events: Sequence[StreamEvent]) -> dict[str, Any]:
    return {
        "kinds": [event.kind for event in events],
        "keys": [event.key for event in events],
        "places": [event.place_id for event in events],
        "persons": [event.person_id for event in events],
        "data": [json.dumps(event.data, ensure_ascii=False, default=str) for event in events],
    }
