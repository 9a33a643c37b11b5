"""Many rows at once between PostgreSQL and NumPy: packed into one value on the way out, as binary COPY on the way in.

Row by row a driver spends more time on a row than the server does. A statement that packs its rows itself
(``string_agg(int4send(a) || float8send(b), '')``) gives one value that `unpacked` reads without a step per row, and
the interpreter's lock is free while the server works. Times are ms since 1970 UTC here, µs since 2000 there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg.sql import Composed

from cloud.storage.database import Transaction

EPOCH_2000_MS: Final = 946_684_800_000
"""PostgreSQL counts time from 2000-01-01 UTC, in microseconds."""

COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"

Rows = NDArray[np.void]
Statement = LiteralString | Composed


class Layout:
    """How rows of a type look on the wire; `times` are its fields that are timestamptz there."""

    def __init__(self, row: np.dtype[np.void], times: frozenset[str] = frozenset()) -> None:
        self.row = row
        self._names = tuple(row.names or ())
        self._times = times
        parts = [(name, row[name].newbyteorder(">")) for name in self._names]
        self._packed = np.dtype(parts)
        sized = [piece for name, kind in parts for piece in ((f"size of {name}", ">i4"), (name, kind))]
        self._copied = np.dtype([("fields", ">i2"), *sized])

    def unpacked(self, packed: bytes | None) -> Rows:
        """Rows that a statement packed; None is no rows."""
        wire = np.frombuffer(packed or b"", self._packed)
        rows = np.empty(len(wire), self.row)
        for name in self._names:
            rows[name] = wire[name] // 1000 + EPOCH_2000_MS if name in self._times else wire[name]
        return rows

    def packed(self, rows: Rows) -> bytes:
        """The same the other way."""
        return self._filled(rows, np.empty(len(rows), self._packed)).tobytes()

    def copied(self, rows: Rows) -> bytes:
        """Rows in PostgreSQL's binary COPY format, no field NULL."""
        wire = self._filled(rows, np.empty(len(rows), self._copied))
        wire["fields"] = len(self._names)
        for name in self._names:
            wire[f"size of {name}"] = self.row[name].itemsize
        return b"".join((COPY_HEADER, wire.tobytes(), COPY_TRAILER))

    def _filled(self, rows: Rows, wire: Rows) -> Rows:
        for name in self._names:
            wire[name] = (rows[name] - EPOCH_2000_MS) * 1000 if name in self._times else rows[name]
        return wire


def fetch(tx: Transaction, layout: Layout, sql: Statement, params: Mapping[str, Any]) -> Rows:
    """The rows of a statement that gives one value `packed`."""
    with tx.connection.cursor(binary=True) as cursor:
        row = cursor.execute(sql, params).fetchone()
    return layout.unpacked(None if row is None else row["packed"])


def copy_in(tx: Transaction, layout: Layout, sql: Statement, rows: Rows) -> None:
    """Add `rows` by a ``COPY … FROM STDIN (FORMAT BINARY)``."""
    if len(rows):
        with tx.connection.cursor() as cursor, cursor.copy(sql) as copy:
            copy.write(layout.copied(rows))
