"""What the command centre shows and does: overview, places, alarms, incidents, responders."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.services import Given, Services, SignedIn, address, now
from cloud.identity.people import Who
from cloud.loop import desk
from cloud.loop.work import working
from cloud.storage import views
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.text import Text
from protocols.errors import RefusedError

router = APIRouter(prefix="/api/v1", tags=["console"])

Json = dict[str, Any]
Action = Literal["acknowledge", "dispatch", "call-off", "false-alarm", "escalate", "close"]


class Note(BaseModel):
    """A remark for the timeline."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[Text | None, Field(max_length=2000)] = None


@router.get("/overview")
def overview(who: SignedIn, given: Given) -> Json:
    """The numbers at the top; `lag`: seconds by which this service lags behind, null while it does not."""
    scope = who.require_console()
    with given.database.transaction() as tx:
        row = tx.one(load("views")["overview"], scope.params())
        losses = tx.one(load("losses")["standing_at"], scope.params())
        lag = None if given.working().get("in_time", True) else tx.one(load("stream")["newest_lag"])
    assert row is not None
    return dict(row) | {
        "lag": lag["data"]["seconds"] if lag is not None and lag["data"]["late"] else None,
        "losses": losses,
        "open": dict.fromkeys(("P1", "P2", "P3", "P4"), 0) | (row["open"] or {}),
        "mode": "regular",
    }


@router.get("/places")
def places(who: SignedIn, given: Given) -> list[Json]:
    """The tree at and below the person's places, with what is above."""
    scope = who.require_console()
    with given.database.transaction() as tx:
        return [dict(row) for row in tx.fetch(load("places")["visible"], scope.params())]


@router.get("/grids")
def grids(who: SignedIn, given: Given) -> list[Json]:
    """The grids there."""
    scope = who.require_console()
    with given.database.transaction() as tx:
        return [dict(row) for row in tx.fetch(load("places")["grids"], scope.params())]


@router.get("/alarms")
def alarms(who: SignedIn, given: Given, queue: Literal["people", "device"] | None = None) -> list[Json]:
    """Open alarms (active or unacknowledged): severity, then unacknowledged, then age."""
    which = who.require_console().params() | {"queue": queue, "limit": views.LIST_LIMIT}
    with given.database.transaction() as tx:
        ids = [row["id"] for row in tx.fetch(load("views")["open_alarms"], which)]
        return views.alarms(tx, given.places, ids)


@router.post("/alarms/{alarm_id}/acknowledge")
def acknowledge(alarm_id: int, who: SignedIn, request: Request, given: Given) -> Json:
    """Somebody has seen it."""
    with working(given.database, given.places, now(), who.id) as work:
        row = work.tx.one(load("alarms")["incident_of"], {"id": alarm_id})
        place_id = _require(work.tx, who, row, RefusedError("cloud.alarm.unknown", id=alarm_id))
        desk.acknowledge_alarm(work, alarm_id)
        _audit(work.tx, who, request, "alarm.acknowledge", alarm_id, place_id)
        return views.alarms(work.tx, given.places, [alarm_id])[0]


@router.get("/incidents")
def incidents(who: SignedIn, given: Given, open: bool = True) -> list[Json]:  # noqa: A002  # the parameter's name in the API
    """Incidents: open ones first, by severity."""
    which = who.require_console().params() | {"open": open, "limit": views.LIST_LIMIT}
    with given.database.transaction() as tx:
        ids = [row["id"] for row in tx.fetch(load("views")["open_incidents"], which)]
        return views.incidents(tx, given.places, ids)


@router.get("/incidents/{incident_id}")
def incident(incident_id: int, who: SignedIn, request: Request, given: Given) -> Json:
    """Everything about one incident."""
    with working(given.database, given.places, now(), who.id) as work:
        place_id = _case_place(work.tx, who, incident_id)
        _audit_view(work.tx, work.now, who, request, "incident.view", str(incident_id), place_id)
        return desk.detail(work, incident_id)


@router.post("/incidents/{incident_id}/notes")
def add_note(incident_id: int, given_note: Note, who: SignedIn, request: Request, given: Given) -> Json:
    """A remark in the timeline."""
    return _act(given, who, request, incident_id, "note", given_note.note)


@router.post("/incidents/{incident_id}/{action}")
def act(
    incident_id: int, action: Action, who: SignedIn, request: Request, given: Given, given_note: Note | None = None
) -> Json:
    """Acknowledge, dispatch, call off, false alarm, escalate, close."""
    return _act(given, who, request, incident_id, action, given_note.note if given_note else None)


@router.get("/responders")
def responders(who: SignedIn, request: Request, given: Given) -> list[Json]:
    """People who can be asked, with their positions while on duty. The view is logged."""
    scope, moment = who.require_console(), now()
    with given.database.transaction() as tx:
        _audit_view(tx, moment, who, request, "responders.view")
        return [row for _, row in views.responder_rows(tx, scope.params(), moment)]


def _act(given: Services, who: Who, request: Request, incident_id: int, action: str, note: str | None) -> Json:
    with working(given.database, given.places, now(), who.id) as work:
        place_id = _case_place(work.tx, who, incident_id)
        desk.act(work, incident_id, action, note)
        _audit(work.tx, who, request, f"incident.{action}", incident_id, place_id)
        return desk.detail(work, incident_id)


def _case_place(tx: Transaction, who: Who, incident_id: int) -> int | None:
    row = tx.one(load("incidents")["read"], {"id": incident_id})
    return _require(tx, who, row, RefusedError("cloud.incident.unknown", id=incident_id))


def _require(tx: Transaction, who: Who, row: Json | None, unknown: RefusedError) -> int | None:
    """The place of a row; what lies outside the person's places does not exist for them."""
    scope = who.require_console()
    if row is None:
        raise unknown
    place_id: int | None = row["place_id"]
    place = tx.one(load("places")["path"], {"id": place_id})
    if not scope.covers(place["path"] if place else None):
        raise unknown
    return place_id


def _audit(tx: Transaction, who: Who, request: Request, action: str, subject: int, place: int | None) -> None:
    audit.record(tx, now(), action, person=who.id, subject=str(subject), place=place, address=address(request))


def _audit_view(
    tx: Transaction,
    moment: datetime,
    who: Who,
    request: Request,
    action: str,
    subject: str | None = None,
    place: int | None = None,
) -> None:
    audit.view(tx, moment, action, person=who.id, subject=subject, place=place, address=address(request))
