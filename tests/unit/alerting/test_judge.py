"""Rules to alarms to incidents, as scripts in time over a store in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from cloud.alerting.builtin import builtin_rules
from cloud.alerting.judge import Judge, Subject, moment
from cloud.alerting.port import Condition, Key, OpenIncident
from cloud.domain.places import Place
from cloud.domain.policy import Policy, builtin
from cloud.loop.walktests import DELIVERED
from protocols.catalog import DEVICE_TYPES
from protocols.events import Event, Observation, Reading
from protocols.rules import EventIs, RuleState, StateIs, Threshold

T0 = 1_767_225_600_000  # 2026-01-01 UTC, ms


@dataclass(slots=True)
class _Alarm:
    rule: str
    device: int
    incident: int
    raised_at: datetime
    repeats: int = 0
    active: bool = True
    test: UUID | None = None


@dataclass(slots=True)
class Memory:
    """`AlarmStore` in memory: what every promise of the port comes to without a database."""

    places: Mapping[int, Sequence[Place]] = field(default_factory=dict)
    gateways: Mapping[int, int] = field(default_factory=dict)
    state: dict[Key, RuleState] = field(default_factory=dict)
    timers: dict[Key, datetime] = field(default_factory=dict)
    alarms: list[_Alarm] = field(default_factory=list)
    incidents: list[OpenIncident] = field(default_factory=list)
    saved: int = 0
    late: list[tuple[str, int]] = field(default_factory=list)
    walks: dict[UUID, tuple[int, datetime, datetime]] = field(default_factory=dict)

    def states(self, keys: Sequence[Key]) -> Mapping[Key, RuleState]:
        return {key: self.state.get(key, RuleState()) for key in keys}

    def save(self, states: Mapping[Key, RuleState]) -> None:
        self.saved += len(states)
        self.state |= states

    def look_again(self, key: Key, at: datetime) -> None:
        self.timers.setdefault(key, at)

    def gateway_is_silent(self, gateway_id: int) -> bool:
        return any(
            a.rule == "gateway-offline" and a.active and self.gateways[a.device] == gateway_id for a in self.alarms
        )

    def hold_grouping(self, paths: Collection[str]) -> None:
        pass

    def line(self, place_id: int | None) -> Sequence[Place]:
        return self.places.get(place_id or 0, ())

    def open_incidents(self, kind: str, response: str, within: str) -> Sequence[OpenIncident]:
        return [i for i in reversed(self.incidents) if i.kind == kind or i.response == response]

    def open_incident(self, condition: Condition, policy: Policy, now: datetime, why: Mapping[str, Any]) -> int:
        number = len(self.incidents) + 1
        opened = OpenIncident(
            id=number,
            kind=condition.rule_code,
            response=condition.response,
            state="filed",
            opened_at=now,
            line=self.line(condition.place_id),
        )
        self.incidents.append(opened)
        return number

    def join(
        self, incident_id: int, condition: Condition, alarm_id: int, now: datetime, why: Mapping[str, Any]
    ) -> None:
        pass

    def raise_alarm(self, condition: Condition, incident_id: int, now: datetime) -> int:
        assert not any(
            a.active and (a.rule, a.device) == (condition.rule_code, condition.device_id) for a in self.alarms
        )
        self.alarms.append(_Alarm(condition.rule_code, condition.device_id, incident_id, condition.raised_at))
        return len(self.alarms)

    def test_covering(self, gateway_id: int, first: datetime, last: datetime, now: datetime) -> UUID | None:
        return next(
            (
                test
                for test, (of, begin, end) in self.walks.items()
                if of == gateway_id and begin <= first and last < end and now < end + DELIVERED
            ),
            None,
        )

    def raise_test(self, condition: Condition, test: UUID, now: datetime) -> None:
        self.raise_alarm(condition, 0, now)
        self.alarms[-1].test = test

    def too_late(self, key: Key, reason: Mapping[str, Any], at: datetime, now: datetime) -> None:
        self.late.append((key[0], round(at.timestamp() - T0 / 1000)))

    def tested(self, test: UUID) -> Sequence[Key]:
        return [(alarm.rule, alarm.device) for alarm in self.alarms if alarm.active and alarm.test == test]

    def end_tested(self, test: UUID, now: datetime) -> None:
        for alarm in self.alarms:
            alarm.active = alarm.active and alarm.test != test

    def repeat(self, key: Key, reason: Mapping[str, Any], at: datetime, now: datetime, *, testable: bool) -> bool:
        for alarm in self.alarms:
            if alarm.test is not None and (alarm.rule, alarm.device) == key:
                _, begin, end = self.walks[alarm.test]
                alarm.active = alarm.active and testable and begin <= at < end and now < end + DELIVERED
        for alarm in self.alarms:
            if alarm.active and (alarm.rule, alarm.device) == key:
                alarm.repeats += 1
                return True
        return False

    def clear(self, key: Key, reason: Mapping[str, Any], at: datetime, now: datetime) -> None:
        for alarm in self.alarms:
            if (alarm.rule, alarm.device) == key:
                alarm.active = False

    def suppressed(self, rule_code: str, gateway_id: int) -> Sequence[Key]:
        active = {(a.rule, a.device) for a in self.alarms if a.active}
        return [
            key
            for key, state in self.state.items()
            if key[0] == rule_code
            and state.phase == "firing"
            and self.gateways[key[1]] == gateway_id
            and key not in active
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    device_id: int
    device_code: str
    device_type: str | None
    observation: Observation
    place_id: int | None = 1
    gateway_id: int = 100
    place_path: str | None = "s/c/e/3/502"


def _line(*homes: tuple[int, str]) -> Mapping[int, Sequence[Place]]:
    street = Place(id=90, path="s", kind="street", name={})
    community = Place(id=91, path="s/c", kind="community", name={})
    estate = Place(id=92, path="s/c/e", kind="estate", name={})
    return {
        number: (
            street,
            community,
            estate,
            Place(id=93, path=f"s/c/e/{path.split('/')[0]}", kind="building", name={}),
            Place(id=number, path=f"s/c/e/{path}", kind="home", name={}),
        )
        for number, path in homes
    }


class Script:
    """A street whose devices tell things, second by second."""

    def __init__(self) -> None:
        self.judge = Judge(builtin_rules(), builtin())
        self.store = Memory(
            places=_line((1, "3/502"), (2, "3/503"), (3, "4/101")), gateways={0: 100, 1: 100, 2: 100, 3: 100}
        )

    def reads(self, at_s: float, type_: str, metric: str, value: Any, *, device: int = 1, place: int = 1) -> None:
        self.tell(at_s, Reading(device="d", metric=metric, value=value, at_ms=_ms(at_s)), type_, device, place)

    def happens(self, at_s: float, type_: str, kind: str, *, device: int = 1, place: int = 1) -> None:
        self.tell(at_s, Event(device="d", kind=kind, at_ms=_ms(at_s)), type_, device, place)

    def tell(
        self, at_s: float, observation: Observation, type_: str, device: int, place: int, late_s: float = 0
    ) -> None:
        seen = Seen(device_id=device, device_code="d", device_type=type_, place_id=place, observation=observation)
        self.judge.judge(self.store, [seen], _ms(at_s + late_s))

    def wait_until(self, at_s: float) -> None:
        for key, at in sorted(self.store.timers.items(), key=lambda item: item[1]):
            if at <= moment(_ms(at_s)):
                del self.store.timers[key]
                subject = Subject(device_id=key[1], gateway_id=100, place_id=1)
                again = self.judge.elapse(self.store, key, subject, _ms(at_s))
                if again is not None:
                    self.store.timers[key] = moment(again)

    @property
    def alarms(self) -> list[tuple[str, int, bool, int]]:
        return [(a.rule, a.device, a.active, a.repeats) for a in self.store.alarms]


def _ms(at_s: float) -> int:
    return T0 + round(at_s * 1000)


@pytest.fixture
def script() -> Script:
    return Script()


def test_every_builtin_rule_looks_at_what_the_catalogue_has() -> None:
    for rule in builtin_rules():
        for code in rule.where.types:
            row = DEVICE_TYPES[code]
            if isinstance(rule.when, EventIs):
                assert rule.when.kind in row.events
                assert rule.when.clear_kind is None or rule.when.clear_kind in row.events
            else:
                assert isinstance(rule.when, StateIs | Threshold)
                assert row.metric(rule.when.metric) is not None


def test_one_alarm_per_condition_and_thing_even_for_messages_milliseconds_apart(script: Script) -> None:
    for n in range(50):
        script.reads(n / 1000, "smoke", "smoke", value=True)
    assert script.alarms == [("smoke", 1, True, 0)]
    assert len(script.store.incidents) == 1


def test_what_is_true_at_the_start_fires_and_clears(script: Script) -> None:
    script.reads(0, "smoke", "smoke", value=True)
    script.reads(5, "smoke", "smoke", value=False)
    assert script.alarms == [("smoke", 1, False, 0)]


def test_an_older_fact_changes_nothing(script: Script) -> None:
    script.reads(10, "smoke", "smoke", value=False)
    script.tell(5, Reading(device="d", metric="smoke", value=True, at_ms=_ms(5)), "smoke", 1, 1, late_s=6)
    assert script.alarms == []


def test_what_endangers_life_calls_people_a_day_later_and_says_when_it_was(script: Script) -> None:
    smoke = Reading(device="d", metric="smoke", value=True, at_ms=_ms(0))
    told: list[tuple[str, Observation]] = [("smoke", smoke), ("sos-button", sos(0))]
    for device, (kind, observation) in enumerate(told, 1):
        script.tell(0, observation, kind, device, device, late_s=86_000)
    assert script.alarms == [("smoke", 1, True, 0), ("sos", 2, True, 0)]
    assert {alarm.raised_at for alarm in script.store.alarms} == {moment(_ms(0))}
    assert script.store.late == []


def test_what_is_too_late_raises_nothing_and_is_told_once(script: Script) -> None:
    for at_s, value in ((0, True), (5, True), (10, False), (20, True)):
        observation = Reading(device="d", metric="smoke", value=value, at_ms=_ms(at_s))
        script.tell(at_s, observation, "smoke", 1, 1, late_s=90_000)
    for at_s in (30, 31):
        script.tell(at_s, sos(at_s), "sos-button", 2, 2, late_s=90_000)
    assert script.alarms == []
    assert script.store.late == [("smoke", 0), ("smoke", 20), ("sos", 30), ("sos", 31)]
    script.tell(100_000, Reading(device="d", metric="smoke", value=True, at_ms=_ms(100_000)), "smoke", 1, 1)
    assert script.alarms == [("smoke", 1, True, 0)]


def test_a_gateway_whose_clock_runs_ahead_is_believed(script: Script) -> None:
    script.tell(60, Reading(device="d", metric="smoke", value=True, at_ms=_ms(60)), "smoke", 1, 1, late_s=-60)
    assert script.alarms == [("smoke", 1, True, 0)]


def test_too_warm_for_half_a_minute_even_when_no_further_reading_comes(script: Script) -> None:
    script.reads(0, "cold-chain", "temperature", 8.5)
    script.wait_until(29)
    assert script.alarms == []
    script.wait_until(31)
    assert script.alarms == [("cold-chain-warm", 1, True, 0)]
    assert script.store.alarms[0].raised_at == moment(_ms(30))


def test_a_short_peak_is_no_alarm_and_hysteresis_keeps_one(script: Script) -> None:
    script.reads(0, "cold-chain", "temperature", 8.5)
    script.reads(20, "cold-chain", "temperature", 7.9)
    script.wait_until(60)
    assert script.alarms == []
    script.reads(100, "cold-chain", "temperature", 9.0)
    script.reads(140, "cold-chain", "temperature", 9.0)
    for n in range(20):
        script.reads(150 + n, "cold-chain", "temperature", 7.5 + n % 2)
    assert script.alarms == [("cold-chain-warm", 1, True, 0)]
    script.reads(180, "cold-chain", "temperature", 6.9)
    assert script.alarms == [("cold-chain-warm", 1, False, 0)]


def test_an_old_timer_that_comes_too_early_looks_again(script: Script) -> None:
    script.reads(0, "cold-chain", "temperature", 9.0)
    script.reads(10, "cold-chain", "temperature", 5.0)
    script.reads(20, "cold-chain", "temperature", 9.0)
    script.wait_until(31)  # the timer of the first peak
    assert script.alarms == []
    script.wait_until(51)
    assert script.alarms == [("cold-chain-warm", 1, True, 0)]


def test_a_second_call_for_help_counts_and_after_the_end_is_a_new_alarm(script: Script) -> None:
    script.happens(0, "sos-button", "sos")
    script.happens(5, "sos-button", "sos")
    assert script.alarms == [("sos", 1, True, 1)]
    script.store.alarms[0].active = False  # a person has closed it
    script.happens(600, "sos-button", "sos")
    assert script.alarms == [("sos", 1, False, 1), ("sos", 1, True, 0)]


def test_smoke_next_door_is_the_same_fire_and_in_another_building_is_not(script: Script) -> None:
    script.reads(0, "smoke", "smoke", value=True, device=1, place=1)
    script.reads(60, "smoke", "smoke", value=True, device=2, place=2)
    script.reads(61, "smoke", "smoke", value=True, device=3, place=3)
    assert [a.incident for a in script.store.alarms] == [1, 1, 2]


def test_two_calls_for_help_next_door_are_two_people(script: Script) -> None:
    script.happens(0, "sos-button", "sos", device=1, place=1)
    script.happens(1, "sos-button", "sos", device=2, place=2)
    assert [a.incident for a in script.store.alarms] == [1, 2]


def test_smoke_and_a_call_for_help_in_one_home_are_one_incident(script: Script) -> None:
    script.reads(0, "smoke", "smoke", value=True, device=1, place=1)
    script.happens(30, "sos-button", "sos", device=2, place=1)
    assert [a.incident for a in script.store.alarms] == [1, 1]


def test_an_incident_whose_work_is_done_takes_no_more(script: Script) -> None:
    script.reads(0, "smoke", "smoke", value=True, device=1, place=1)
    script.store.incidents[0] = replace(script.store.incidents[0], state="fed-back")
    script.reads(60, "smoke", "smoke", value=True, device=2, place=2)
    assert [a.incident for a in script.store.alarms] == [1, 2]


def test_much_later_the_same_building_is_a_new_incident(script: Script) -> None:
    script.reads(0, "smoke", "smoke", value=True, device=1, place=1)
    script.reads(700, "smoke", "smoke", value=True, device=2, place=2)
    assert [a.incident for a in script.store.alarms] == [1, 2]


def test_a_silent_gateway_holds_back_its_devices_and_what_stays_away_is_raised_afterwards(script: Script) -> None:
    script.happens(0, "gateway", "gateway.offline", device=0)
    script.happens(1, "smoke", "device.offline", device=1)
    script.happens(1, "smoke", "device.offline", device=2)
    assert [a.rule for a in script.store.alarms] == ["gateway-offline"]
    script.happens(60, "gateway", "gateway.online", device=0)
    script.happens(61, "smoke", "device.online", device=1)
    subjects = {n: Subject(device_id=n, gateway_id=100, place_id=1) for n in (1, 2)}
    script.judge.release(script.store, 100, subjects, moment(_ms(90)))
    script.judge.release(script.store, 100, subjects, moment(_ms(91)))
    assert script.alarms == [("gateway-offline", 0, False, 0), ("device-offline", 2, True, 0)]


def test_in_one_transaction_the_gateway_comes_first(script: Script) -> None:
    told = [("device.offline", 1), ("gateway.offline", 0)]
    facts = [
        Seen(device_id=n, device_code="", device_type=None, observation=Event(device="", kind=kind, at_ms=T0))
        for kind, n in told
    ]
    script.judge.judge(script.store, facts, T0)
    assert [a.rule for a in script.store.alarms] == ["gateway-offline"]


def test_what_no_rule_watches_costs_nothing(script: Script) -> None:
    script.reads(0, "power-meter", "power", 120.0)
    script.reads(0, "motion", "temperature", 99.0)
    assert script.store.saved == 0
    assert script.judge.watches_metric("cold-chain", "temperature")
    assert not script.judge.watches_metric("vending", "temperature")
    assert not script.judge.watches_metric(None, "smoke")


def walking(script: Script, first_s: float, last_s: float) -> UUID:
    """A walk test of the gateway, between these times."""
    test = uuid4()
    script.store.walks[test] = (100, moment(_ms(first_s)), moment(_ms(last_s)))
    return test


def over(script: Script, test: UUID, at_s: float) -> None:
    subjects = {n: Subject(device_id=n, gateway_id=100, place_id=n) for n in (1, 2, 3)}
    script.judge.end_test(script.store, test, subjects, moment(_ms(at_s)))


def test_in_a_walk_test_nothing_becomes_an_incident(script: Script) -> None:
    test = walking(script, 0, 60)
    script.reads(5, "smoke", "smoke", value=True)
    script.reads(9, "smoke", "smoke", value=False)
    assert (script.alarms, script.store.incidents) == ([("smoke", 1, False, 0)], [])
    over(script, test, 60)
    assert script.store.incidents == []


def test_what_outlasts_the_walk_test_is_an_alarm_like_any_other(script: Script) -> None:
    test = walking(script, 0, 60)
    script.reads(5, "smoke", "smoke", value=True)
    script.happens(6, "sos-button", "sos", device=2, place=2)
    assert script.store.incidents == []
    over(script, test, 60)
    assert script.alarms == [("smoke", 1, False, 0), ("sos", 2, False, 0), ("smoke", 1, True, 0)]
    assert [incident.kind for incident in script.store.incidents] == ["smoke"], "a pressed button was a moment"


def test_before_and_after_the_walk_test_it_is_meant(script: Script) -> None:
    test = walking(script, 10, 60)
    script.reads(5, "smoke", "smoke", value=True, device=1)
    over(script, test, 60)
    script.reads(61, "smoke", "smoke", value=True, device=2)
    assert [(a.device, a.test, a.active) for a in script.store.alarms] == [(1, None, True), (2, None, True)]


def test_who_calls_for_help_after_the_walk_test_is_heard_though_its_end_was_not_handled_yet(script: Script) -> None:
    walking(script, 0, 60)
    script.happens(50, "sos-button", "sos", device=1, place=1)
    script.happens(61, "sos-button", "sos", device=1, place=1)
    assert [(a.test is None, a.active) for a in script.store.alarms] == [(False, False), (True, True)]
    assert len(script.store.incidents) == 1


def test_what_began_before_the_walk_test_is_meant(script: Script) -> None:
    walking(script, 10, 60)
    script.reads(0, "cold-chain", "temperature", 8.5)
    script.wait_until(31)
    assert [a.test for a in script.store.alarms] == [None]


def test_what_arrives_late_is_judged_by_the_time_at_which_it_was_observed(script: Script) -> None:
    walking(script, 10, 60)
    script.tell(20, Reading(device="d", metric="smoke", value=True, at_ms=_ms(20)), "smoke", 1, 1, late_s=240)
    script.tell(61, Reading(device="d", metric="smoke", value=True, at_ms=_ms(61)), "smoke", 2, 2, late_s=240)
    assert [(a.device, a.test is None) for a in script.store.alarms] == [(1, False), (2, True)]


def sos(at_s: float, **data: str) -> Event:
    return Event(device="d", kind="sos", at_ms=_ms(at_s), data=data)


@pytest.mark.parametrize("time", ["estimated", "unknown"])
def test_a_time_that_the_gateway_did_not_know_makes_no_test(script: Script, time: str) -> None:
    walking(script, 0, 600)
    script.tell(20, sos(20, time=time), "sos-button", 1, 1, late_s=30)
    uncertain = Reading(device="d", metric="smoke", value=True, at_ms=_ms(20), quality="uncertain")
    script.tell(20, uncertain, "smoke", 2, 2, late_s=30)
    assert [(a.rule, a.test) for a in script.store.alarms] == [("sos", None), ("smoke", None)]


def test_who_calls_for_help_beside_a_tested_button_is_heard_though_the_time_is_guessed(script: Script) -> None:
    walking(script, 0, 600)
    script.happens(10, "sos-button", "sos")
    script.tell(20, sos(20, time="estimated"), "sos-button", 1, 1)
    assert [(a.test is None, a.active) for a in script.store.alarms] == [(False, False), (True, True)]


def test_what_is_told_long_after_a_walk_test_is_meant_whatever_the_gateways_clock_says(script: Script) -> None:
    walking(script, 0, 60)
    script.tell(20, sos(20), "sos-button", 1, 1, late_s=600)
    script.happens(50, "sos-button", "sos", device=2, place=2)
    script.tell(55, sos(55), "sos-button", 2, 2, late_s=600)
    alarms = [(a.device, a.test is None, a.active) for a in script.store.alarms]
    assert alarms == [(1, True, True), (2, False, False), (2, True, True)]


def test_other_gateways_are_left_alone(script: Script) -> None:
    test = uuid4()
    script.store.walks[test] = (200, moment(_ms(0)), moment(_ms(60)))
    script.reads(5, "smoke", "smoke", value=True)
    assert len(script.store.incidents) == 1
