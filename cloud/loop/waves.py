"""Asking people for help: waves of offers, their end, and the person behind the machine when nobody comes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from psycopg.rows import DictRow

from cloud.dispatch.geo import box
from cloud.dispatch.ranking import Candidate, Person, rank
from cloud.dispatch.waves import Wave, next_wave
from cloud.domain.places import ancestors, position
from cloud.loop import case as cases
from cloud.loop.case import Case
from cloud.loop.work import Work, to_json
from cloud.notify import outbox
from cloud.notify.outbox import Notice
from cloud.storage.queries import load

_LOG: Final = logging.getLogger("liandong.cloud.loop")

WEEK: Final = timedelta(days=7)
LEVELS: Final = ("grid", "community", "street")


def dispatch_wave(work: Work, ref: str) -> None:
    """Handler of `dispatch.wave` (ref: task/number). A wave that was sent already, or is needed no more, is none."""
    task_id, number = (int(part) for part in ref.split("/"))
    found = work.tx.one(load("incidents")["case_of_task"], {"id": task_id})
    if found is None:
        return
    case = cases.lock(work, found["incident_id"])
    task = cases.newest_task(work, case)
    if task is None or task["id"] != task_id or task["state"] != "open" or task["wave"] != number - 1:
        return
    send_wave(work, case, task)


def send_wave(work: Work, case: Case, task: DictRow) -> Wave:
    """Ask the next people, and set the time of the wave after."""
    tally = work.tx.one(load("offers")["count"], {"task": task["id"], "now": work.now})
    assert tally is not None
    wave = next_wave(
        case.policy,
        candidates(work, case, task["id"]),
        waves=task["wave"],
        asked=tally["asked"],
        waiting=tally["waiting"],
        opened_at=task["created_at"],
        now=work.now,
    )
    work.tx.execute(load("incidents")["next_wave"], {"id": task["id"], "wave": wave.number})
    if wave.ask:
        _offer(work, case, task["id"], wave)
        cases.move(work, case, "dispatch")
    if wave.escalate and not _escalated(work, case):
        work.note(case.id, "nobody-found", **wave.reason)
        escalate(work, case)
    if wave.next_at is not None:
        work.timer("dispatch.wave", f"{task['id']}/{wave.number + 1}", wave.next_at)
    return wave


def candidates(work: Work, case: Case, task_id: int | None) -> Sequence[Candidate]:
    """Who could be asked now, best first."""
    line = work.places.line(work.tx, case.place_id)
    if not line:
        return ()
    lat, lon = position(line)
    around = (None,) * 4 if lat is None or lon is None else box(lat, lon, case.policy.max_radius_m)
    asked = dict(zip(("south", "north", "west", "east"), around, strict=True)) | {
        "task": task_id,
        "path": line[-1].path,
        "street": line[0].path,
        "roles": list(case.policy.roles),
        "week": work.now - WEEK,
    }
    people = [_person(row) for row in work.tx.fetch(load("offers")["candidates"], asked)]
    return rank(people, None if lat is None or lon is None else (lat, lon), case.policy, work.now)


def expire(work: Work, ref: str) -> None:
    """Handler of `offer.expire` (ref: task/…): offers that nobody answered end."""
    task_id = int(ref.split("/")[0])
    found = work.tx.one(load("incidents")["case_of_task"], {"id": task_id})
    if found is None:
        return
    case = cases.lock(work, found["incident_id"])
    rows = work.tx.fetch(load("offers")["expire"], {"task": task_id, "now": work.now})
    for row in rows:
        work.touched.offers.add(row["id"])
        work.touched.responders.add(row["person_id"])
    if rows:
        work.note(case.id, "expired", people=len(rows))


def escalate(work: Work, case: Case, note: str | None = None) -> None:
    """The next level up is told: grid worker → community → street duty officer."""
    row = work.tx.one(load("incidents")["escalations"], {"incident": case.id})
    times = row["times"] if row else 0
    level = LEVELS[min(times, len(LEVELS) - 1)]
    work.note(case.id, "escalated", to=level, note=note)
    line = work.places.line(work.tx, case.place_id)
    above = ancestors(line[-1].path) if line else []
    people = work.tx.fetch(load("offers")["operators"], {"above": above})
    notices = [
        Notice(
            person_id=row["person_id"],
            kind="cloud.notice.escalated",
            once=f"escalated/{case.id}/{times + 1}/{row['person_id']}",
            params={"incident": case.id, "kind": case.kind, "to": level},
            incident_id=case.id,
        )
        for row in people
    ]
    outbox.enqueue(work.tx, notices, work.now)


def _offer(work: Work, case: Case, task_id: int, wave: Wave) -> None:
    expires_at = work.now + timedelta(seconds=case.policy.offer_s)
    new: dict[str, Any] = {
        "task": task_id,
        "wave": wave.number,
        "now": work.now,
        "expires_at": expires_at,
        "persons": [candidate.person.id for candidate in wave.ask],
        "distances": [candidate.distance_m for candidate in wave.ask],
        "whys": [to_json(candidate.why) for candidate in wave.ask],
    }
    rows = work.tx.fetch(load("offers")["insert"], new)
    notices = [
        Notice(
            person_id=row["person_id"],
            kind="cloud.notice.offer",
            once=f"offer/{row['id']}",
            params={"offer": row["id"], "kind": case.kind, "severity": case.severity},
            incident_id=case.id,
        )
        for row in rows
    ]
    outbox.enqueue(work.tx, notices, work.now)
    work.touched.offers |= {row["id"] for row in rows}
    work.touched.responders |= {row["person_id"] for row in rows}
    _LOG.info("wave-sent incident=%d wave=%d people=%d radius_m=%.0f", case.id, wave.number, len(rows), wave.radius_m)
    work.note(case.id, "wave", wave=wave.number, people=len(rows), **wave.reason)
    work.timer("offer.expire", f"{task_id}/{wave.number}", expires_at)


def _escalated(work: Work, case: Case) -> bool:
    row = work.tx.one(load("incidents")["escalations"], {"incident": case.id})
    return row is not None and row["times"] > 0


def _person(row: DictRow) -> Person:
    located = row["lat"] is not None and row["located_at"] is not None
    return Person(
        id=row["person_id"],
        name=row["name"],
        skills=frozenset(row["skills"]),
        fix=(row["lat"], row["lon"], row["located_at"]) if located else None,
        post=(row["post_lat"], row["post_lon"]) if row["post_lat"] is not None else None,
        responsible_here=row["at_home"],
        offers_week=row["offers_week"],
        accepted_week=row["accepted_week"],
    )
