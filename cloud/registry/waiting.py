"""Devices that gateways hear and no configuration names: listed, and approved by a version that names them.

Every function runs in the caller's transaction. Times are aware UTC datetimes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow

from cloud.registry import configurations
from cloud.registry.heard import Events, heard
from cloud.storage.database import StreamEvent, Transaction
from cloud.storage.queries import load
from cloud.storage.views import stamp
from protocols import approval, configuration
from protocols.catalog import DEVICE_TYPES
from protocols.errors import RefusedError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Somebody approves the device at `address`. `device`: `id` and `type`; `id`: of the version that names it."""

    driver: str
    address: str
    device: Mapping[str, str]
    id: UUID


def take_told(tx: Transaction, events: Events, received_ms: int) -> None:
    """What gateways say of devices that wait."""
    now = datetime.fromtimestamp(received_ms / 1000, UTC)
    for gateway, told in heard(tx, events, approval.told):
        which: Json = {"gateway": gateway, "driver": told.driver, "address": told.address}
        if told.over:
            tx.execute(load("waiting")["over"], which)
        else:
            words = {"family": told.family, "name": told.name, "model": told.model, "type": told.type}
            more = {"settings": json.dumps(told.settings), "now": now, "most": approval.MOST}
            tx.execute(load("waiting")["heard"], which | words | more)
        _publish(tx, which)


def listed(tx: Transaction, gateway: int) -> list[Json]:
    """Who waits at a gateway, the longest first."""
    rows = tx.fetch(load("waiting")["listed"], {"gateway": gateway})
    keys = ("driver", "address", "family", "name", "model", "type")
    return [{key: row[key] for key in keys} | {"since": stamp(row["since"])} for row in rows]


def approve(tx: Transaction, gateway: DictRow, wish: Wish, *, person: UUID, now: datetime) -> bool:
    """Let the gateway try what it runs now with this device in it; False when that was wished before.

    Raises RefusedError for a device that does not wait, a type that nobody knows, a gateway whose configuration is not
    known, and while another version is on trial.
    """
    if wish.device["type"] not in DEVICE_TYPES:
        raise RefusedError("cloud.waiting.type", type=wish.device["type"], known=", ".join(DEVICE_TYPES))
    which = {"gateway": gateway["id"], "driver": wish.driver, "address": wish.address}
    row = tx.one(load("waiting")["one"], which)
    text = configurations.running(tx, gateway["id"])
    if row is None:
        raise RefusedError("cloud.waiting.unknown", address=wish.address)
    if text is None:
        raise RefusedError("cloud.waiting.no-configuration", gateway=gateway["code"])
    # What the person said counts: the settings are words of the gateway, or of a device behind it.
    device = {**wish.device, **row["settings"], **wish.device}
    made = configuration.to_toml(approval.approved(configuration.parse(text), wish.driver, device))
    return configurations.want(tx, gateway, wish.id, made, hold_s=configuration.HOLD_S, person=person, now=now)


def _publish(tx: Transaction, which: Json) -> None:
    """Pages that show this gateway ask for it again."""
    row = tx.one(load("configurations")["where"], which)
    assert row is not None
    key = f"{row['group_code']}/{row['code']}"
    data = {"group": row["group_code"], "code": row["code"]}
    tx.publish(StreamEvent(kind="waiting", key=key, data=data, place_id=row["place_id"]))
