"""The gateway and the cloud agree: the same rule over the same samples comes to the same, through both adapters.

What the gateway keeps over a restart is what its pipeline would have stored. Two things are not asked for, because no
order of words can give them: agreement about a sample that arrives late and says that a duration, which was over at the
gateway, was not; and about one that is older than the newest before a kill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud.alerting.judge import BEHIND_MS, Judge, Subject, moment
from cloud.domain.policy import builtin
from edge.actions import Task
from edge.outbox.store import RuleRecord
from edge.rules import LocalRules, not_ahead
from protocols.events import Event, Observation, Reading
from protocols.rules import Rule
from tests.unit.alerting.test_judge import Memory

T0 = 1_767_225_600_000
DAY_MS = 86_400_000
DEVICE, GATEWAY = 7, 70
CODE = "probe-1"
SUBJECT = Subject(device_id=DEVICE, gateway_id=GATEWAY, place_id=None)
DURATIONS = st.sampled_from([0.0, 5.0, 30.0])
SIREN: dict[str, Any] = {"code": "probe", "actions": [{"device": "siren-1", "output": "sound"}]}


def rule_of(when: dict[str, Any], for_s: float, keep_s: float, late_s: float) -> Rule:
    times = {"for_s": for_s, "keep_firing_for_s": keep_s, "late_s": late_s}
    return Rule.model_validate(SIREN | {"when": when} | times)


QUALITIES = st.sampled_from(["good", "good", "good", "uncertain", "bad"])
SMOKE = st.tuples(st.just("smoke"), st.sampled_from([True, False, True, False, None]), QUALITIES)
WARMTH = st.tuples(st.just("temperature"), st.sampled_from([1.5, 2.0, 7.0, 7.5, 8.0, 9.0, None]), QUALITIES)
KINDS = st.sampled_from(["access.forced", "access.closed", "access.denied"])
EVENTS = st.tuples(KINDS, st.sampled_from(["unknown", "door"]), st.just("good"))
CONDITIONS: list[tuple[dict[str, Any], st.SearchStrategy[tuple[str, Any, str]]]] = [
    ({"type": "state", "metric": "smoke"}, SMOKE),
    ({"type": "threshold", "metric": "temperature", "above": 8.0, "hysteresis": 1.0}, WARMTH),
    ({"type": "threshold", "metric": "temperature", "below": 2.0, "above": 8.0}, WARMTH),
    ({"type": "event", "kind": "access.forced", "clear_kind": "access.closed"}, EVENTS),
    ({"type": "event", "kind": "access.denied", "match": {"reason": "unknown"}}, EVENTS),
]


@dataclass(frozen=True)
class Seen:
    """An observation as ingest hands it to the judge."""

    observation: Observation
    device_id: int = DEVICE
    device_code: str = CODE
    device_type: str | None = "smoke"
    gateway_id: int = GATEWAY
    place_id: int | None = None
    place_path: str | None = None


@dataclass(frozen=True)
class Sample:
    """What the probe tells `after_ms` later, `old_ms` ago by then; `restart`: the gateway dies just before."""

    what: tuple[str, Any, str]
    after_ms: int
    old_ms: int = 0
    restart: bool = False

    def at(self, at_ms: int) -> Observation:
        name, value, quality = self.what
        if name in ("smoke", "temperature"):
            return Reading(device=CODE, metric=name, value=value, at_ms=at_ms, quality=quality)  # type: ignore[arg-type]
        return Event(device=CODE, kind=name, at_ms=at_ms, data={"reason": value})


OLD = st.sampled_from([0, 0, 0, 3_000, 25_000, 100_000])
STEPS = st.sampled_from([0, 1_000, 5_000, 10_000, 29_999, 30_000, 60_000])


@st.composite
def scenes(draw: st.DrawFn, *, late: bool) -> tuple[Rule, list[Sample]]:
    """A rule, and samples that speak to it; `late`: some come late, else the gateway is killed at times."""
    when, what = draw(st.sampled_from(CONDITIONS))
    late_s = draw(st.sampled_from([20.0, 3600.0])) if late else 3600.0
    rule = rule_of(when, draw(DURATIONS), draw(DURATIONS), late_s)
    prompt = st.builds(Sample, what, STEPS, st.just(0), st.booleans())
    samples = st.builds(Sample, what, STEPS, OLD, st.just(False)) if late else prompt
    return rule, draw(st.lists(samples, min_size=1, max_size=12))


@dataclass
class Gateway:
    """`LocalRules`, with what its pipeline would have stored."""

    rule: Rule
    stored: dict[tuple[str, str], RuleRecord] = field(default_factory=dict)
    acted: list[Task] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start(T0)

    def start(self, now_ms: int) -> None:
        records = not_ahead(self.stored.values(), now_ms)
        self.rules = LocalRules([self.rule], {CODE: "smoke", "siren-1": "siren"}, records, self.acted.append)

    def pass_time(self, now_ms: int) -> None:
        while (due := self.rules.due_ms()) is not None and due <= now_ms:
            self.rules.elapse(due)
        self._store()

    def judge(self, fact: Observation, now_ms: int) -> None:
        self.rules.judge(fact, now_ms)
        self.rules.elapse(now_ms)
        self._store()

    def _store(self) -> None:
        self.stored |= {(record.rule, record.device): record for record in self.rules.take_changes()}

    @property
    def standing(self) -> tuple[str, int, int]:
        record = self.stored.get(("probe", CODE))
        phase, since_ms = (record.state.phase, record.state.since_ms) if record else ("idle", 0)
        return phase, since_ms, len(self.acted)


@dataclass
class Cloud:
    """`Judge`, over a store in memory; timers are handled when `pass_time` says so."""

    rule: Rule
    store: Memory = field(default_factory=lambda: Memory(gateways={DEVICE: GATEWAY}))

    def __post_init__(self) -> None:
        self.judged = Judge([self.rule], builtin())

    def pass_time(self, now_ms: int) -> None:
        key = ("probe", DEVICE)
        while (due := self.store.timers.pop(key, None)) is not None and due <= moment(now_ms):
            again = self.judged.elapse(self.store, key, SUBJECT, round(due.timestamp() * 1000))
            if again is not None:
                self.store.timers[key] = moment(again)
        if due is not None:
            self.store.timers[key] = due

    def judge(self, facts: Sequence[Observation], now_ms: int) -> None:
        self.judged.judge(self.store, [Seen(fact) for fact in facts], now_ms)

    @property
    def standing(self) -> tuple[str, int, int]:
        state = self.store.state.get(("probe", DEVICE))
        acted = len(self.store.alarms) + sum(alarm.repeats for alarm in self.store.alarms)
        return (state.phase, state.since_ms, acted) if state else ("idle", 0, acted)


@given(scenes(late=True))
def test_the_same_samples_at_the_same_moments(scene: tuple[Rule, list[Sample]]) -> None:
    """Null, bad, uncertain, late, turned back: after every sample both stand at the same."""
    rule, samples = scene
    gateway, cloud, now_ms = Gateway(rule), Cloud(rule), T0
    for sample in samples:
        now_ms += sample.after_ms
        for side in (gateway, cloud):
            side.pass_time(now_ms)
        fact = sample.at(now_ms - sample.old_ms)
        gateway.judge(fact, now_ms)
        cloud.judge([fact], now_ms)
        cloud.pass_time(now_ms + BEHIND_MS)
        gateway.pass_time(now_ms + BEHIND_MS)
        now_ms += BEHIND_MS
        assert gateway.standing == cloud.standing
    for side in (gateway, cloud):
        side.pass_time(now_ms + DAY_MS)
    assert gateway.standing == cloud.standing


@given(scenes(late=False), st.lists(st.integers(1, 5), min_size=12, max_size=12), st.integers(0, 1_000_000))
def test_the_cloud_hears_of_everything_later_at_once_or_in_pieces(
    scene: tuple[Rule, list[Sample]], pieces: list[int], away_ms: int
) -> None:
    """The gateway judges live, and is killed at times; the cloud was away and gets the same in bites."""
    rule, samples = scene
    gateway, cloud, now_ms = Gateway(rule), Cloud(rule), T0
    facts: list[Observation] = []
    for sample in samples:
        now_ms += sample.after_ms
        gateway.pass_time(now_ms)
        if sample.restart:
            gateway.start(now_ms)
        facts.append(sample.at(now_ms))
        gateway.judge(facts[-1], now_ms)
    heard_ms = now_ms + away_ms
    for piece in pieces:
        bite, facts = facts[:piece], facts[piece:]
        cloud.judge(bite, heard_ms)
        heard_ms += 100
    assert facts == []
    for side in (gateway, cloud):
        side.pass_time(heard_ms + DAY_MS)
    assert gateway.standing == cloud.standing
