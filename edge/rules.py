"""Local rules: judged before anything is stored or sent; a siren sounds also when the disk or the cloud is away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.actions import Task
from edge.config_faults import suggestion
from edge.log import Log
from edge.outbox.store import RuleRecord
from edge.outputs import Wish, contradicts
from protocols.catalog import DEVICE_TYPES, NODE_TYPE
from protocols.errors import ConfigError
from protocols.events import Observation, Value
from protocols.rules import EventIs, Outcome, Rule, RuleState, elapse, follow

Key = tuple[str, str]
"""(rule, device on which it is judged)."""


@dataclass(slots=True)
class _Standing:
    rule: Rule
    record: RuleRecord
    due_ms: int | None = None
    numbers: dict[int, int] = field(default_factory=dict)  # of the wishes for what is owed


Ended = tuple[Task, Wish]
"""What a rule owed, and the later wish that contradicts it."""


def _unnumbered(device: str, output: str, value: Value) -> Wish:
    return Wish(number=0, device=device, output=output, value=value, by="rule")


class LocalRules:
    """The rules of this gateway and their states. One thread; `submit` starts an action and must not block."""

    def __init__(
        self,
        rules: Sequence[Rule],
        types: Mapping[str, str],
        records: Iterable[RuleRecord],
        submit: Callable[[Task], None],
        *,
        want: Callable[[str, str, Value], Wish] = _unnumbered,
        withdraw: Callable[[str, str], None] = lambda rule, device: None,
    ) -> None:
        """`want` gives an action its place in the order of wishes (`edge.outputs`).

        `withdraw` is told of a rule that has cleared on a device. Neither may block.
        """
        self._types, self._submit, self._want, self._withdraw = types, submit, want, withdraw
        self._ended: list[Ended] = []
        self._log = Log("rules")
        self._standing: dict[Key, _Standing] = {}
        self._by_device: dict[str, list[_Standing]] = {}
        self._changed: set[Key] = set()
        self._gone: set[Key] = set()
        stored = {(record.rule, record.device): record for record in records}
        for rule in rules:
            for device, kind in types.items():
                if rule.watches(device, kind):
                    key = (rule.code, device)
                    standing = _Standing(rule, stored.get(key, _fresh(key)))
                    standing.due_ms = elapse(rule, standing.record.state, -1).due_ms
                    self._standing[key] = standing
                    self._by_device.setdefault(device, []).append(standing)
        # A rule that went away owes nothing: should it return, it must not act for what fired weeks ago.
        self._gone.update(key for key in stored.keys() - self._standing.keys() if stored[key] != _fresh(key))

    def due_ms(self) -> int | None:
        """When `elapse` must be called next."""
        return min((s.due_ms for s in self._standing.values() if s.due_ms is not None), default=None)

    def judge(self, fact: Observation, now_ms: int) -> None:
        """Hold one observation against the rules that watch its device."""
        for standing in self._by_device.get(fact.device, ()):
            for outcome in follow(standing.rule, standing.record.state, fact, now_ms):
                self._follow(standing, outcome)

    def elapse(self, now_ms: int) -> None:
        """Let time pass: durations that are over fire or clear."""
        for standing in self._standing.values():
            if standing.due_ms is not None and standing.due_ms <= now_ms:
                self._follow(standing, elapse(standing.rule, standing.record.state, now_ms))

    def resume(self, device: str | None = None) -> None:
        """Do again what firing rules still owe: after a start, or (for one) when `device` answers again."""
        for standing in self._standing.values():
            for index in standing.record.owed:
                known = index < len(standing.rule.actions)
                if known and device in (None, standing.rule.actions[index].device):
                    self._act(standing, index)

    def settled(self, task: Task) -> None:
        """A device confirmed `task`."""
        standing = self._standing.get((task.rule, task.cause))
        if standing is None:  # the rule went away with a new configuration
            return
        owed = tuple(index for index in standing.record.owed if index != task.index)
        self._keep(standing, replace(standing.record, owed=owed))

    def overruled(self, wish: Wish) -> None:
        """Somebody wrote an output: what contradicts it and was wanted before is not owed any more."""
        for standing in self._standing.values():
            for index in standing.record.owed:
                if index >= len(standing.rule.actions) or standing.numbers.get(index, 0) >= wish.number:
                    continue
                task = _task(standing, index)
                if task.device == wish.device and contradicts(self._types, wish, task.output, task.value):
                    self._ended.append((task, wish))
                    owed = tuple(other for other in standing.record.owed if other != index)
                    self._keep(standing, replace(standing.record, owed=owed))

    def take_ended(self) -> list[Ended]:
        """What has been ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def take_changes(self) -> list[RuleRecord]:
        """The records to store since the last call."""
        changed, self._changed = self._changed, set()
        gone, self._gone = self._gone, set()
        return [*map(_fresh, gone), *(self._standing[key].record for key in changed)]

    def put_back(self, records: Iterable[RuleRecord]) -> None:
        """They were not stored: they are part of the next `take_changes`."""
        for record in records:
            key = (record.rule, record.device)
            (self._changed if key in self._standing else self._gone).add(key)

    def succeeded_by(self, rules: Sequence[Rule], types: Mapping[str, str], stored: Iterable[RuleRecord]) -> LocalRules:
        """Other rules, which go on where these stand now; what does not stand here begins anew."""
        unstored = self.take_changes()
        records = [*stored, *unstored, *(standing.record for standing in self._standing.values())]
        heir = LocalRules(rules, types, records, self._submit, want=self._want, withdraw=self._withdraw)
        heir.put_back(unstored)
        heir._ended = self._ended
        for key, standing in self._standing.items():
            if key in heir._standing:
                heir._standing[key].numbers = standing.numbers
            else:
                self._withdraw(*key)
        return heir

    def firing(self) -> list[Key]:
        """Which rules fire on which devices."""
        phases = {key: standing.record.state.phase for key, standing in self._standing.items()}
        return [key for key, phase in phases.items() if phase in ("firing", "clearing")]

    def _follow(self, standing: _Standing, outcome: Outcome) -> None:
        before = standing.record.state
        standing.due_ms = outcome.due_ms if outcome.due_ms is not None else _next_due(standing.rule, outcome.state)
        record = replace(standing.record, state=outcome.state)
        if outcome.transition is not None:
            where = {"rule": standing.rule.code, "device": standing.record.device}
            self._log.info(f"rule-{outcome.transition}", **where, reason=dict(outcome.reason))
        if outcome.transition in ("raise", "repeat"):
            record = replace(record, owed=tuple(range(len(standing.rule.actions))))
            standing.numbers = {}
        elif outcome.transition == "clear":
            record = replace(record, owed=())
            self._withdraw(standing.rule.code, standing.record.device)
        if before.phase != outcome.state.phase or record.owed != standing.record.owed:
            self._keep(standing, record)
        else:
            standing.record = record
        if outcome.transition in ("raise", "repeat"):
            for index in record.owed:
                self._act(standing, index)

    def _act(self, standing: _Standing, index: int) -> None:
        """Have an action done: one that was wanted before keeps its place among the wishes."""
        if index not in standing.numbers:
            action = standing.rule.actions[index]
            wish = self._want(action.device, action.output, action.value)
            standing.numbers[index] = wish.number
            self.overruled(wish)
        self._submit(_task(standing, index))

    def _keep(self, standing: _Standing, record: RuleRecord) -> None:
        standing.record = record
        self._changed.add((record.rule, record.device))


def not_ahead(records: Iterable[RuleRecord], now_ms: int) -> list[RuleRecord]:
    """`records` of an agent before this one; what its clock had ahead of ours by mistake must not blind the rules."""
    kept: list[RuleRecord] = []
    for record in records:
        state = record.state
        state = replace(state, since_ms=min(state.since_ms, now_ms), at_ms=min(state.at_ms, now_ms))
        kept.append(replace(record, state=state))
    return kept


def _fresh(key: Key) -> RuleRecord:
    return RuleRecord(rule=key[0], device=key[1], state=RuleState())


def _task(standing: _Standing, index: int) -> Task:
    action = standing.rule.actions[index]
    return Task(
        rule=standing.rule.code,
        cause=standing.record.device,
        index=index,
        device=action.device,
        output=action.output,
        value=action.value,
        number=standing.numbers.get(index, 0),
    )


def _next_due(rule: Rule, state: RuleState) -> int | None:
    return elapse(rule, state, -1).due_ms


def check_rules(rules: Sequence[Rule], types: Mapping[str, str], source: Path) -> None:
    """Raise ConfigError for a rule that names a device, type, metric, event or output that is not there."""
    for index, rule in enumerate(rules):
        _check_where(rule, f"rule[{index}].where", types, source)
        _check_when(rule, f"rule[{index}].when", types, source)
        for number, action in enumerate(rule.actions):
            at = f"rule[{index}].actions[{number}]"
            _among(action.device, types, f"{at}.device", source)
            row = DEVICE_TYPES[types[action.device]]
            by_rule = tuple(output for output in row.outputs if output not in row.slow)
            _among(action.output, by_rule, f"{at}.output", source)


def _check_where(rule: Rule, at: str, types: Mapping[str, str], source: Path) -> None:
    if rule.where.place is not None:
        raise ConfigError("edge.config.rule-place", file=source, key=f"{at}.place", value=repr(rule.where.place))
    for number, device in enumerate(rule.where.devices):
        _among(device, types, f"{at}.devices[{number}]", source)
    for number, kind in enumerate(rule.where.types):
        _among(kind, DEVICE_TYPES, f"{at}.types[{number}]", source)


def _check_when(rule: Rule, at: str, types: Mapping[str, str], source: Path) -> None:
    watched = {kind for device, kind in types.items() if rule.watches(device, kind)} | set(rule.where.types)
    rows = [DEVICE_TYPES[kind] for kind in watched]
    if isinstance(rule.when, EventIs):
        kinds = {kind for row in (*rows, NODE_TYPE) for kind in row.events}
        _among(rule.when.kind, kinds, f"{at}.kind", source)
    else:
        _among(rule.when.metric, {metric.name for row in rows for metric in row.metrics}, f"{at}.metric", source)


def _among(word: str, allowed: Iterable[str], key: str, source: Path) -> None:
    words = sorted(allowed)
    if word not in words:
        raise ConfigError(
            "edge.config.not-allowed",
            file=source,
            key=key,
            value=repr(word),
            allowed=", ".join(words) or "-",
            hint=suggestion(word, words),
        )
