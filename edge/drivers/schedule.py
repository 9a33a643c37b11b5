"""When each unit of a line is asked next: pure, on a monotonic clock in seconds. Shared by the drivers that poll.

A unit that answers keeps its period. One that failed is asked once more soon, then reported and asked ever more seldom;
and only when no living unit is due, so that a dead one costs the others at most the time-out that is already running.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

REPORTED_AFTER: Final = 2
_SECOND_TRY_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A unit's place in the order. `failures` counts those since its last answer."""

    unit: int
    interval_s: float
    due_s: float
    failures: int = 0

    @property
    def dead(self) -> bool:
        """Whether the unit counts as offline: it failed twice in a row."""
        return self.failures >= REPORTED_AFTER


def answered(turn: Turn, now_s: float) -> Turn:
    """After an answer: the next turn keeps the period; what was missed is not made up for."""
    due_s = turn.due_s + turn.interval_s
    return replace(turn, failures=0, due_s=due_s if due_s > now_s and not turn.failures else now_s + turn.interval_s)


def spread(turn: Turn, opened_s: float, began_s: float) -> Turn:
    """A first turn that began late, all being due when the line was opened: from then on it has a place of its own.

    Else those with one period would be due together for ever, and whoever comes behind them late now and then.
    """
    return replace(turn, due_s=began_s) if turn.due_s == opened_s else turn


def failed(turn: Turn, now_s: float, *, retry_max_s: float, chance: float) -> Turn:
    """After a failure; `chance` (0–1) spreads the attempts by ±20 %."""
    failures = turn.failures + 1
    if failures < REPORTED_AFTER:
        pause = min(turn.interval_s, _SECOND_TRY_S)
    else:
        doubled = turn.interval_s * 2 ** min(failures - REPORTED_AFTER, 16)
        pause = min(doubled, max(retry_max_s, turn.interval_s)) * (0.8 + 0.4 * chance)
    return replace(turn, failures=failures, due_s=now_s + pause)


def choose(turns: Iterable[Turn], now_s: float) -> tuple[Turn | None, float]:
    """The turn to take now, living units first, or None and the seconds until the next one."""
    ordered = sorted(turns, key=lambda t: (t.dead, t.due_s))
    due = next((t for t in ordered if t.due_s <= now_s), None)
    if due is not None:
        return due, 0.0
    return None, min(t.due_s for t in ordered) - now_s
