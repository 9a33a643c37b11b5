"""The phone of a volunteer or grid worker: what is asked of me, what I do about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.services import Given, SignedIn, address, now
from cloud.domain.task import AssignmentState
from cloud.identity.people import Who
from cloud.loop import offers
from cloud.loop.work import Work, working
from cloud.storage import views
from cloud.storage.queries import load
from cloud.text import Text

router = APIRouter(prefix="/api/v1", tags=["phone"])

Json = dict[str, Any]
STEPS: Final[dict[str, AssignmentState]] = {
    "on-the-way": "on-the-way",
    "on-scene": "on-scene",
    "done": "done",
    "release": "released",
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tap(_Body):
    """An action that may arrive twice: the same id gets the same answer."""

    action_id: UUID
    note: Annotated[Text | None, Field(max_length=2000)] = None


class Duty(_Body):
    """On or off duty."""

    on_duty: bool


class Position(_Body):
    """A foreground fix, WGS-84 degrees."""

    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]


@router.get("/me")
def me(who: SignedIn, given: Given) -> Json:
    """Everything the phone page shows."""
    who.require_responder()
    with working(given.database, given.places, now(), who.id) as work:
        return _me(work, who)


@router.post("/offers/{offer_id}/seen")
def seen(offer_id: UUID, who: SignedIn, given: Given) -> Json:
    """The offer is on the screen."""
    with working(given.database, given.places, now(), who.id) as work:
        offers.seen(work, offer_id)
    return {}


@router.post("/offers/{offer_id}/accept")
def accept(offer_id: UUID, tap: Tap, who: SignedIn, request: Request, given: Given) -> Json:
    """Take the task: `assigned`, `taken` by somebody quicker, or `over`."""
    with working(given.database, given.places, now(), who.id) as work:
        answer = offers.once(work, tap.action_id, lambda: offers.accept(work, offer_id))
        _audit(work, request, "offer.accept", offer_id, result=answer["result"])
    return answer


@router.post("/offers/{offer_id}/decline")
def decline(offer_id: UUID, tap: Tap, who: SignedIn, given: Given) -> Json:
    """Cannot come."""
    with working(given.database, given.places, now(), who.id) as work:
        return offers.once(work, tap.action_id, lambda: offers.decline_offer(work, offer_id))


@router.post("/assignments/{offer_id}/{step}")
def progress(
    offer_id: UUID,
    step: Literal["on-the-way", "on-scene", "done", "release"],
    tap: Tap,
    who: SignedIn,
    request: Request,
    given: Given,
) -> Json:
    """On the way, on scene, done, or back out."""
    with working(given.database, given.places, now(), who.id) as work:
        answer = offers.once(work, tap.action_id, lambda: offers.step(work, offer_id, STEPS[step], tap.note))
        _audit(work, request, f"assignment.{step}", offer_id)
    return answer


@router.put("/me/duty")
def set_duty(duty: Duty, who: SignedIn, request: Request, given: Given) -> Json:
    """Go on or off duty; off duty no position is kept."""
    who.require_responder()
    with working(given.database, given.places, now(), who.id) as work:
        work.tx.execute(load("people")["set_duty"], {"person": who.id, "on_duty": duty.on_duty})
        work.touched.responders.add(who.id)
        _audit(work, request, "duty.on" if duty.on_duty else "duty.off", who.id)
        return _me(work, who)


@router.put("/me/position")
def set_position(position: Position, who: SignedIn, given: Given) -> Json:
    """The last foreground fix; kept only on duty."""
    who.require_responder()
    with working(given.database, given.places, now(), who.id) as work:
        fix = {"person": who.id, "lat": position.lat, "lon": position.lon, "now": work.now}
        work.tx.execute(load("people")["set_position"], fix)
        work.touched.responders.add(who.id)
    return {}


def _me(work: Work, who: Who) -> Json:
    sql, mine = load("views"), {"person": who.id, "since": work.now - views.JUST_NOW}
    offer_ids = [row["id"] for row in work.tx.fetch(sql["offers_to"], mine)]
    given = [row["offer_id"] for row in work.tx.fetch(sql["assignment_of"], mine)]
    assignments = views.assignments(work.tx, work.places, given)
    week = work.tx.one(sql["week"], {"person": who.id, "week": work.now - timedelta(days=7)})
    responder = work.tx.one(load("people")["responder"], {"person": who.id})
    assert week is not None
    return {
        "person": who.shown(),
        "responder": {"on_duty": bool(responder and responder["on_duty"])},
        "offers": [offer for _, offer in views.offers(work.tx, work.places, offer_ids)],
        "assignment": assignments[0][1] if assignments else None,
        "week": {"offers": week["offers"], "accepted": week["accepted"], "minutes": round(week["minutes"])},
        "thanks": week["thanks"],
    }


def _audit(work: Work, request: Request, action: str, subject: UUID, **detail: Any) -> None:
    audit.record(
        work.tx, work.now, action, person=work.person, subject=str(subject), address=address(request), **detail
    )
