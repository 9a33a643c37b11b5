"""Lockout: who is denied too often in a short time is denied for a while, whatever is shown next. Pure.

What is counted has a key: the text of a known card, `CODES` for wrong codes at a keypad, `STRANGERS` for cards that
nobody has. So a vandal with a drawer of old cards locks out strangers and guessers, and no resident.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

CODES: Final = "codes"
STRANGERS: Final = "strangers"
_MOST_KEYS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LockoutRules:
    """`denials` within `window_ms` lock for `lasts_ms`; 0 denials = never."""

    denials: int
    window_ms: int
    lasts_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    denials: int
    since_ms: int
    until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockouts:
    """The counts of one reader; plain JSON through `to_json` and `from_json`, so that a restart forgives nothing."""

    counts: Mapping[str, _Count] = field(default_factory=dict)

    def locked(self, key: str, now_ms: int) -> bool:
        """Whether `key` is locked out now."""
        count = self.counts.get(key)
        return count is not None and now_ms < count.until_ms

    def denied(self, key: str, now_ms: int, rules: LockoutRules) -> tuple[Lockouts, bool]:
        """One denial more; and whether it was the one that locks."""
        if not rules.denials:
            return self, False
        count = self.counts.get(key)
        if count is None or now_ms - count.since_ms > rules.window_ms or count.until_ms:
            count = _Count(denials=0, since_ms=now_ms)
        locks = count.denials + 1 >= rules.denials
        count = replace(count, denials=count.denials + 1, until_ms=now_ms + rules.lasts_ms if locks else 0)
        others = {name: kept for name, kept in self.counts.items() if name != key and _matters(kept, now_ms, rules)}
        newest = dict(list(others.items())[-(_MOST_KEYS - 1) :])
        return Lockouts(counts={**newest, key: count}), locks

    def granted(self, key: str) -> Lockouts:
        """Whoever was let in is no longer counted."""
        if key not in self.counts:
            return self
        return Lockouts(counts={name: count for name, count in self.counts.items() if name != key})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {key: [count.denials, count.since_ms, count.until_ms] for key, count in self.counts.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lockouts:
        """What `to_json` wrote."""
        return cls(
            counts={
                key: _Count(denials=denials, since_ms=since, until_ms=until)
                for key, (denials, since, until) in data.items()
            }
        )


def _matters(count: _Count, now_ms: int, rules: LockoutRules) -> bool:
    return now_ms < count.until_ms or now_ms - count.since_ms <= rules.window_ms
