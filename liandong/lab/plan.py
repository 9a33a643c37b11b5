"""What will happen in a run: pure, and the same for the same scenario, seed and length."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from liandong.lab.faults import KINDS, Where
from liandong.lab.scenario import FaultTable, LabScenario

REST_S: Final = 6.0
"""What was broken is left alone for so long afterwards, so that the next fault finds it at work."""
_BUSY_S: Final = 0.5
_HURRY: Final = 0.9
_LEAST_HURRY: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault: `at_s` after the start, of `kind`, at `target`, for `seconds` (0: an instant).

    `seed`: for what is left to chance in it.
    """

    at_s: float
    kind: str
    target: str
    seconds: float
    delay_s: float = 0.0
    bytes_per_s: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that people or hardware do: a trigger of the estate, `at_s` after the start."""

    at_s: float
    trigger: str
    at: str
    params: Mapping[str, Any] = field(default_factory=dict)


def faults(scenario: LabScenario, gateways: Sequence[str], seed: int, seconds: float) -> tuple[Planned, ...]:
    """The faults of a run of `seconds`. All kinds come equally often, by their weights; the order is chance.

    With `each` in the scenario the gaps are made as short as it takes for every kind to come so often.
    """
    fixed = tuple(_fixed(scenario, gateways, seed, seconds))
    drawn = [table for table in scenario.fault if not table.at]
    if not drawn:
        return fixed
    wanted = scenario.each * sum(table.weight for table in drawn)
    hurry = 1.0
    while True:
        planned = tuple(_drawn(drawn, scenario, gateways, seed, seconds, hurry))
        if len(planned) >= wanted or hurry < _LEAST_HURRY:
            return tuple(sorted((*fixed, *planned[: wanted or None]), key=lambda one: one.at_s))
        hurry *= _HURRY


def _fixed(scenario: LabScenario, gateways: Sequence[str], seed: int, seconds: float) -> Iterator[Planned]:
    chance = random.Random(f"fixed/{seed}")  # noqa: S311 - a schedule, no secret
    times = sorted((share, place) for place, table in enumerate(scenario.fault) for share in table.at)
    for share, place in times:
        table = scenario.fault[place]
        target = chance.choice(_targets(table, scenario, gateways))
        yield _planned(table, target, share * seconds, chance.uniform(*table.seconds), chance)


def _planned(table: FaultTable, target: str, at_s: float, length: float, chance: random.Random) -> Planned:
    return Planned(
        at_s=round(at_s, 3),
        kind=table.kind,
        target=target,
        seconds=round(length, 3),
        delay_s=round(chance.uniform(*table.delay_s), 3),
        bytes_per_s=table.bytes_per_s,
        seed=chance.randrange(1 << 32),
    )


def _drawn(
    tables: Sequence[FaultTable],
    scenario: LabScenario,
    gateways: Sequence[str],
    seed: int,
    seconds: float,
    hurry: float,
) -> Iterator[Planned]:
    chance = random.Random(f"faults/{seed}")  # noqa: S311 - a schedule, no secret
    free_at: dict[str, float] = {}
    waiting: list[FaultTable] = []
    at_s = scenario.warm_up_s
    while at_s < seconds:
        if not waiting:
            waiting = [table for table in tables for _ in range(table.weight)]
            chance.shuffle(waiting)
        able = ((table, _free(table, scenario, gateways, free_at, at_s)) for table in waiting)
        table, targets = next(((table, targets) for table, targets in able if targets), (None, ()))
        if table is None:
            at_s += _BUSY_S
            continue
        waiting.remove(table)
        target = chance.choice(targets)
        length = min(chance.uniform(*table.seconds), max(0.0, seconds - at_s))
        yield _planned(table, target, at_s, length, chance)
        free_at[target] = at_s + length + REST_S
        at_s += chance.uniform(*scenario.gap_s) * hurry


def activity(scenario: LabScenario, seed: int, seconds: float) -> tuple[Step, ...]:
    """What people and hardware do in the fault street, beside what it does by itself. Every card is shown once."""
    chance = random.Random(f"activity/{seed}")  # noqa: S311 - a script, no secret
    steps: list[Step] = []
    at_s = 1.0
    while at_s < seconds:
        steps.append(_step(chance, round(at_s, 3), len(steps)))
        at_s += chance.uniform(*scenario.activity_s)
    return tuple(steps)


def _step(chance: random.Random, at_s: float, number: int) -> Step:
    match chance.randrange(6):
        case 0:
            return Step(at_s=at_s, trigger=chance.choice(("smoke", "smoke-clear")), at="smoke-1")
        case 1:
            return Step(at_s=at_s, trigger=chance.choice(("leak", "leak-clear")), at="leak-1")
        case 2:
            return Step(at_s=at_s, trigger="sos", at="sos-1")
        case 3:
            return Step(at_s=at_s, trigger="vending-sale", at="vending-1")
        case 4:
            return Step(at_s=at_s, trigger="motion", at=chance.choice(("motion-1", "motion-2")))
        case _:
            card = f"H10301:{number % 200}:{1 + number // 200 + chance.randrange(60_000)}"
            return Step(at_s=at_s, trigger="card", at=chance.choice(("door-1", "door-2")), params={"card": card})


def _free(
    table: FaultTable, scenario: LabScenario, gateways: Sequence[str], free_at: Mapping[str, float], at_s: float
) -> Sequence[str]:
    return [target for target in _targets(table, scenario, gateways) if free_at.get(target, 0.0) <= at_s]


def _targets(table: FaultTable, scenario: LabScenario, gateways: Sequence[str]) -> Sequence[str]:
    match KINDS[table.kind].where:
        case Where.GATEWAY:
            return gateways
        case Where.LINE:
            return sorted(scenario.lines)
        case Where.FIELD:
            return sorted(scenario.fields)
        case where:
            return (where.value,)
