"""What the person who was asked does: seen, accept, decline, on the way, on scene, done, release."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.domain.task import AssignmentState, TaskState, claim, decline, progress
from cloud.loop import case as cases
from cloud.loop.case import Case
from cloud.loop.work import Work, to_json
from cloud.notify import outbox
from cloud.storage import views
from cloud.storage.queries import load
from protocols.errors import RefusedError

_LOG: Final = logging.getLogger("liandong.cloud.loop")

Json = dict[str, Any]


def once(work: Work, action_id: UUID, act: Callable[[], Json]) -> Json:
    """The answer of `act`, which happens once per `action_id`: a repeated tap gets the first answer again.

    A repetition that arrives while the first is still under way waits for it. The assignment in an answer is shown as
    it stands at the repetition: its address is not kept with the answer.
    """
    sql = load("people")
    claimed = work.tx.execute(sql["begin_action"], {"id": action_id, "person": work.person, "now": work.now})
    if not claimed:
        row = work.tx.one(sql["action"], {"id": action_id})
        if row is None or row["person_id"] != work.person:
            raise RefusedError("cloud.action-id.foreign")
        return _whole(work, row["answer"])
    answer = act()
    work.tx.execute(sql["end_action"], {"id": action_id, "answer": to_json(answer)})
    return _whole(work, answer)


def seen(work: Work, offer_id: UUID) -> None:
    """The offer was on the person's screen."""
    case, _ = _take(work, offer_id)
    if work.tx.fetch(load("offers")["seen"], {"id": offer_id, "now": work.now}):
        outbox.reach(work.tx, f"offer/{offer_id}", "read", work.now)
        work.note(case.id, "offer-seen", offer=offer_id)


def accept(work: Work, offer_id: UUID) -> Json:
    """Claim the task: `{"result": "assigned" | "taken" | "over"}`, with the id of the assignment; second is no error.

    Raises RefusedError (`cloud.offer.busy`) when the person has another task under way.
    """
    case, offer = _take(work, offer_id)
    task = cases.newest_task(work, case)
    assert task is not None
    tally = work.tx.one(load("offers")["tally"], {"task": offer["task_id"]})
    assert tally is not None
    state: TaskState = task["state"] if task["id"] == offer["task_id"] else "cancelled"
    filled = tally["under_way"] + tally["done"]
    result, answered = claim(state, offer["state"], filled=filled, wanted=task["wanted"])
    if answered != offer["state"]:
        if result == "assigned":
            _assign(work, case, offer)
        _answer(work, offer_id, answered)
        work.note(case.id, "accepted" if result == "assigned" else "accepted-late", offer=offer_id)
        cases.settle(work, case)
    if result != "assigned":
        return {"result": result}
    return {"result": result, "assignment": offer_id}


def decline_offer(work: Work, offer_id: UUID) -> Json:
    """The person cannot come."""
    case, offer = _take(work, offer_id)
    state = decline(offer["state"])
    if state != offer["state"]:
        _answer(work, offer_id, state)
        work.note(case.id, "declined", offer=offer_id)
    return {"result": "declined"}


def step(work: Work, offer_id: UUID, to: AssignmentState, note: str | None) -> Json:
    """A tap on the way: the assignment's next state. Raises RefusedError when it ended otherwise."""
    case, _ = _take(work, offer_id)
    row = _row(work, offer_id)
    state = progress(row["state"], to)
    if state != row["state"] or note:
        _progress(work, case, row, state, note)
        if state == "released":
            _answer(work, offer_id, "declined")
        elif state != row["state"] and state in ("on-the-way", "on-scene"):
            cases.move(work, case, "handle")
        cases.settle(work, case)
    return {"assignment": offer_id}


def release_silent(work: Work, offer_id: UUID) -> None:
    """Accepted, and no further tap for too long: the task is offered again; the person may still come back to it."""
    case, _ = _take(work, offer_id, anybody=True)
    row = work.tx.one(load("offers")["assignment"], {"offer": offer_id})
    if row is None or row["state"] != "accepted":
        return
    if work.now < row["accepted_at"] + timedelta(seconds=case.policy.no_movement_s):
        return
    _progress(work, case, row, "released", None, kind="no-movement")
    work.tx.execute(load("offers")["answer"], {"id": offer_id, "state": "expired", "now": work.now})
    work.touched.offers.add(offer_id)
    cases.settle(work, case)


def _take(work: Work, offer_id: UUID, *, anybody: bool = False) -> tuple[Case, DictRow]:
    """The locked case of an offer, and the offer; only to whom it was made."""
    sql = load("offers")
    found = work.tx.one(sql["case_of"], {"id": offer_id})
    if found is None or not (anybody or found["person_id"] == work.person):
        raise RefusedError("cloud.offer.unknown")
    case = cases.lock(work, found["incident_id"])
    offer = work.tx.one(sql["offer"], {"id": offer_id})
    assert offer is not None
    return case, offer


def _assign(work: Work, case: Case, offer: DictRow) -> None:
    sql, person = load("offers"), offer["person_id"]
    work.tx.one(load("people")["lock_responder"], {"person": person})
    busy = work.tx.one(sql["busy"], {"person": person, "task": offer["task_id"]})
    if busy is not None and busy["busy"]:
        raise RefusedError("cloud.offer.busy")
    ids = {"offer": offer["id"], "task": offer["task_id"], "person": person, "now": work.now}
    work.tx.execute(sql["assign"], ids)
    until = work.now + timedelta(seconds=case.policy.no_movement_s)
    work.timer("assignment.no-movement", f"{offer['id']}/{work.now.timestamp():.3f}", until)
    work.touched.assignments.add(offer["id"])


def _answer(work: Work, offer_id: UUID, state: str) -> None:
    work.tx.execute(load("offers")["answer"], {"id": offer_id, "state": state, "now": work.now})
    outbox.reach(work.tx, f"offer/{offer_id}", "answered", work.now)
    work.touched.offers.add(offer_id)
    if work.person is not None:
        work.touched.responders.add(work.person)


def _progress(
    work: Work, case: Case, row: DictRow, state: AssignmentState, note: str | None, kind: str | None = None
) -> None:
    change = {"offer": row["offer_id"], "state": state, "note": note, "now": work.now}
    work.tx.execute(load("offers")["progress"], change)
    _LOG.info("assignment-moved incident=%d person=%s state=%s", case.id, row["person_id"], kind or state)
    work.note(case.id, kind or state, offer=row["offer_id"], note=note, of=row["person_id"])
    work.touched.assignments.add(row["offer_id"])
    work.touched.responders.add(row["person_id"])


def _row(work: Work, offer_id: UUID) -> DictRow:
    row = work.tx.one(load("offers")["assignment"], {"offer": offer_id})
    if row is None:
        raise RefusedError("cloud.assignment.unknown")
    return row


def _whole(work: Work, answer: Json) -> Json:
    """An answer with its assignment, of which only the id is kept."""
    if "assignment" not in answer:
        return answer
    found = views.assignments(work.tx, work.places, [UUID(str(answer["assignment"]))])
    return answer | {"assignment": found[0][1] if found else None}
