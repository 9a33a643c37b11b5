"""Where a boot belongs that never learned the time: between the last thing known before it and the first one after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from edge.outbox.stamp import Boot


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`offset_ms`: wall = monotonic + offset for the boot in `row`, right to `within_ms` either way.

    `within_ms` is None when nothing known lies before: then the boot is put right before what comes after it.
    """

    row: int
    offset_ms: int
    within_ms: int | None
    first_ms: int
    last_ms: int


def place(boots: Sequence[Boot]) -> list[Place]:
    """Offsets for the boots of which none is known, where a known one follows. `boots`: the oldest first.

    The free time between two known neighbours is shared out evenly around the unknown boots: nobody knows how long the
    machine was off, so the middle is wrong by the least.
    """
    places: list[Place] = []
    before: int | None = None
    waiting: list[tuple[Boot, int, int]] = []
    for unknown, group in groupby(boots, key=lambda boot: boot.offset_ms is None and boot.wall_ms is None):
        if unknown:
            waiting = [(boot, *boot.monotonic_ms) for boot in group if boot.monotonic_ms is not None]
            continue
        known = list(group)
        places += _between(waiting, before, _first_ms(known[0]))
        before, waiting = _last_ms(known[-1]), []
    return places


def _first_ms(boot: Boot) -> int:
    """The first thing known of `boot`: its start if its offset is known, else its first stamp."""
    return _walls(boot)[0]


def _last_ms(boot: Boot) -> int:
    return _walls(boot)[1]


def _walls(boot: Boot) -> tuple[int, int]:
    offset = boot.offset_ms
    found = [] if boot.wall_ms is None else [*boot.wall_ms]
    if offset is not None:
        found += [offset] if boot.monotonic_ms is None else [at + offset for at in boot.monotonic_ms]
    return min(found), max(found)


def _between(waiting: Sequence[tuple[Boot, int, int]], before: int | None, after: int) -> list[Place]:
    """Put boots with stamps from `first` to `last` (monotonic) into the time from `before` to `after` (wall)."""
    ran = sum(last for _, _, last in waiting)
    free = 0 if before is None else max(0, after - before - ran) // (len(waiting) + 1)
    places: list[Place] = []
    end = after
    for boot, first, last in reversed(waiting):
        offset = end - free - last
        within = None if before is None else free * len(waiting)
        at = {"first_ms": first + offset, "last_ms": last + offset}
        places.append(Place(row=boot.row, offset_ms=offset, within_ms=within, **at))
        end = offset
    return places[::-1]
