"""The whole decision at a reader: the store, then anti-passback, then lockout, with all that is remembered. Pure.

Order matters: a lockout hides every other answer from whoever guesses, and what is denied for anti-passback was allowed
by everything else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from protocols.access.cardholders import Decision, Reason, Roll, decide
from protocols.access.keypad import Shown
from protocols.access.lockout import CODES, STRANGERS, LockoutRules, Lockouts
from protocols.access.passback import Places, Way

_NOT_COUNTED: Final[frozenset[Reason]] = frozenset({"incomplete", "passback"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRules:
    """One reader: the door it opens, where that leads, and when guessing ends."""

    door: str
    way: Way
    lockout: LockoutRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The decision, and the lockouts that go with it."""

    decision: Decision
    lockouts: Lockouts


def judge(
    shown: Shown,
    rules: EntryRules,
    *,
    cardholders: Roll,
    places: Places,
    lockouts: Lockouts,
    blind: Collection[str],
    now_ms: int,
    utc_ms: int,
) -> Judged:
    """Whether to open. `now_ms` never steps and measures durations, `utc_ms` is for the calendar.

    `blind` names areas of which a reader is away: those that forgive count no violation.
    """
    decision = decide(shown, rules.door, cardholders, utc_ms)
    key = _key(shown, decision)
    if lockouts.locked(key, now_ms):
        return Judged(decision=replace(decision, granted=False, reason="lockout"), lockouts=lockouts)
    decision = _passback(decision, rules.way, cardholders, places, blind, now_ms)
    if decision.granted:
        # Codes stay counted: who has one could otherwise guess on between two right ones.
        return Judged(decision=decision, lockouts=lockouts if key == CODES else lockouts.granted(key))
    if decision.reason in _NOT_COUNTED:
        return Judged(decision=decision, lockouts=lockouts)
    after, locks = lockouts.denied(key, now_ms, rules.lockout)
    return Judged(decision=replace(decision, locks=locks), lockouts=after)


def _key(shown: Shown, decision: Decision) -> str:
    if shown.code is not None:
        return CODES
    return STRANGERS if decision.holder is None or shown.card is None else shown.card.text


def _passback(
    decision: Decision, way: Way, cardholders: Roll, places: Places, blind: Collection[str], now_ms: int
) -> Decision:
    if not decision.granted or decision.holder is None or decision.holder in cardholders.passback_exempt:
        return decision
    seen = places.forgiven({area.name for area in way.areas if area.name in blind and area.when_blind == "forgive"})
    violation = seen.violation(decision.holder, way, now_ms)
    if violation == "hard":
        return replace(decision, granted=False, reason="passback")
    return replace(decision, passback=violation == "soft")
