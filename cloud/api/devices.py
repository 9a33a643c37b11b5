"""Devices with their live values, history and events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from psycopg.rows import DictRow

from cloud.api.services import Given, SignedIn, now
from cloud.api.text import Text
from cloud.identity.people import Who
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.storage.views import place_json, stamp
from protocols.catalog import DEVICE_TYPES
from protocols.errors import RefusedError

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])

Json = dict[str, Any]
MOST: Final = 5000
LONGEST: Final = timedelta(days=400)
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


@router.get("/{device_id}/history")
def history(
    device_id: int,
    who: SignedIn,
    given: Given,
    metric: Annotated[Text, Query(max_length=1000)],
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
    points: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> Json:
    """Means of a metric over equal steps, at most `points` of them; the hour before `to` when `from` is not given."""
    begin, end = _span(since, until)
    with given.database.transaction() as tx:
        _require(tx, who, device_id)
        series = tx.one(load("devices")["series"], {"device": device_id, "metric": metric})
        if series is None:
            raise RefusedError("cloud.metric.unknown", metric=metric)
        step_s = max((end - begin).total_seconds() / points, 0.001)
        which = {"series": series["id"], "begin": begin, "end": end, "step_s": step_s}
        rows = tx.fetch(load("devices")["history"], which)
    return {"unit": series["unit"], "points": [[row["ms"], row["value"]] for row in rows]}


@router.get("/{device_id}/events")
def events(
    device_id: int, who: SignedIn, given: Given, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[Json]:
    """The newest events of a device, newest first."""
    with given.database.transaction() as tx:
        _require(tx, who, device_id)
        rows = tx.fetch(load("devices")["events"], {"device": device_id, "limit": limit})
    return [{"at": stamp(row["ts"]), "kind": row["kind"], "data": row["data"]} for row in rows]


def _require(tx: Transaction, who: Who, device_id: int) -> None:
    scope = who.require_console()
    row = tx.one(load("devices")["where"], {"id": device_id})
    if row is None or not scope.covers(row["path"]):
        raise RefusedError("cloud.device.unknown", id=device_id)


def _device(row: DictRow, place: Json | None, latest: Json) -> Json:
    shown = {key: row[key] for key in ("id", "code", "type", "name", "online")}
    gateway = {"group": row["gateway_group"], "code": row["gateway_code"], "online": row["gateway_online"]}
    kind = DEVICE_TYPES.get(row["type"] or "")
    shown["reads"] = kind is not None and kind.reads
    return shown | {"place": place, "gateway": gateway, "changed_at": stamp(row["changed_at"]), "latest": latest}


def _value(row: DictRow) -> Json:
    value: Any = row["text"] if row["text"] is not None else row["value"]
    if row["datatype"] == BOOLEAN and isinstance(value, float):
        value = value != 0
    return {"value": value, "at": stamp(row["ts"]), "unit": row["unit"], "quality": _QUALITY.get(row["quality"], "bad")}


def _span(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    try:
        end = _utc(until) if until else now()
        begin = _utc(since) if since else end - timedelta(hours=1)
    except OverflowError:  # the first or last hours of the calendar, in another time zone
        raise RefusedError("cloud.history.span", days=LONGEST.days) from None
    if not begin < end or end - begin > LONGEST:
        raise RefusedError("cloud.history.span", days=LONGEST.days)
    return begin, end


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
