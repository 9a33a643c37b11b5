"""Anti-passback: who went into an area must come out before going in again. Pure.

An area is what readers let people into (`enters`) and out of (`leaves`). Of each person it is known that they are
inside, that they are outside, or nothing; who is not known is never denied. A known place is forgotten after
`forgive_ms`, by a command, by an emergency release of one of the area's doors, and (with `when_blind` = forgive) while
one of its readers is away, because people may go by unseen.

`timed` knows no way out: who went in is not let in again for `forgive_ms`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Passback = Literal["soft", "hard", "timed"]
Violation = Literal["soft", "hard"]
WhenBlind = Literal["forgive", "hold"]
_MOST_BYTES: Final = 40_000  # of what a driver may store (64 KB); who was seen longest ago is forgotten first


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The rules of one area. `forgive_ms` 0 = never (not with timed)."""

    name: str
    passback: Passback
    forgive_ms: int
    when_blind: WhenBlind = "forgive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where a reader lets people go; None = nowhere that is watched."""

    enters: Area | None = None
    leaves: Area | None = None

    @property
    def areas(self) -> tuple[Area, ...]:
        """The areas that this way touches."""
        return tuple(area for area in (self.leaves, self.enters) if area is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where people are known to be: area → person → (inside, since when in ms), those seen last at the end."""

    known: Mapping[str, Mapping[str, tuple[bool, int]]] = field(default_factory=dict)

    def violation(self, holder: str, way: Way, now_ms: int) -> Violation | None:
        """What `holder` would violate by going this way now."""
        wrong = [
            area
            for area, wanted in ((way.enters, False), (way.leaves, True))
            if area is not None and self._contradicts(holder, area, wanted, now_ms)
        ]
        if not wrong:
            return None
        return "soft" if all(area.passback == "soft" for area in wrong) else "hard"

    def passed(self, holder: str, way: Way, now_ms: int, blind: Collection[str] = ()) -> Places:
        """`holder` went this way. In an area that is `blind` and forgives nothing is noted."""
        known = {name: dict(people) for name, people in self.known.items()}
        for area, inside in ((way.leaves, False), (way.enters, True)):
            if area is None or (area.name in blind and area.when_blind == "forgive"):
                continue
            people = known.setdefault(area.name, {})
            people.pop(holder, None)
            people[holder] = (inside, now_ms)
        return Places(known=_bounded(known))

    def forgiven(self, areas: Collection[str]) -> Places:
        """Nothing is known of these areas any more."""
        return Places(known={name: people for name, people in self.known.items() if name not in areas})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of a bounded size."""
        return {name: {who: list(seen) for who, seen in people.items()} for name, people in self.known.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Places:
        """What `to_json` wrote."""
        return cls(
            known={
                name: {who: (inside, at_ms) for who, (inside, at_ms) in people.items()} for name, people in data.items()
            }
        )

    def _contradicts(self, holder: str, area: Area, wanted: bool, now_ms: int) -> bool:
        """Whether `holder` is known to be where one cannot go that way from; `wanted`: inside."""
        seen = self.known.get(area.name, {}).get(holder)
        if seen is None:
            return False
        inside, at_ms = seen
        if area.forgive_ms and now_ms - at_ms >= area.forgive_ms:
            return False
        return inside != wanted and not (area.passback == "timed" and wanted)


def _bounded(known: dict[str, dict[str, tuple[bool, int]]]) -> dict[str, dict[str, tuple[bool, int]]]:
    size = len(json.dumps(known))
    while size > _MOST_BYTES:
        fullest = max(known.values(), key=len)
        oldest = next(iter(fullest))
        size -= len(json.dumps({oldest: fullest.pop(oldest)}))
    return known
