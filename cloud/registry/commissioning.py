"""What gateways say about where their devices hang and about walk tests, taken as it arrives.

Nothing is decided here: rows are written and a timer is set, so that ingest holds no lock that a person's work needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.storage.timers import set_timer
from protocols import commissioning
from protocols.catalog import DEVICE_TYPES
from protocols.commissioning import Asked, Placed
from protocols.events import Event

TAKE: Final = "placing.take"
END: Final = "walk-test.end"
ASKED_FOR: Final = timedelta(seconds=commissioning.ASKED_S)


def take_told(tx: Transaction, events: Iterable[tuple[int | None, Event]], received_ms: int) -> None:
    """Events of devices (where they hang) and of gateways by their own device rows (walk tests)."""
    now = datetime.fromtimestamp(received_ms / 1000, UTC)
    placed: dict[int, Placed] = {}
    for device, event in events:
        said = commissioning.told(event.kind, event.data)
        if device is None or said is None:
            continue
        if not isinstance(said, Placed):
            _take_walk_test(tx, device, said, now)
        elif said.type in DEVICE_TYPES and (device not in placed or placed[device].version < said.version):
            placed[device] = said
    for device in sorted(placed):
        row = placed[device]
        told = {"device": device, "version": row.version, "type": row.type, "place": row.place, "name": row.name}
        if tx.execute(load("placings")["told"], told | {"now": now}):
            set_timer(tx, TAKE, device, now)


def _take_walk_test(tx: Transaction, device: int, said: Any, now: datetime) -> None:
    row = tx.one(load("configurations")["gateway_of"], {"device": device})
    if row is None:
        return
    sql, which = load("walktests"), {"gateway": row["gateway_id"]}
    if isinstance(said, Asked):
        new = which | {"id": said.id, "minutes": said.minutes, "now": now}
        if tx.execute(sql["ask"], new):
            set_timer(tx, END, said.id, now + ASKED_FOR)
        return
    found = tx.one(sql["by_id"], {"id": said.id})
    if found is not None and found["gateway_id"] == row["gateway_id"]:
        set_timer(tx, END, f"{said.id}/stop", now)
