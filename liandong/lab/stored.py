"""What the database has of what the hardware showed, in the order in which it was committed.

The commit time of a row needs ``track_commit_timestamp = on``; without it rows come in the order of transactions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

UNIQUE: Final = ("energy-total", "volume")
"""Counters that only grow: each value is there once."""
STATES: Final = ("smoke", "leak", "occupancy", "sounding")
"""States: each change is told with the time at which the device showed it."""
UNOBSERVED: Final = "access.opened-unobserved"
EVENTS: Final = ("access.granted", "access.denied", "vending.sale", "sos", "access.forced", UNOBSERVED)

Key = tuple[Any, ...]
"""What tells an observation apart: device, metric or kind, and what is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stored observation. `at_ms`: when it was observed; `committed_ms`: when it was stored; ms since 1970 UTC."""

    key: Key
    at_ms: int
    committed_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """`rows` in commit order; `gateway_of`: device → gateway; `poison`: messages set aside; `thinned`: left out.

    `set_aside`: gateways that told of a file that they could not use any more, or of messages in it, and when.
    """

    rows: Sequence[Row]
    gateway_of: dict[str, str]
    poison: int
    thinned: int
    set_aside: Sequence[tuple[str, int]] = ()


_COMMITTED: Final = "extract(epoch FROM pg_xact_commit_timestamp(r.xmin)) * 1000"
_READINGS: Final = """
SELECT d.code, s.metric, r.value, round(extract(epoch FROM r.ts) * 1000)::bigint AS at_ms, {committed} AS committed_ms
FROM reading r JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id
WHERE s.metric = ANY(%(metrics)s) AND r.value IS NOT NULL
ORDER BY {committed}, r.xmin::text::bigint, r.tableoid, r.ctid
"""
_EVENTS: Final = """
SELECT d.code, r.kind, r.data, round(extract(epoch FROM r.ts) * 1000)::bigint AS at_ms, {committed} AS committed_ms
FROM event r JOIN device d ON d.id = r.device_id WHERE r.kind = ANY(%(kinds)s)
ORDER BY {committed}, r.xmin::text::bigint, r.id
"""
_THINNED: Final = """
SELECT coalesce(sum((data ->> 'count')::bigint), 0) AS thinned FROM event
WHERE kind = 'outbox.lost' AND data ->> 'reason' = 'thinned'
"""

_SET_ASIDE: Final = """
SELECT g.code, round(extract(epoch FROM e.ts) * 1000)::bigint AS at_ms
FROM event e JOIN device d ON d.id = e.device_id JOIN gateway g ON g.id = d.gateway_id
WHERE e.kind = 'outbox.set-aside' OR (e.kind = 'outbox.lost' AND e.data ->> 'reason' = 'unreadable')
ORDER BY e.ts
"""


def read(dsn: str) -> Content:
    """Everything that is compared, as one snapshot. Raises psycopg.OperationalError when the database is away."""
    with psycopg.connect(dsn, row_factory=dict_row, connect_timeout=5) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        tracked = connection.execute("SHOW track_commit_timestamp").fetchone()
        committed = _COMMITTED if tracked and tracked["track_commit_timestamp"] == "on" else "NULL::float8"
        readings = connection.execute(
            _READINGS.format(committed=committed).encode(), {"metrics": [*UNIQUE, *STATES]}
        ).fetchall()
        events = connection.execute(_EVENTS.format(committed=committed).encode(), {"kinds": list(EVENTS)}).fetchall()
        owners = connection.execute(
            "SELECT d.code, g.code AS gateway FROM device d JOIN gateway g ON g.id = d.gateway_id"
        ).fetchall()
        poison = connection.execute("SELECT count(*) AS count FROM poison").fetchone()
        thinned = connection.execute(_THINNED).fetchone()
        aside = connection.execute(_SET_ASIDE).fetchall()
    rows = [*_rows(readings, "metric"), *_rows(events, "kind")]
    assert poison is not None
    assert thinned is not None
    return Content(
        rows=rows,
        gateway_of={row["code"]: row["gateway"] for row in owners},
        poison=poison["count"],
        thinned=int(thinned["thinned"]),
        set_aside=[(row["code"], row["at_ms"]) for row in aside],
    )


def _rows(found: Sequence[dict[str, Any]], what: str) -> Iterator[Row]:
    for row in found:
        committed = row["committed_ms"]
        key = _reading_key(row) if what == "metric" else event_key(row["code"], row["kind"], row["data"], row["at_ms"])
        yield Row(key=key, at_ms=row["at_ms"], committed_ms=None if committed is None else float(committed))


def _reading_key(row: dict[str, Any]) -> Key:
    if row["metric"] in UNIQUE:
        return (row["code"], row["metric"], round(row["value"], 6))
    return (row["code"], row["metric"], bool(row["value"]), row["at_ms"])


def event_key(device: str, kind: str, data: Mapping[str, Any], at_ms: int) -> Key:
    """What tells an event apart."""
    match kind:
        case "access.granted" | "access.denied":
            return (device, "card", data["card"])
        case "vending.sale":
            return (device, "vending.sale", data["selection"], data["counter"], data["value"])
        case "sos":
            return (device, "sos", at_ms)
        case "access.opened-unobserved":
            return (device, kind, round(data["unseen_s"] * 1000))
        case _:
            return (device, kind)
