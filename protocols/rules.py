"""Rules: the model and the one evaluator that the gateway and the cloud share.

`follow` and `elapse` are pure: (rule, state, fact, now) → (state, transition, reason). The state is a row of the
cloud's database or of the gateway's file, so durations survive a restart. Times are ms since 1970 UTC; a fact is judged
by its own time, never by its arrival: a duration that was over before it is over, also when no timer has run yet, and
one that it ends was not over, also when it arrives late. So both sides come to the same, whenever they hear of it.

    idle ──condition──▶ pending ──for_s passed──▶ firing ──condition gone──▶ clearing ──keep_firing_for_s──▶ idle
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from protocols.events import Event, Observation, Reading, Value

Severity = Literal["P1", "P2", "P3", "P4"]
Phase = Literal["idle", "pending", "firing", "clearing"]
Transition = Literal["raise", "repeat", "clear", "late"]
"""`late`: a condition began too long ago to raise anything; it is told, once until it ends."""


_FOLLOWING: Final[Mapping[tuple[Phase, bool], Phase]] = {
    ("idle", True): "pending",
    ("pending", False): "idle",
    ("firing", False): "clearing",
    ("clearing", True): "firing",
}
"""The phase that follows at once when the condition holds, or does not; any other stays."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StateIs(_Table):
    """A state metric has this value, e.g. ``smoke`` is true."""

    type: Literal["state"] = "state"
    metric: str
    equals: bool | int | str = True


class Threshold(_Table):
    """A number above or below a limit. It clears only beyond `hysteresis`, in the metric's unit."""

    type: Literal["threshold"] = "threshold"
    metric: str
    above: float | None = None
    below: float | None = None
    hysteresis: float = Field(default=0.0, ge=0)


class EventIs(_Table):
    """An event of `kind` fires; one of `clear_kind` clears. Without `clear_kind` a person clears it."""

    type: Literal["event"] = "event"
    kind: str
    clear_kind: str | None = None
    match: dict[str, str | int | bool] = Field(default_factory=dict)


Condition = Annotated[StateIs | Threshold | EventIs, Field(discriminator="type")]


class Selector(_Table):
    """What a rule looks at: any of these device types or devices, everywhere or below `place` (a place path)."""

    types: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    place: str | None = None


class Action(_Table):
    """What a local rule does: write `value` to `output` of `device` (same gateway)."""

    device: str
    output: str
    value: bool | int | float | str = True


class Rule(_Table):
    """One rule. `code` names it and its sentences; `response` is the response class (alerts-and-dispatch.md)."""

    code: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    where: Selector = Selector()
    when: Condition
    for_s: float = Field(default=0.0, ge=0)
    keep_firing_for_s: float = Field(default=0.0, ge=0)
    severity: Severity = "P3"
    response: Literal["A", "B", "C", "guard", "device"] = "device"
    late_s: float = Field(default=3600.0, ge=0, description="an observation older than this raises no alarm any more")
    actions: tuple[Action, ...] = ()

    def watches(self, device: str, device_type: str | None) -> bool:
        """Whether the rule looks at this device (its place is checked by whoever knows the tree)."""
        named = bool(self.where.devices) and device in self.where.devices
        typed = bool(self.where.types) and device_type in self.where.types
        return named or typed or not (self.where.devices or self.where.types)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """The state of one rule on one device. `since_ms`: when the phase began; `at_ms`: the newest fact judged."""

    phase: Phase = "idle"
    since_ms: int = 0
    at_ms: int = 0
    reason: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`transition`: what changed, if anything; `due_ms`: when `elapse` must look again; `reason`: why."""

    state: RuleState
    transition: Transition | None = None
    due_ms: int | None = None
    reason: Mapping[str, Any] = field(default_factory=dict)


def follow(rule: Rule, state: RuleState, fact: Observation, now_ms: int) -> list[Outcome]:
    """Judge one observation of a device that the rule watches, after the time that passed until it.

    One outcome, or two: a duration was over before. What is older than the newest judged changes nothing.
    """
    verdict = _holds(rule.when, fact, firing=state.phase in ("firing", "clearing"))
    if verdict is None or fact.at_ms < state.at_ms:
        return [Outcome(state=state, due_ms=_due(rule, state))]
    due = _due(rule, state)
    if due is None or due > fact.at_ms:
        return [_judged(rule, state, fact, now_ms, holds=verdict)]
    passed = elapse(rule, state, fact.at_ms)
    # What is beyond a limit depends on whether the rule fires.
    verdict = _holds(rule.when, fact, firing=passed.state.phase in ("firing", "clearing"))
    return [passed, _judged(rule, passed.state, fact, now_ms, holds=bool(verdict))]


def _judged(rule: Rule, state: RuleState, fact: Observation, now_ms: int, *, holds: bool) -> Outcome:
    if fact.at_ms < now_ms - rule.late_s * 1000 and state.phase == "idle":
        return _too_late(rule, state, fact, holds=holds)
    if isinstance(fact, Event) and holds and state.phase == "firing":
        reason = _reason(rule.when, fact)
        return Outcome(state=replace(state, at_ms=fact.at_ms, reason=reason), transition="repeat", reason=reason)
    return elapse(rule, _moved(rule, state, fact, holds=holds), fact.at_ms)


def _too_late(rule: Rule, state: RuleState, fact: Observation, *, holds: bool) -> Outcome:
    if not holds:
        return Outcome(state=replace(state, at_ms=fact.at_ms, reason={}))
    reason = _reason(rule.when, fact)
    told = bool(state.reason.get("late")) and not isinstance(fact, Event)
    after = replace(state, at_ms=fact.at_ms, reason={**reason, "late": True})
    return Outcome(state=after, transition=None if told else "late", reason=reason)


def elapse(rule: Rule, state: RuleState, now_ms: int) -> Outcome:
    """Let time pass: pending fires when its `for_s` is over, clearing clears when its `keep_firing_for_s` is."""
    due = _due(rule, state)
    if due is None or due > now_ms:
        return Outcome(state=state, due_ms=due, reason=state.reason)
    if state.phase == "pending":
        return Outcome(state=replace(state, phase="firing", since_ms=due), transition="raise", reason=state.reason)
    return Outcome(state=replace(state, phase="idle", since_ms=due), transition="clear", reason=state.reason)


def _moved(rule: Rule, state: RuleState, fact: Observation, *, holds: bool) -> RuleState:
    phase = _FOLLOWING.get((state.phase, holds))
    if phase is not None:
        return RuleState(phase=phase, since_ms=fact.at_ms, at_ms=fact.at_ms, reason=_reason(rule.when, fact))
    # Not `replace`: most of what is judged changes nothing, thousands of times a second.
    return RuleState(phase=state.phase, since_ms=state.since_ms, at_ms=fact.at_ms, reason=state.reason)


def _due(rule: Rule, state: RuleState) -> int | None:
    if state.phase == "pending":
        return state.since_ms + round(rule.for_s * 1000)
    if state.phase == "clearing":
        return state.since_ms + round(rule.keep_firing_for_s * 1000)
    return None


def _holds(condition: StateIs | Threshold | EventIs, fact: Observation, *, firing: bool) -> bool | None:
    """True or False when the fact speaks to the condition, None when it says nothing."""
    if isinstance(condition, EventIs):
        return _event_holds(condition, fact) if isinstance(fact, Event) else None
    if not isinstance(fact, Reading) or fact.metric != condition.metric or fact.value is None or fact.quality == "bad":
        return None
    if isinstance(condition, StateIs):
        return fact.value == condition.equals
    return _beyond(condition, fact.value, firing=firing)


def _event_holds(condition: EventIs, fact: Event) -> bool | None:
    if fact.kind == condition.kind:
        return True if all(fact.data.get(k) == v for k, v in condition.match.items()) else None
    return False if condition.clear_kind is not None and fact.kind == condition.clear_kind else None


def _beyond(condition: Threshold, value: Value, *, firing: bool) -> bool | None:
    if isinstance(value, str):
        return None
    slack = condition.hysteresis if firing else 0.0
    high = condition.above is not None and value > condition.above - slack
    low = condition.below is not None and value < condition.below + slack
    return high or low


def _reason(condition: StateIs | Threshold | EventIs, fact: Observation) -> Mapping[str, Any]:
    """Why, in plain values that a catalogue sentence names: measured value beside the limit."""
    if isinstance(fact, Event):
        return {"event": fact.kind, "at_ms": fact.at_ms, "data": dict(fact.data)}
    reason: dict[str, Any] = {"metric": fact.metric, "value": fact.value, "at_ms": fact.at_ms}
    reason |= {} if fact.quality == "good" else {"quality": fact.quality}
    if isinstance(condition, StateIs):
        return reason | {"equals": condition.equals}
    if isinstance(condition, Threshold):
        return reason | {"above": condition.above, "below": condition.below}
    return reason
