"""How often a node may be asked for a rebirth: every 10 s, doubling, forgotten after ten quiet minutes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

FIRST_PAUSE: Final = 10.0
MOST_PAUSE: Final = 600.0
QUIET: Final = 600.0
_SWEEP_AT: Final = 1024


@dataclass(frozen=True, slots=True)
class _Asked:
    at: float
    pause: float


class RebirthRequests:
    """Who was asked when. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, _Asked] = {}

    def may_ask(self, node: Hashable, now: float) -> bool:
        """Whether `node` may be asked now; if so, it counts as asked."""
        last = self._asked.get(node)
        if last is None or now - last.at >= QUIET:
            pause = FIRST_PAUSE
        elif now - last.at < last.pause:
            return False
        else:
            pause = min(MOST_PAUSE, last.pause * 2)
        if len(self._asked) >= _SWEEP_AT:
            self._asked = {key: asked for key, asked in self._asked.items() if now - asked.at < QUIET}
        self._asked[node] = _Asked(now, pause)
        return True

    def forget(self, node: Hashable) -> None:
        """`node` is somebody else's now."""
        self._asked.pop(node, None)
