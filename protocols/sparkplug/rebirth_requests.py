"""How often a node may be asked for a rebirth: every 10 s, doubling, forgotten after ten minutes without any wish."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

FIRST_PAUSE: Final = 10.0
MOST_PAUSE: Final = 600.0
QUIET: Final = 600.0
_SWEEP_AT: Final = 1024


@dataclass(slots=True)
class _Asked:
    at: float
    pause: float
    wished_at: float


class RebirthRequests:
    """Who was asked when. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, _Asked] = {}
        self._sweep_at = _SWEEP_AT

    def may_ask(self, node: Hashable, now: float) -> bool:
        """Whether `node` may be asked now; if so, it counts as asked."""
        last = self._asked.get(node)
        if last is None or now - last.wished_at >= QUIET:
            self._sweep(now)
            self._asked[node] = _Asked(now, FIRST_PAUSE, now)
            return True
        last.wished_at = now
        if now - last.at < last.pause:
            return False
        last.at, last.pause = now, min(MOST_PAUSE, last.pause * 2)
        return True

    def forget(self, node: Hashable) -> None:
        """`node` is somebody else's now."""
        self._asked.pop(node, None)

    def _sweep(self, now: float) -> None:
        if len(self._asked) >= self._sweep_at:
            self._asked = {key: asked for key, asked in self._asked.items() if now - asked.wished_at < QUIET}
            self._sweep_at = max(_SWEEP_AT, 2 * len(self._asked))
