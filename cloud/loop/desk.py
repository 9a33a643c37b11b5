"""What an operator does with alarms and incidents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloud.dispatch.ranking import Candidate
from cloud.domain.incident import OPEN
from cloud.loop import case as cases
from cloud.loop import waves
from cloud.loop.case import Case
from cloud.loop.work import Work
from cloud.storage import views
from cloud.storage.queries import load
from protocols.errors import RefusedError

Json = dict[str, Any]


def acknowledge_alarm(work: Work, alarm_id: int) -> None:
    """Somebody has seen this alarm."""
    row = work.tx.one(load("alarms")["incident_of"], {"id": alarm_id})
    if row is None:
        raise RefusedError("cloud.alarm.unknown", id=alarm_id)
    case = cases.lock(work, row["incident_id"]) if row["incident_id"] else None
    which = {"alarm": alarm_id, "incident": None, "person": work.person, "now": work.now}
    seen = work.tx.fetch(load("alarms")["acknowledge"], which)
    work.touched.alarms |= {found["id"] for found in seen}
    if case is not None and seen:
        work.note(case.id, "acknowledged", alarms=[alarm_id])


def act(work: Work, incident_id: int, action: str, note: str | None) -> None:
    """One of `ACTIONS`. Raises RefusedError when the incident is closed, or has nothing like it to do."""
    case = cases.lock(work, incident_id)
    if case.state not in OPEN and action != "note":
        raise RefusedError("cloud.incident.not-now", state=case.state, action=action)
    ACTIONS[action](work, case, note)


def detail(work: Work, incident_id: int) -> Json:
    """Everything about one incident, with who else could be asked now."""
    row = work.tx.one(load("incidents")["read"], {"id": incident_id})
    if row is None:
        raise RefusedError("cloud.incident.unknown", id=incident_id)
    case = Case(**cases.fields(row))
    found: list[Json] = []
    if case.state in OPEN:
        task = cases.newest_task(work, case)
        best = waves.candidates(work, case, task["id"] if task else None)[:20]
        which = {"persons": [candidate.person.id for candidate in best], "everywhere": True}
        known = {row["person"]["id"]: row["status"] for _, row in views.responder_rows(work.tx, which, work.now)}
        found = [_candidate(candidate, known.get(str(candidate.person.id), "free")) for candidate in best]
    whole = views.incident_detail(work.tx, work.places, incident_id, found)
    assert whole is not None
    return whole


def _candidate(candidate: Candidate, status: str) -> Json:
    person = {"id": str(candidate.person.id), "name": dict(candidate.person.name)}
    shown = {"person": person, "status": status, "score": candidate.score, "why": dict(candidate.why)}
    return shown | {"distance_m": None if candidate.distance_m is None else round(candidate.distance_m)}


def _acknowledge(work: Work, case: Case, note: str | None) -> None:
    which = {"alarm": None, "incident": case.id, "person": work.person, "now": work.now}
    seen = [row["id"] for row in work.tx.fetch(load("alarms")["acknowledge"], which)]
    work.touched.alarms |= set(seen)
    if seen:
        work.note(case.id, "acknowledged", alarms=seen, note=note)


def _dispatch(work: Work, case: Case, note: str | None) -> None:
    if not case.policy.volunteers:
        raise RefusedError("cloud.incident.no-volunteers", response=case.response)
    task = cases.newest_task(work, case)
    if task is not None and task["state"] == "filled":
        raise RefusedError("cloud.incident.filled")
    work.note(case.id, "dispatch-asked", note=note)
    if task is None or task["state"] != "open":
        cases.open_task(work, case)
        task = cases.newest_task(work, case)
        assert task is not None
    waves.send_wave(work, case, task)


def _call_off(work: Work, case: Case, note: str | None) -> None:
    if not cases.call_off(work, case):
        raise RefusedError("cloud.incident.nothing-to-call-off")
    work.note(case.id, "called-off", note=note)
    if case.state in ("dispatched", "handling"):
        cases.move(work, case, "recall")


def _false_alarm(work: Work, case: Case, note: str | None) -> None:
    work.note(case.id, "false-alarm", note=note)
    cases.end(work, case, "void", "false-alarm")


def _close(work: Work, case: Case, note: str | None) -> None:
    work.note(case.id, "close-asked", note=note)
    cases.end(work, case, "close", "resolved" if case.state == "fed-back" else "closed-by-operator")


def _escalate(work: Work, case: Case, note: str | None) -> None:
    waves.escalate(work, case, note)


def _note(work: Work, case: Case, note: str | None) -> None:
    if not note:
        raise RefusedError("cloud.note.empty")
    work.note(case.id, "note", note=note)


ACTIONS: Final[Mapping[str, Callable[[Work, Case, str | None], None]]] = {
    "acknowledge": _acknowledge,
    "dispatch": _dispatch,
    "call-off": _call_off,
    "false-alarm": _false_alarm,
    "escalate": _escalate,
    "close": _close,
    "note": _note,
}
