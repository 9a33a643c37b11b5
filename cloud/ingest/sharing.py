"""How the Sparkplug groups are shared out among workers. Pure: each worker decides its own part from the same rows.

A free group goes to whoever has least; a worker that has so much more than another that moving a group helps gives one
up. Each step makes the shares more equal, so it ends, and with the same workers and groups nothing moves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from cloud.storage.workers import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What this worker does now: groups that it takes, and groups that it gives up."""

    take: frozenset[str]
    give: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.take or self.give)


def share_out(groups: Sequence[Share], members: Collection[UUID], me: UUID, *, from_dead: bool = True) -> Plan:
    """The part of `me`; nothing, if it is none of `members`. `from_dead`: take what those carry that are no member."""
    loads = dict.fromkeys(sorted(members), 0)
    if me not in loads:
        return Plan(take=frozenset(), give=frozenset())
    free = []
    for group in groups:
        if group.worker in loads:
            loads[group.worker] += group.weight
        elif group.worker is None or from_dead:
            free.append(group)
    taken = set()
    for group in sorted(free, key=lambda one: (-one.weight, one.code)):
        least = _least(loads)
        loads[least] += group.weight
        if least == me:
            taken.add(group.code)
    return Plan(take=frozenset(taken), give=_too_much([one for one in groups if one.worker == me], loads, me))


def _too_much(mine: Sequence[Share], loads: dict[UUID, int], me: UUID) -> frozenset[str]:
    """Groups of `me` that make the least loaded worker's share more equal to ours, the heaviest first.

    Not below a fair share, for others may give at the same time; one group may, where it alone makes things more equal.
    """
    fair = sum(loads.values()) / len(loads)
    given: set[str] = set()
    for group in sorted(mine, key=lambda one: (-one.weight, one.code)):
        least, left = _least(loads), loads[me] - group.weight
        if loads[least] + group.weight < loads[me] and (left >= fair or not given):
            loads[me] = left
            loads[least] += group.weight
            given.add(group.code)
    return frozenset(given)


def _least(loads: Mapping[UUID, int]) -> UUID:
    return min(loads, key=lambda member: (loads[member], member))
