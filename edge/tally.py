"""How often a device was asked, how often that failed, and how well its period was kept, over the last minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

HALF_MS: Final = 300_000
"""A tally covers the half that runs and the one before: five to ten minutes."""


@dataclass(slots=True)
class Tally:
    """Counts in two halves of five minutes, so that it needs no list. Used under its owner's lock."""

    _since_ms: int = 0
    _running: list[int] = field(default_factory=lambda: [0, 0])
    _before: list[int] = field(default_factory=lambda: [0, 0])
    _jitter_s: float | None = None
    _jitter_before_s: float | None = None

    def count(self, *, failed: bool, now_ms: int, jitter_s: float | None = None) -> None:
        """It was asked once more, `jitter_s` off its period."""
        self._turn(now_ms)
        self._running[0] += 1
        self._running[1] += failed
        if jitter_s is not None:
            self._jitter_s = max(jitter_s, self._jitter_s or 0.0)

    def sums(self, now_ms: int) -> tuple[int, int]:
        """How often it was asked, and how often that failed."""
        self._turn(now_ms)
        return self._running[0] + self._before[0], self._running[1] + self._before[1]

    def jitter_s(self, now_ms: int) -> float | None:
        """The worst of it; None where no period is known."""
        self._turn(now_ms)
        known = [one for one in (self._jitter_s, self._jitter_before_s) if one is not None]
        return max(known, default=None)

    def _turn(self, now_ms: int) -> None:
        passed = now_ms - self._since_ms
        if 0 <= passed < HALF_MS:
            return
        recent = 0 <= passed < 2 * HALF_MS
        self._before = self._running if recent else [0, 0]
        self._jitter_before_s, self._jitter_s = self._jitter_s if recent else None, None
        self._running, self._since_ms = [0, 0], now_ms
