"""The past of devices: charts, tables, and the newest values of many at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from psycopg.rows import DictRow

from cloud.api.services import Given, Services, SignedIn, now
from cloud.history.figures import Figures
from cloud.identity.people import Who
from cloud.storage.chart import Chart, chart, columns, table
from cloud.storage.database import Transaction
from cloud.storage.history import Past
from cloud.storage.kinds import Kind, kind_of
from cloud.storage.queries import load
from cloud.storage.rollups import Level
from cloud.text import Text
from protocols.errors import RefusedError

router = APIRouter(prefix="/api/v1", tags=["history"])

Json = dict[str, Any]
LONGEST: Final = timedelta(days=3660)
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9998, 1, 1, tzinfo=UTC)
"""No reading lies outside; beyond, calendars end and midnights cannot be counted."""
MOST_LATEST: Final = 50_000
LEVELS: Final[Mapping[str, Level]] = {"minute": Level.MINUTE, "hour": Level.HOUR, "day": Level.DAY}
Metric = Annotated[Text, Query(max_length=1000)]
Since = Annotated[datetime | None, Query(alias="from")]
Until = Annotated[datetime | None, Query(alias="to")]


@router.get("/devices/{device_id}/history")
def history(
    device_id: int,
    who: SignedIn,
    given: Given,
    metric: Metric,
    since: Since = None,
    until: Until = None,
    width: Annotated[int, Query(ge=10, le=4000)] = 600,
) -> Json:
    """A chart of a metric for `width` pixels; the hour before `to` when `from` is not given.

    Columns `ms`, `value` (null: a gap), and where stretches are shown `low` and `high`, of a counter `increase`.
    """
    begin, end = span(since, until)
    with given.database.transaction() as tx:
        past, kind, series = _open(tx, who, given, device_id, metric)
        found = chart(past, kind, _ms(begin), _ms(end), width)
    return {"unit": series["unit"], "kind": kind, "step": found.step, "step_ms": found.step_ms} | _points(found)


@router.get("/devices/{device_id}/table")
def figures(
    device_id: int,
    who: SignedIn,
    given: Given,
    metric: Metric,
    step: Literal["minute", "hour", "day"] = "day",
    since: Since = None,
    until: Until = None,
) -> Json:
    """Figures of every minute, hour or day (of the street's time zone), as columns."""
    begin, end = span(since, until, timedelta(days=30))
    with given.database.transaction() as tx:
        past, kind, series = _open(tx, who, given, device_id, metric)
        found = table(past, kind, LEVELS[step], _ms(begin), _ms(end))
    return {"unit": series["unit"], "kind": kind, "step": step, "time_zone": given.time_zone} | _rows(found, kind)


@router.get("/latest")
def latest(who: SignedIn, given: Given, metric: Annotated[Text | None, Query(max_length=1000)] = None) -> Response:
    """The newest values at the person's places, of one metric or of all, series in the order in which they were born.

    Columns `device_id`, `metric`, `unit`, `ms`, `value`, `text`, `quality` (OPC); the database writes the JSON.
    """
    scope = who.require_console()
    with given.database.transaction() as tx:
        tx.execute(load("history")["bounds"])
        row = tx.one(load("history")["latest"], scope.params() | {"metric": metric, "most": MOST_LATEST})
    assert row is not None
    return Response(row["found"], media_type="application/json")


def span(
    since: datetime | None, until: datetime | None, usual: timedelta = timedelta(hours=1)
) -> tuple[datetime, datetime]:
    """What a request asks for, in UTC. Raises RefusedError."""
    try:
        end = _utc(until) if until else now()
        begin = _utc(since) if since else end - usual
    except OverflowError:  # the first or last hours of the calendar, in another time zone
        raise RefusedError("cloud.history.span", days=LONGEST.days) from None
    if not EARLIEST <= begin < end <= LAST or end - begin > LONGEST:
        raise RefusedError("cloud.history.span", days=LONGEST.days)
    return begin, end


def require_device(tx: Transaction, who: Who, device_id: int) -> DictRow:
    """The row of a device that this person may see. Raises RefusedError."""
    scope = who.require_console()
    row = tx.one(load("devices")["where"], {"id": device_id})
    if row is None or not scope.covers(row["path"]):
        raise RefusedError("cloud.device.unknown", id=device_id)
    return row


def _open(tx: Transaction, who: Who, given: Services, device_id: int, metric: str) -> tuple[Past, Kind, DictRow]:
    require_device(tx, who, device_id)
    tx.execute(load("history")["bounds"])
    series = tx.one(load("devices")["series"], {"device": device_id, "metric": metric})
    if series is None:
        raise RefusedError("cloud.metric.unknown", metric=metric)
    kind = kind_of(metric, series["datatype"], series["type"])
    return Past(tx=tx, series=series["id"], zone=ZoneInfo(given.time_zone), now=now()), kind, series


def _points(found: Chart) -> Json:
    told: Json = {"ms": found.ms.tolist(), "value": columns(found.value)}
    for name in ("low", "high", "increase"):
        values = getattr(found, name)
        if values is not None:
            told[name] = columns(values)
    return told


def _rows(found: Figures, kind: Kind) -> Json:
    names = ["mean", "low", "high", "first", "last", "weighted", *(["increase"] if kind is Kind.COUNTER else [])]
    counted = {"count": found.count.tolist(), "held_s": (found.held // 1000).tolist()}
    return {"ms": found.begins.tolist()} | counted | {name: columns(getattr(found, name)) for name in names}


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
