"""The judge: every observation against every rule that watches it, once, in the transaction that stores it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from cloud.alerting.grouping import choose
from cloud.alerting.port import AlarmStore, Condition, Fact, Key
from cloud.domain.places import holds_at
from cloud.domain.policy import Policies
from protocols.events import Reading
from protocols.rules import EventIs, Outcome, Rule, RuleState, Transition, elapse, follow

GATEWAY_OFFLINE: Final = "gateway-offline"
DEVICE_OFFLINE: Final = "device-offline"
BEHIND_MS: Final = 2_000
"""A duration that is over by now although it was told just now came late: what ends it may be right behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The device that a condition is on."""

    device_id: int
    gateway_id: int
    place_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A rule's state on a device has changed in a way that people see. `actual`: whatever walk test there was."""

    rule: Rule
    subject: Subject
    transition: Transition
    since_ms: int
    reason: Mapping[str, Any]
    actual: bool = False

    @property
    def key(self) -> Key:
        """One condition on one thing."""
        return self.rule.code, self.subject.device_id

    @property
    def testable(self) -> bool:
        """Whether a walk test may claim it: the gateway knew the time of what it told."""
        data = self.reason.get("data", {})
        known = data.get("time") not in ("estimated", "unknown") and self.reason.get("quality", "good") == "good"
        return known and not self.actual


class Judge:
    """Holds the rules in force. Thread-safe: everything that changes is in the store of the caller's transaction."""

    def __init__(self, rules: Iterable[Rule], policies: Policies) -> None:
        self._policies = policies
        self._rules = {rule.code: rule for rule in rules}
        self._by_metric: dict[str, tuple[Rule, ...]] = {}
        self._by_kind: dict[str, tuple[Rule, ...]] = {}
        for rule in self._rules.values():
            if isinstance(rule.when, EventIs):
                for kind in filter(None, (rule.when.kind, rule.when.clear_kind)):
                    self._by_kind[kind] = (*self._by_kind.get(kind, ()), rule)
            else:
                self._by_metric[rule.when.metric] = (*self._by_metric.get(rule.when.metric, ()), rule)

    def watches_metric(self, device_type: str | None, metric: str) -> bool:
        """Whether any rule looks at this metric of this device type; other readings need not become facts."""
        return any(
            rule.where.devices or not rule.where.types or device_type in rule.where.types
            for rule in self._by_metric.get(metric, ())
        )

    def judge(self, store: AlarmStore, facts: Sequence[Fact], now_ms: int) -> None:
        """Judge facts in their order; states, alarms, incidents and timers go to the store."""
        pairs = [(rule, fact) for fact in facts for rule in self._watching(fact)]
        if not pairs:
            return
        before = store.states(sorted({(rule.code, fact.device_id) for rule, fact in pairs}))
        states = dict(before)
        changes: list[Change] = []
        due: dict[Key, int] = {}
        for rule, fact in pairs:
            key = rule.code, fact.device_id
            # A gateway's clock may run ahead: its fact is then judged at its own time.
            now = max(now_ms, fact.observation.at_ms)
            for outcome in follow(rule, states.get(key, RuleState()), fact.observation, now):
                states[key] = outcome.state
                _note_due(due, key, outcome)
                if outcome.transition is not None:
                    subject = Subject(device_id=fact.device_id, gateway_id=fact.gateway_id, place_id=fact.place_id)
                    changes.append(_change(rule, subject, outcome))
        store.save({key: state for key, state in states.items() if before.get(key) != state})
        for key, at_ms in due.items():
            store.look_again(key, moment(at_ms if at_ms > now_ms else now_ms + BEHIND_MS))
        self._apply(store, changes, moment(now_ms))

    def elapse(self, store: AlarmStore, key: Key, subject: Subject, now_ms: int) -> int | None:
        """Let time pass for one condition; when to look again (ms since 1970 UTC), if ever."""
        rule = self._rules.get(key[0])
        state = store.states([key]).get(key)
        if rule is None or state is None:
            return None
        outcome = elapse(rule, state, now_ms)
        if outcome.transition is not None:
            store.save({key: outcome.state})
            self._apply(store, [_change(rule, subject, outcome)], moment(now_ms))
        return outcome.due_ms if outcome.transition is None else None

    def release(self, store: AlarmStore, gateway_id: int, subjects: Mapping[int, Subject], now: datetime) -> None:
        """The gateway is back: what its devices' alarms were held back for, and still is so, is raised now."""
        if store.gateway_is_silent(gateway_id):
            return
        rule = self._rules.get(DEVICE_OFFLINE)
        keys = sorted(store.suppressed(DEVICE_OFFLINE, gateway_id))
        if rule is None or not keys:
            return
        states = store.states(keys)
        firing = [(key, states[key]) for key in keys if states[key].phase == "firing" and key[1] in subjects]
        changes = [
            Change(
                rule=rule, subject=subjects[key[1]], transition="repeat", since_ms=state.since_ms, reason=state.reason
            )
            for key, state in firing
        ]
        self._apply(store, changes, now)

    def end_test(self, store: AlarmStore, test: UUID, subjects: Mapping[int, Subject], now: datetime) -> None:
        """The walk test is over: its alarms end with it, and what still holds is an alarm like any other."""
        keys = sorted(store.tested(test))
        states = store.states(keys)
        store.end_tested(test, now)
        changes = [
            Change(
                rule=rule,
                subject=subjects[key[1]],
                transition="repeat",
                since_ms=states[key].since_ms,
                reason=states[key].reason,
                actual=True,
            )
            for key in keys
            if (rule := self._rules.get(key[0])) is not None and key[1] in subjects and _holds_on(rule, states[key])
        ]
        self._apply(store, changes, now)

    def _watching(self, fact: Fact) -> Iterable[Rule]:
        seen = fact.observation
        known, name = (self._by_metric, seen.metric) if isinstance(seen, Reading) else (self._by_kind, seen.kind)
        rules = known.get(name, ())
        return (rule for rule in rules if rule.watches(fact.device_code, fact.device_type) and _inside(rule, fact))

    def _apply(self, store: AlarmStore, changes: Sequence[Change], now: datetime) -> None:
        # A gateway's silence comes first: it holds back the alarms of its devices.
        changes = sorted(changes, key=lambda change: change.rule.code != GATEWAY_OFFLINE)
        rising = [change for change in changes if change.transition not in ("clear", "late")]
        store.hold_grouping(_communities(store, rising))
        for change in changes:
            if change.transition == "late":
                store.too_late(change.key, change.reason, moment(change.since_ms), now)
            elif change.transition == "clear":
                store.clear(change.key, change.reason, moment(change.since_ms), now)
            elif change.transition == "raise" or not _repeats(store, change, now):
                self._raise(store, change, now)

    def _raise(self, store: AlarmStore, change: Change, now: datetime) -> None:
        rule, subject = change.rule, change.subject
        if rule.code == DEVICE_OFFLINE and store.gateway_is_silent(subject.gateway_id):
            return  # the state is kept as firing: `release` raises it if it outlasts the gateway's silence
        condition = Condition(
            rule_code=rule.code,
            device_id=subject.device_id,
            gateway_id=subject.gateway_id,
            place_id=subject.place_id,
            severity=rule.severity,
            response=rule.response,
            reason=change.reason,
            raised_at=moment(change.since_ms),
        )
        test = _test(store, change, now) if change.testable else None
        if test is not None:
            store.raise_test(condition, test, now)
            return
        policy = self._policies.of(rule.response, rule.code)
        line = store.line(subject.place_id)
        known = store.open_incidents(rule.code, rule.response, _community(line))
        incident_id, why = choose(condition, line, policy, known, now)
        if incident_id is None:
            store.raise_alarm(condition, store.open_incident(condition, policy, now, why), now)
        else:
            store.join(incident_id, condition, store.raise_alarm(condition, incident_id, now), now, why)


def moment(ms: int) -> datetime:
    """Milliseconds since 1970 UTC as an aware UTC time."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def _change(rule: Rule, subject: Subject, outcome: Outcome) -> Change:
    assert outcome.transition is not None
    at = (
        outcome.reason.get("at_ms", outcome.state.since_ms)
        if outcome.transition in ("repeat", "late")
        else outcome.state.since_ms
    )
    return Change(rule=rule, subject=subject, transition=outcome.transition, since_ms=at, reason=outcome.reason)


def _repeats(store: AlarmStore, change: Change, now: datetime) -> bool:
    return store.repeat(change.key, change.reason, moment(change.since_ms), now, testable=change.testable)


def _test(store: AlarmStore, change: Change, now: datetime) -> UUID | None:
    """The walk test in which the condition both began and fired, if it was told in time for it."""
    fired, began = moment(change.since_ms), moment(change.since_ms - round(change.rule.for_s * 1000))
    return store.test_covering(change.subject.gateway_id, began, fired, now)


def _holds_on(rule: Rule, state: RuleState) -> bool:
    """Whether the condition still is so; an event that nothing clears was a moment."""
    lasting = not isinstance(rule.when, EventIs) or rule.when.clear_kind is not None
    return lasting and state.phase in ("firing", "clearing")


def _note_due(due: dict[Key, int], key: Key, outcome: Outcome) -> None:
    if outcome.transition is None and outcome.due_ms is not None:
        due[key] = outcome.due_ms
    else:
        due.pop(key, None)


def _inside(rule: Rule, fact: Fact) -> bool:
    return rule.where.place is None or (fact.place_path is not None and holds_at(rule.where.place, fact.place_path))


def _communities(store: AlarmStore, changes: Iterable[Change]) -> set[str]:
    return {_community(store.line(change.subject.place_id)) for change in changes}


def _community(line: Sequence[Any]) -> str:
    within: str = next((place.path for place in line if place.kind == "community"), line[0].path if line else "")
    return within
