"""Every rule that can be seen on the wire, broken once: the monitor reports it under its ids, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import ModuleType

import pytest

from protocols.sparkplug.actions import Publish
from protocols.sparkplug.monitor import Connect, Monitor, Rule, Violation, connects, content, rules
from tests.unit.sparkplug.monitored import NOW, ndeath, play, script
from tests.unit.sparkplug.planted import Spoil, per_type, per_type_once, sessions
from tests.unit.sparkplug.planted_content import contents, metrics_and_states

WIRE = [*per_type(), *per_type_once(), *sessions(), *metrics_and_states(), *contents()]


def told(violations: list[Violation]) -> list[tuple[str, ...]]:
    return [(found.rule, *found.also) for found in violations]


def ids(rule: Rule) -> tuple[str, ...]:
    return tuple(f"tck-id-{name}" for name in rule.ids)


def test_faultless_traffic() -> None:
    monitor = Monitor(primary_hosts=["cloud"])
    assert play(script(), monitor) == []
    assert (monitor.nodes, monitor.messages) == (1, len(script()))
    assert monitor.stored_states(["cloud"], NOW) == []


@pytest.mark.parametrize(("rule", "spoil"), WIRE, ids=[f"{rule.ids[0]}-{n}" for n, (rule, _) in enumerate(WIRE)])
def test_planted(rule: Rule, spoil: Spoil) -> None:
    steps = script()
    spoil(steps)
    found = play(steps)
    assert told(found) == [ids(rule)], found
    assert found[0].must == rule.must


WILL = Publish(topic="spBv1.0/estate/NDEATH/gw1", payload=ndeath(4).SerializeToString(), qos=1)
STATE_WILL = Publish(
    topic="spBv1.0/STATE/cloud",
    payload=json.dumps({"online": False, "timestamp": NOW}).encode(),
    qos=1,
    retain=True,
)
WITH_SEQ = ndeath(4)
WITH_SEQ.seq = 1
NODE_CONNECTS: list[tuple[Rule, Connect]] = [
    (connects.NODE_CLEAN[False], Connect(clean=False, will=WILL)),
    (connects.NODE_CLEAN[True], Connect(clean=True, will=WILL, expiry_s=60)),
    (connects.NODE_CLEAN[True], Connect(clean=False, will=WILL, expiry_s=0)),
    (connects.NODE_WILL, Connect(clean=True, will=None)),
    (connects.NODE_WILL_TOPIC, Connect(clean=True, will=replace(WILL, topic="spBv1.0/estate/NDEATH/gw2"))),
    (connects.NODE_WILL_QOS, Connect(clean=True, will=replace(WILL, qos=0))),
    (connects.NODE_WILL_RETAIN, Connect(clean=True, will=replace(WILL, retain=True))),
    (connects.NODE_WILL_PAYLOAD, Connect(clean=True, will=replace(WILL, payload=b"\xff"))),
    (connects.NODE_WILL_SEQ, Connect(clean=True, will=replace(WILL, payload=WITH_SEQ.SerializeToString()))),
    (connects.NODE_WILL_BDSEQ, Connect(clean=True, will=replace(WILL, payload=b""))),
    (connects.NODE_WILL_STEP, Connect(clean=True, will=replace(WILL, payload=ndeath(5).SerializeToString()))),
]
HOST_CONNECTS: list[tuple[Rule, Connect]] = [
    (connects.HOST_CLEAN[False], Connect(clean=False, will=STATE_WILL)),
    (connects.HOST_CLEAN[True], Connect(clean=True, will=STATE_WILL, expiry_s=60)),
    (connects.HOST_WILL, Connect(clean=True, will=None)),
    (connects.HOST_WILL_TOPIC, Connect(clean=True, will=replace(STATE_WILL, topic="STATE/cloud"))),
    (connects.HOST_WILL_QOS, Connect(clean=True, will=replace(STATE_WILL, qos=0))),
    (connects.HOST_WILL_RETAIN, Connect(clean=True, will=replace(STATE_WILL, retain=False))),
    (connects.HOST_WILL_PAYLOAD, Connect(clean=True, will=replace(STATE_WILL, payload=b"OFFLINE"))),
    (
        connects.HOST_WILL_TIME,
        Connect(clean=True, will=replace(STATE_WILL, payload=b'{"online":false,"timestamp":5}')),
    ),
]


@pytest.mark.parametrize(("rule", "facts"), NODE_CONNECTS)
def test_planted_in_the_connect_of_a_node(rule: Rule, facts: Connect) -> None:
    monitor = Monitor()
    before = replace(WILL, payload=ndeath(3).SerializeToString())
    assert monitor.node_connected(("estate", "gw1"), Connect(clean=True, will=before, expiry_s=0), NOW) == []
    assert told(monitor.node_connected(("estate", "gw1"), facts, NOW)) == [ids(rule)]


@pytest.mark.parametrize(("rule", "facts"), HOST_CONNECTS)
def test_planted_in_the_connect_of_a_host(rule: Rule, facts: Connect) -> None:
    assert Monitor().host_connected("cloud", Connect(clean=True, will=STATE_WILL), NOW) == []
    assert told(Monitor().host_connected("cloud", facts, NOW)) == [ids(rule)]


def test_births_are_held_against_the_wills() -> None:
    monitor = Monitor()
    monitor.node_connected(("estate", "gw1"), Connect(clean=True, will=WILL), NOW)
    monitor.host_connected("cloud", Connect(clean=True, will=STATE_WILL), NOW)
    first = script()[:2]
    assert play(first, monitor) == []
    first[0].data = json.dumps({"online": True, "timestamp": NOW + 1}).encode()
    first[1].metric("bdSeq").long_value = 5
    assert told(play(first, monitor)) == [ids(rules.STATE_WILL), ids(rules.BDSEQ_WILL)]


@pytest.mark.parametrize("online", [True, False])
def test_a_state_that_is_not_stored(online: bool) -> None:
    monitor = Monitor()
    play(script()[:1] if online else script(), monitor)
    assert told(monitor.stored_states([], NOW)) == [ids(rules.STATE_RETAIN[online])]


def test_who_comes_in_the_middle_accuses_nobody() -> None:
    for start in range(len(script())):
        steps = script()[start:]
        assert play(steps) == []
        monitor = Monitor()
        play(script()[:start], monitor)
        monitor.lost()
        assert play(steps, monitor) == []


def test_the_death_of_the_session_before_comes_late() -> None:
    steps = script()
    late = next(step for step in steps if step.name == "ndeath")
    steps.remove(late)
    steps.append(late)
    assert play(steps) == []


def test_every_rule_is_planted() -> None:
    planted = {rule for rule, _ in [*WIRE, *NODE_CONNECTS, *HOST_CONNECTS]}
    planted |= {rules.STATE_WILL, rules.BDSEQ_WILL, *rules.STATE_RETAIN.values()}
    missing = [rule.ids for module in (rules, content, connects) for rule in _rules(module) if rule not in planted]
    assert not missing


def _rules(module: ModuleType) -> Iterator[Rule]:
    for value in vars(module).values():
        if isinstance(value, Rule):
            yield value
        elif isinstance(value, Mapping):
            yield from (rule for rule in value.values() if isinstance(rule, Rule))
