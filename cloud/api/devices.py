"""Devices with their live values and events."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from psycopg.rows import DictRow

from cloud.api.history import require_device
from cloud.api.services import Given, SignedIn
from cloud.registry import outputs
from cloud.storage.queries import load
from cloud.storage.views import place_json, stamp
from protocols.catalog import DEVICE_TYPES

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])

Json = dict[str, Any]
MOST: Final = 5000
BOOLEAN: Final = 11
"""Sparkplug data type (specification 3.0.0, section 6.4.16)."""
_QUALITY: Final = {192: "good", 64: "uncertain"}


@router.get("")
def devices(who: SignedIn, given: Given) -> list[Json]:
    """Devices at the person's places, with their newest values."""
    scope = who.require_console()
    with given.database.transaction() as tx:
        rows = tx.fetch(load("devices")["devices"], scope.params() | {"limit": MOST})
        latest: dict[int, Json] = {row["id"]: {} for row in rows}
        for value in tx.fetch(load("devices")["latest"], {"ids": list(latest)}):
            latest[value["device_id"]][value["metric"]] = _value(value)
        given.places.prepare(tx, (row["place_id"] for row in rows))
        return [_device(row, place_json(given.places.line(tx, row["place_id"])), latest[row["id"]]) for row in rows]


@router.get("/{device_id}/events")
def events(
    device_id: int, who: SignedIn, given: Given, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[Json]:
    """The newest events of a device, newest first."""
    with given.database.transaction() as tx:
        require_device(tx, who, device_id)
        rows = tx.fetch(load("devices")["events"], {"device": device_id, "limit": limit})
    return [{"at": stamp(row["ts"]), "kind": row["kind"], "data": row["data"]} for row in rows]


def _device(row: DictRow, place: Json | None, latest: Json) -> Json:
    shown = {key: row[key] for key in ("id", "code", "type", "name", "online")}
    gateway = {"group": row["gateway_group"], "code": row["gateway_code"], "online": row["gateway_online"]}
    kind = DEVICE_TYPES.get(row["type"] or "")
    shown["reads"] = kind is not None and kind.reads
    shown["outputs"] = outputs.shown(row["type"], latest)
    return shown | {"place": place, "gateway": gateway, "changed_at": stamp(row["changed_at"]), "latest": latest}


def _value(row: DictRow) -> Json:
    value: Any = row["text"] if row["text"] is not None else row["value"]
    if row["datatype"] == BOOLEAN and isinstance(value, float):
        value = value != 0
    return {"value": value, "at": stamp(row["ts"]), "unit": row["unit"], "quality": _QUALITY.get(row["quality"], "bad")}
