"""Whom the next wave asks, and when to look again. Pure; every decision comes with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cloud.dispatch.ranking import Candidate
from cloud.domain.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """`ask` these people now; `next_at`: when to look again, None when nobody is sought any longer.

    `escalate`: a human is always behind the machine, and now has to do something.
    """

    number: int
    radius_m: float
    ask: Sequence[Candidate]
    next_at: datetime | None
    escalate: bool
    reason: Mapping[str, Any] = field(default_factory=dict)


def next_wave(
    policy: Policy,
    candidates: Sequence[Candidate],
    *,
    waves: int,
    asked: int,
    waiting: int,
    opened_at: datetime,
    now: datetime,
) -> Wave:
    """The wave after `waves` ones that asked `asked` people, of whom `waiting` can still answer.

    An empty ring is not waited for: the radius grows at once until somebody is found or the largest is reached.
    """
    number = waves + 1
    room = max(0, min(policy.wave_size, policy.most - asked))
    radius = min(policy.radius_m + waves * policy.grow_m, policy.max_radius_m)
    found = _within(candidates, radius)
    while not found and policy.grow_m > 0 and radius < policy.max_radius_m:
        radius = min(radius + policy.grow_m, policy.max_radius_m)
        found = _within(candidates, radius)
    ask = found[:room]
    exhausted = asked + len(ask) >= policy.most
    given_up = now >= opened_at + timedelta(seconds=policy.give_up_s)
    reason = {"radius_m": round(radius), "found": len(found), "asked_before": asked, "most": policy.most}
    # The wave after the first that finds nobody new, while nobody can answer any more, is when a person must know.
    escalate = not ask and waiting == 0
    next_at = None if given_up or (exhausted and not ask) else now + timedelta(seconds=policy.wave_s)
    return Wave(number=number, radius_m=radius, ask=ask, next_at=next_at, escalate=escalate, reason=reason)


def _within(candidates: Sequence[Candidate], radius_m: float) -> Sequence[Candidate]:
    return [c for c in candidates if c.distance_m is None or c.distance_m <= radius_m]
