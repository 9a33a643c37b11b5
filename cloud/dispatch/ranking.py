"""Who is asked first, and why: expected arrival, chance of accepting, skills, fairness, fatigue. Pure.

The score is in seconds: what asking this person is expected to cost. The lowest is asked first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from cloud.dispatch.geo import distance_m
from cloud.domain.policy import Policy

WALK_M_S: Final = 1.3
DETOUR: Final = 1.3  # streets and stairs against the straight line
READY_S: Final = 45.0  # from the tap to the door
UNKNOWN_M: Final = 800.0  # assumed of someone responsible here whose position nobody knows
REFUSAL_S: Final = 120.0  # lost by asking someone who does not come
LOAD_S: Final = 30.0  # per task taken this week: spread them
FATIGUE_S: Final = 10.0  # per offer this week
SKILL_S: Final = 60.0
FIX_LASTS: Final = timedelta(minutes=10)
HELPS: Final[Mapping[str, frozenset[str]]] = {
    "help": frozenset({"first-aid", "nursing", "fire"}),
    "check": frozenset({"nursing", "first-aid", "care"}),
    "repair": frozenset({"electrician", "plumber", "vending"}),
}
"""Skills that help, by kind of task."""

Source = Literal["fix", "post", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A responder on duty. `fix` is the last foreground position and its time; `post` the duty post, else home."""

    id: UUID
    name: Mapping[str, str]
    skills: frozenset[str]
    fix: tuple[float, float, datetime] | None
    post: tuple[float, float] | None
    responsible_here: bool
    offers_week: int
    accepted_week: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A person who could be asked, with the reasons (codes with parameters) that are stored and shown."""

    person: Person
    distance_m: float | None
    score: float
    why: Mapping[str, Any]


def rank(
    people: Iterable[Person], where: tuple[float, float] | None, policy: Policy, now: datetime
) -> Sequence[Candidate]:
    """Everyone within `max_radius_m` (or responsible here, when a distance is not known), best first."""
    candidates = [_judge(person, where, policy, now) for person in people]
    suitable = [c for c in candidates if c.person.responsible_here or c.distance_m is not None]
    near = [c for c in suitable if c.distance_m is None or c.distance_m <= policy.max_radius_m]
    return sorted(near, key=lambda c: (c.score, c.person.id))


def _judge(person: Person, where: tuple[float, float] | None, policy: Policy, now: datetime) -> Candidate:
    position, source, age_s = _position(person, now)
    distance = distance_m(*position, *where) if position and where else None
    eta_s = READY_S + (UNKNOWN_M if distance is None else distance) * DETOUR / WALK_M_S
    chance = (person.accepted_week + 1) / (person.offers_week + 2)  # Laplace: nobody starts at 0 or 1
    skills = sorted(person.skills & HELPS.get(policy.task, frozenset()))
    score = eta_s + (1 - chance) * REFUSAL_S - len(skills) * SKILL_S + person.accepted_week * LOAD_S
    if policy.spare_fatigue:
        score += person.offers_week * FATIGUE_S
    why = {
        "reasons": list(_reasons(person, distance, source, age_s, skills)),
        "distance_m": None if distance is None else round(distance),
        "eta_s": round(eta_s),
        "source": source,
        "age_s": age_s,
    }
    return Candidate(person=person, distance_m=distance, score=round(score, 1), why=why)


def _position(person: Person, now: datetime) -> tuple[tuple[float, float] | None, Source, int | None]:
    if person.fix is not None and now - person.fix[2] <= FIX_LASTS:
        return person.fix[:2], "fix", max(0, round((now - person.fix[2]).total_seconds()))
    return (person.post, "post", None) if person.post is not None else (None, "none", None)


def _reasons(
    person: Person, distance: float | None, source: Source, age_s: int | None, skills: Sequence[str]
) -> Iterable[dict[str, Any]]:
    if distance is None:
        yield {"code": "distance-unknown", "params": {}}
    else:
        yield {"code": f"near-{source}", "params": {"distance_m": max(50, round(distance / 50) * 50), "age_s": age_s}}
    if person.responsible_here:
        yield {"code": "responsible-here", "params": {}}
    for skill in skills:
        yield {"code": "skill", "params": {"skill": skill}}
    if person.accepted_week == 0:
        yield {"code": "rested", "params": {}}
