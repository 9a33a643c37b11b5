"""An incident with its task, offers and assignments. Its row is the one lock: `lock` comes first in every change."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.domain import incident as loop
from cloud.domain.policy import Policy
from cloud.domain.task import TaskState, after_assignments
from cloud.loop.work import Work, to_json
from cloud.storage.queries import load
from protocols.errors import RefusedError

_LOG: Final = logging.getLogger("liandong.cloud.loop")


@dataclass(slots=True, kw_only=True)
class Case:
    """A locked incident. `policy` is the one that was in force when it opened."""

    id: int
    kind: str
    severity: str
    response: str
    place_id: int | None
    state: loop.State
    policy: Policy
    opened_at: Any


def lock(work: Work, incident_id: int) -> Case:
    """Take the incident for the rest of the transaction. Raises RefusedError (`cloud.incident.unknown`)."""
    row = work.tx.one(load("incidents")["lock"], {"id": incident_id})
    if row is None:
        raise RefusedError("cloud.incident.unknown", id=incident_id)
    work.touched.incidents.add(incident_id)
    return Case(**fields(row))


def fields(row: DictRow) -> dict[str, Any]:
    """A row of incident as the fields of `Case`."""
    kept = {key: row[key] for key in ("id", "kind", "severity", "response", "place_id", "state", "opened_at")}
    return kept | {"policy": Policy.model_validate(row["policy"])}


def move(work: Work, case: Case, step: loop.Step, outcome: str | None = None) -> None:
    """Take a step of the loop; the timeline says so when the state changes."""
    state = loop.move(case.state, step)
    if state == case.state:
        return
    before, case.state = case.state, state
    closed_at = None if state in loop.OPEN else work.now
    where = {"id": case.id, "state": state, "closed_at": closed_at, "outcome": outcome}
    work.tx.execute(load("incidents")["move"], where)
    _LOG.info("incident-moved incident=%d kind=%s from=%s to=%s outcome=%s", case.id, case.kind, before, state, outcome)
    work.note(case.id, "moved", **{"from": before, "to": state, "outcome": outcome})


def newest_task(work: Work, case: Case) -> DictRow | None:
    """The task of the case that counts."""
    return work.tx.one(load("incidents")["task"], {"incident": case.id})


def open_task(work: Work, case: Case) -> int:
    """Seek people for the case: a new task, whose first wave is due now. Its id."""
    new = {"incident": case.id, "kind": case.policy.task, "wanted": case.policy.wanted, "now": work.now}
    row = work.tx.one(load("incidents")["insert_task"], new)
    assert row is not None
    task_id: int = row["id"]
    work.timer("dispatch.wave", f"{task_id}/1", work.now)
    return task_id


def settle(work: Work, case: Case) -> None:
    """Let task and incident follow from how the assignments stand now."""
    task = newest_task(work, case)
    if task is None:
        return
    tally = work.tx.one(load("offers")["tally"], {"task": task["id"]})
    assert tally is not None
    state = after_assignments(task["state"], under_way=tally["under_way"], done=tally["done"], wanted=task["wanted"])
    if state == task["state"]:
        return
    _move_task(work, task["id"], state)
    if state == "filled":
        withdraw(work, case, task["id"])
    elif state == "open":
        _seek_again(work, task)
    elif state == "done":
        withdraw(work, case, task["id"])
        move(work, case, "handle")
        move(work, case, "feed-back")
        close_if_over(work, case)


def withdraw(work: Work, case: Case, task_id: int) -> None:
    """Tell everyone who has not answered that they can stand down."""
    rows = work.tx.fetch(load("offers")["withdraw"], {"task": task_id, "now": work.now})
    _touch_offers(work, rows)
    if rows:
        work.note(case.id, "withdrawn", people=len(rows))


def call_off(work: Work, case: Case) -> bool:
    """End the search and the work under way; whether there was any."""
    task = newest_task(work, case)
    if task is None or task["state"] not in ("open", "filled"):
        return False
    _move_task(work, task["id"], "cancelled")
    withdraw(work, case, task["id"])
    for row in work.tx.fetch(load("offers")["release_all"], {"task": task["id"], "now": work.now}):
        work.touched.assignments.add(row["offer_id"])
        work.touched.responders.add(row["person_id"])
    return True


def end(work: Work, case: Case, step: loop.Step, outcome: str) -> None:
    """Close or void: nobody is sought any more, and every alarm of the case counts as seen.

    What only a person clears (an SOS call) is cleared. A condition that still holds stays an active alarm until it is
    gone: a detector that goes on telling of smoke is not out of sight because somebody closed its incident.
    """
    call_off(work, case)
    reason = to_json({"incident": outcome})
    which = {"incident": case.id, "now": work.now, "reason": reason, "alarm": None, "person": work.person}
    for name in ("clear_ended", "acknowledge"):
        work.touched.alarms |= {row["id"] for row in work.tx.fetch(load("alarms")[name], which)}
    move(work, case, step, outcome)
    # The address goes from the phones of those who came, the building from the phones of all who were asked.
    for row in work.tx.fetch(load("views")["assignments_of"], {"incident": case.id}):
        work.touched.assignments.add(row["offer_id"])
    work.touched.offers |= {row["id"] for row in work.tx.fetch(load("views")["offers_of"], {"incident": case.id})}


def close_if_over(work: Work, case: Case) -> None:
    """Close a case by itself: all its alarms are cleared, and the work is done or its policy needs none."""
    row = work.tx.one(load("alarms")["active_count"], {"incident": case.id})
    if row is None or row["active"] or case.state not in loop.OPEN:
        return
    if case.state == "fed-back":
        end(work, case, "close", "resolved")
    elif case.severity in case.policy.closes_when_cleared:
        end(work, case, "close", "cleared-by-itself")


def _seek_again(work: Work, task: DictRow) -> None:
    """The task is open once more: those who were sent away are asked again at once, then the waves go on."""
    case_policy = {"task": task["id"], "now": work.now}
    rows = work.tx.fetch(load("offers")["ask_again"], case_policy)
    _touch_offers(work, rows)
    work.timer("dispatch.wave", f"{task['id']}/{task['wave'] + 1}", work.now)
    if rows:
        work.timer(
            "offer.expire", f"{task['id']}/again/{work.now.timestamp():.3f}", max(row["expires_at"] for row in rows)
        )


def _touch_offers(work: Work, rows: list[DictRow]) -> None:
    for row in rows:
        offer_id, person_id = row["id"], row["person_id"]
        assert isinstance(offer_id, UUID)
        work.touched.offers.add(offer_id)
        work.touched.responders.add(person_id)


def _move_task(work: Work, task_id: int, state: TaskState) -> None:
    ended_at = work.now if state in ("done", "cancelled") else None
    work.tx.execute(load("incidents")["move_task"], {"id": task_id, "state": state, "ended_at": ended_at})
