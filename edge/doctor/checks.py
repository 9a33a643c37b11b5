"""One thing that was looked at, and what many of them amount to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

AGENT: Final = "agent"
"""The check that says whether the agent runs at all."""


class Grade(IntEnum):
    """How a thing is, from the best to the worst; `word` is its name in JSON."""

    WELL = 0
    ATTENTION = 1
    WRONG = 2

    @property
    def word(self) -> str:
        """Its name."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`name` says what was looked at (``disk``, ``device/door-3-1``); `code` and `data` make the sentence.

    `todo` is the code of the sentence that says what to do, where the first one does not say so itself.
    """

    name: str
    grade: Grade
    code: str
    data: Mapping[str, Any] = field(default_factory=dict)
    todo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was looked at, of the gateway `node` in `group` at `at_ms` (UTC)."""

    group: str
    node: str
    name: str
    at_ms: int
    running: bool
    checks: tuple[Check, ...]

    @property
    def grade(self) -> Grade:
        """The worst of all."""
        return worst(self.checks)


def worst(checks: Iterable[Check]) -> Grade:
    """The worst grade; well when there is nothing."""
    return max((check.grade for check in checks), default=Grade.WELL)


def exit_code(diagnosis: Diagnosis) -> int:
    """0 all is well, 1 something is wrong, 3 something needs attention, 4 only the agent is stopped."""
    if diagnosis.grade is Grade.WELL:
        return 0
    if diagnosis.grade is Grade.WRONG:
        return 1
    if not diagnosis.running and worst(c for c in diagnosis.checks if c.name != AGENT) is Grade.WELL:
        return 4
    return 3
