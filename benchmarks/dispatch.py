"""Dispatch: ranking everybody for one task, beside bare distances and a sort of as many people."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final

import numpy as np

from benchmarks.figures import Figure, Order, figure
from cloud.dispatch.geo import EARTH_RADIUS_M
from cloud.dispatch.ranking import Person, rank
from cloud.domain.policy import builtin

VOLUNTEERS: Final = 10_000
QUICK: Final = 500
_WHERE: Final = (29.975, 122.298)
_SPREAD: Final = 0.02
_SKILLS: Final = ("first-aid", "nursing", "fire", "electrician", "plumber", "care")
_TIMES: Final = 5


def run(order: Order) -> Iterator[Figure]:
    """`dispatch-rank`: milliseconds for one task and 10,000 volunteers (`--rows` for another number)."""
    count = order.rows or (QUICK if order.quick else VOLUNTEERS)
    now = datetime.now(UTC)
    people = list(_people(count, now))
    policy = builtin().of("A", "smoke")
    runs, limits = [], []
    for number in range(order.repeats + 1):
        value = _best_of(lambda: rank(people, _WHERE, policy, now))
        limit = _best_of(lambda: _bare(people))
        if number:  # the first is the warm-up
            runs.append(value)
            limits.append(limit)
    yield figure("dispatch-rank", "ms", runs, limits)


def _people(count: int, now: datetime) -> Iterator[Person]:
    chance = random.Random(1)
    for number in range(count):
        lat, lon = (at + chance.uniform(-_SPREAD, _SPREAD) for at in _WHERE)
        seen = now - timedelta(seconds=chance.uniform(0, 1200))
        yield Person(
            id=uuid.UUID(int=chance.getrandbits(128)),
            name={"en": str(number)},
            skills=frozenset(chance.sample(_SKILLS, chance.randrange(3))),
            fix=(lat, lon, seen) if chance.random() < 0.6 else None,
            post=(lat, lon),
            responsible_here=chance.random() < 0.01,
            offers_week=(offers := chance.randrange(6)),
            accepted_week=chance.randrange(offers + 1),
        )


def _bare(people: list[Person]) -> list[tuple[float, uuid.UUID]]:
    """Haversine by NumPy over all positions, and a sort by it: without this there is no ranking by distance."""
    at = np.radians(np.array([person.post or _WHERE for person in people]))
    phi, lam = np.radians(_WHERE[0]), np.radians(_WHERE[1])
    rise = np.sin((at[:, 0] - phi) / 2) ** 2
    run_ = np.cos(phi) * np.cos(at[:, 0]) * np.sin((at[:, 1] - lam) / 2) ** 2
    metres = (2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(rise + run_))).tolist()
    return sorted(zip(metres, (person.id for person in people), strict=True), key=itemgetter(0))


def _best_of(work: Callable[[], object]) -> float:
    """Milliseconds of the quickest of a few: what others on the machine cost is not in it."""
    spent = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        work()
        spent.append((time.perf_counter() - began) * 1000)
    return min(spent)
