"""Which offset held when: wall time as a function of steady time that never runs backwards between two jumps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

LEAN_NS: Final = 10_000_000_000
"""A difference is made good within about this time, so wall time runs at most 15 % faster or slower meanwhile."""
AHEAD_NS: Final = 2_000_000_000
"""So long a lean goes on without a new look at the clocks."""
IGNORED_NS: Final = 10_000_000
"""Less is the noise of reading two clocks."""
_LEGS: Final = 64


@dataclass(frozen=True, slots=True)
class _Leg:
    """From `from_ns` (steady) on the offset is `offset_ns`, plus `lean_ns` by `LEAN_NS` for `AHEAD_NS` at most."""

    from_ns: int
    offset_ns: int
    lean_ns: int

    def at(self, steady_ns: int) -> int:
        run = min(AHEAD_NS, max(0, steady_ns - self.from_ns))
        return self.offset_ns + self.lean_ns * run // LEAN_NS


class Trail:
    """The offset (wall minus steady time, ns) over the last minute; what is older counts as the oldest."""

    def __init__(self, steady_ns: int, offset_ns: int) -> None:
        self._legs = deque([_Leg(steady_ns, offset_ns, 0)], maxlen=_LEGS)

    def offset_ns(self, steady_ns: int) -> int:
        """The offset at `steady_ns`."""
        for leg in reversed(self._legs):
            if leg.from_ns <= steady_ns:
                return leg.at(steady_ns)
        return self._legs[0].offset_ns

    def lean(self, steady_ns: int, apart_ns: int) -> None:
        """From `steady_ns` on lean towards an offset that is larger by `apart_ns`. Not before the last call's time."""
        lean = 0 if abs(apart_ns) < IGNORED_NS else apart_ns
        last = self._legs[-1]
        if lean or last.lean_ns:
            self._legs.append(_Leg(max(steady_ns, last.from_ns), last.at(steady_ns), lean))

    def jump(self, steady_ns: int, offset_ns: int) -> None:
        """The offset is `offset_ns`, and what came before was wrong."""
        self._legs.clear()
        self._legs.append(_Leg(steady_ns, offset_ns, 0))
