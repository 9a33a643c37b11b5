"""How to break each rule of a message, an order or a session: one spoiled script per case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.monitor import Rule, rules
from protocols.sparkplug.topics import MessageType
from tests.unit.sparkplug.monitored import NOW, Script, Step, nbirth, ndeath, on, rebirth_request, script

T = MessageType
STEP_OF = {
    T.NBIRTH: "nbirth",
    T.DBIRTH: "dbirth",
    T.NDATA: "ndata",
    T.DDATA: "ddata",
    T.NCMD: "ncmd",
    T.DCMD: "dcmd",
    T.DDEATH: "ddeath",
    T.NDEATH: "ndeath",
}
Spoil = Callable[[Script], None]
Case = tuple[Rule, Spoil]


def set_raw(**fields: Any) -> Callable[[Step], None]:
    def change(step: Step) -> None:
        for key, value in fields.items():
            setattr(step.raw, key, value)

    return change


def clear(field: str) -> Callable[[Step], None]:
    return lambda step: step.raw.ClearField(field)


def set_metric(metric: str, **fields: Any) -> Callable[[Step], None]:
    def change(step: Step) -> None:
        found = step.metric(metric)
        for key, value in fields.items():
            setattr(found, key, value)

    return change


def clear_metric(metric: str, *fields: str) -> Callable[[Step], None]:
    def change(step: Step) -> None:
        found = step.metric(metric)
        for field in fields:
            found.ClearField(field)

    return change


def drop(metric: str) -> Callable[[Step], None]:
    return lambda step: step.raw.metrics.remove(step.metric(metric))


def become(**fields: Any) -> Callable[[Step], None]:
    def change(step: Step) -> None:
        for key, value in fields.items():
            setattr(step, key, value)

    return change


def inside(metric: str, change: Callable[[Any], object]) -> Callable[[Step], object]:
    return lambda step: change(step.metric(metric))


def without(*names: str) -> Spoil:
    def spoil(steps: Script) -> None:
        steps[:] = [step for step in steps if step.name not in names]

    return spoil


def shifted(rule: Rule, name: str, seq: int) -> Case:
    """A wrong seq at one step; what follows in the same session goes on from there."""

    def spoil(steps: Script) -> None:
        start = next(index for index, step in enumerate(steps) if step.name == name)
        counted = (step for step in steps[start:] if step.raw.HasField("seq"))
        for number, step in enumerate(counted):
            if number and "nbirth" in step.name:
                break
            step.raw.seq = (seq + number) % 256 if number else seq

    return rule, spoil


def per_type() -> Iterator[Case]:
    """The rules that exist for several message types."""
    for kind, rule in rules.TOPIC.items():
        device = "" if kind.of_device else "/meter"
        yield (
            rule,
            lambda steps, k=kind, d=device: steps.append(  # type: ignore[misc]
                Step("stray", f"spBv1.0/estate/{k}/gw1{d}", nbirth(1), NOW + 13)
            ),
        )
    for kind, rule in rules.QOS.items():
        yield rule, on(STEP_OF[kind], become(qos=1))
    for kind, rule in rules.RETAIN.items():
        yield (
            rule,
            lambda steps, k=kind: steps.append(  # type: ignore[misc]
                replace(next(step for step in steps if step.name == STEP_OF[k]), retain=True)
            ),
        )
    for kind, rule in rules.UNREADABLE.items():
        yield (
            rule,
            lambda steps, k=kind: steps.append(  # type: ignore[misc]
                replace(next(step for step in steps if step.name == STEP_OF[k]), data=b"\xff\xff", qos=0)
            ),
        )
    for kind, rule in rules.TIMESTAMP.items():
        yield rule, on(STEP_OF[kind], clear("timestamp"))
    for kind, rule in rules.SEQ_ABSENT.items():
        yield rule, on(STEP_OF[kind], clear("seq"))
    for kind, rule in rules.SEQ_PRESENT.items():
        yield rule, on(STEP_OF[kind], set_raw(seq=7))


def per_type_once() -> Iterator[Case]:
    """Those of them that need a spoiling of their own."""
    yield shifted(rules.SEQ_NEXT[T.DBIRTH], "dbirth", 2)
    yield shifted(rules.SEQ_NEXT[T.NDATA], "ndata", 9)
    yield shifted(rules.SEQ_NEXT[T.DDATA], "ddata", 255)
    yield shifted(rules.SEQ_NEXT[T.DDEATH], "ddeath", 256)
    for kind, rule in rules.BIRTH_FIRST.items():
        yield (
            rule,
            lambda steps, k=kind: steps.insert(  # type: ignore[misc]
                11, replace(next(step for step in steps if step.name == STEP_OF[k]), at_ms=NOW + 10)
            ),
        )
    for kind, rule in rules.NOT_BORN.items():
        alias = 77
        if kind is T.NCMD:
            yield rule, on("ncmd", lambda step: step.raw.metrics.add(name="Nobody", boolean_value=True))
        else:
            yield rule, on(STEP_OF[kind], lambda step, a=alias: setattr(step.raw.metrics[0], "alias", a))  # type: ignore[misc]
    yield rules.BIRTH_VALUE[T.NBIRTH], on("nbirth", clear_metric("CPU", "double_value"))
    yield rules.BIRTH_VALUE[T.NBIRTH], on("nbirth", set_metric("CPU", is_null=True))
    yield rules.BIRTH_VALUE[T.DBIRTH], on("dbirth", clear_metric("Energy", "int_value"))
    yield rules.TYPE_ABSENT[T.NBIRTH], on("nbirth", clear_metric("CPU", "datatype"))
    yield rules.TYPE_ABSENT[T.DBIRTH], on("dbirth", clear_metric("Energy", "datatype"))
    for kind in (T.NDATA, T.DDATA):
        yield rules.CHRONOLOGY[kind], on(STEP_OF[kind], lambda step: step.raw.metrics.reverse())
        yield rules.DATA_EMPTY[kind], on(STEP_OF[kind], clear("metrics"))
    for kind in (T.NBIRTH, T.DBIRTH):
        name = "CPU" if kind is T.NBIRTH else "Energy"
        yield rules.CHRONOLOGY[kind], on(STEP_OF[kind], _earlier_again(name))
    yield rules.COMMAND_EMPTY[T.DCMD], on("dcmd", clear("metrics"))
    yield rules.COMMAND_EMPTY[T.NCMD], on("ncmd", clear("metrics"))
    yield rules.COMMAND_VALUE[T.DCMD], on("dcmd", set_metric("alias 7", string_value="3"))
    yield rules.COMMAND_VALUE[T.NCMD], on("ncmd", lambda step: step.raw.metrics.add(alias=2, string_value="3"))


def _earlier_again(name: str) -> Callable[[Step], None]:
    def change(step: Step) -> None:
        again = step.raw.metrics.add()
        again.CopyFrom(step.metric(name))
        again.timestamp -= 1

    return change


def sessions() -> Iterator[Case]:
    yield rules.NAMESPACE, on("nbirth", become(topic="spAv1.0/estate/NBIRTH/gw1"))
    yield rules.STRUCTURE, lambda steps: steps.append(Step("stray", "spBv1.0/estate/NFOO/gw1", nbirth(1), NOW))
    yield rules.STATE_TOPIC, on("online", become(topic="STATE/cloud"))
    yield rules.STATE_TOPIC, on("online", become(topic="spBv1.0/STATE/cloud/more"))
    yield rules.IDS_DIFFER_IN_CASE, _twin
    yield rules.UTC, on("ndata", set_raw(timestamp=NOW + 8 * 3_600_000))
    yield rules.SEQ_BIRTH, shifted(rules.SEQ_BIRTH, "nbirth", 1)[1]
    yield rules.SEQ_BIRTH_RANGE, on("next nbirth", set_raw(seq=256))
    yield (
        rules.DEVICE_BIRTH_FIRST,
        lambda steps: steps.insert(5, Step("stray", "spBv1.0/estate/DDATA/gw1/door", _door(), NOW + 4)),
    )
    yield rules.BDSEQ_ABSENT, on("nbirth again", drop("bdSeq"))
    yield rules.BDSEQ_TYPE, on("nbirth", set_metric("bdSeq", datatype=DataType.UINT64))
    yield rules.BDSEQ_STEP, on("next nbirth", set_metric("bdSeq", long_value=4))
    yield rules.BDSEQ_STEP, on("next nbirth", set_metric("bdSeq", long_value=256))
    yield rules.BDSEQ_REBIRTH, _rebirth_with_another_bdseq
    yield rules.REBIRTH_UNANSWERED, _rebirth_ignored
    yield (
        rules.DEATH_BDSEQ,
        lambda steps: steps.insert(9, Step("stray", "spBv1.0/estate/NDEATH/gw1", ndeath(3), NOW + 8)),
    )
    yield rules.DEATH_PAYLOAD, on("ndeath", lambda step: step.raw.metrics.add(name="CPU", double_value=1))
    yield rules.DEATH_BDSEQ_TYPE, on("ndeath", set_metric("bdSeq", datatype=DataType.UINT64))
    yield rules.REBIRTH_ABSENT, on("nbirth", drop("Node Control/Rebirth"))
    yield rules.REBIRTH_ALIAS, on("nbirth", set_metric("Node Control/Rebirth", alias=70))
    yield rules.REBIRTH_TYPE, on("nbirth", set_metric("Node Control/Rebirth", datatype=DataType.INT32))
    yield rules.REBIRTH_VALUE, on("nbirth", set_metric("Node Control/Rebirth", boolean_value=True))
    yield rules.WAITED, _born_without_host
    yield rules.STAYED, _stayed_without_host
    yield rules.REBIRTH_REQUEST_VALUE, on("ncmd", set_metric("Node Control/Rebirth", boolean_value=False))
    yield rules.REBIRTH_REQUEST_VERB, _rebirth_of_a_device


def _twin(steps: Script) -> None:
    first = next(step for step in steps if step.name == "next nbirth")
    steps.append(replace(first, topic="spBv1.0/estate/NBIRTH/GW1", at_ms=NOW + 13))


def _door() -> Any:
    raw = script()[4].raw
    raw.seq = 4
    # The rebirth that follows begins again at 0.
    return raw


def _rebirth_with_another_bdseq(steps: Script) -> None:
    for step in steps:
        if step.name == "nbirth again":
            step.metric("bdSeq").long_value = 5
        if step.name == "ndeath":
            step.metric("bdSeq").long_value = 5
        if step.name == "next nbirth":
            step.metric("bdSeq").long_value = 6


def _rebirth_ignored(steps: Script) -> None:
    without("nbirth again", "dbirth again", "ddeath")(steps)
    late = script()[4]
    late.raw.seq, late.at_ms = 4, NOW + 10_007
    steps.insert(7, late)


def _born_without_host(steps: Script) -> None:
    steps.append(Step("late", "spBv1.0/estate/NBIRTH/gw1", nbirth(20_000, bdseq=5), NOW + 20_000))


def _stayed_without_host(steps: Script) -> None:
    for at in (20_000, 20_001):
        late = script()[3]
        late.raw.seq, late.raw.timestamp, late.at_ms = at - 19_999, NOW + at, NOW + at
        steps.append(late)


def _rebirth_of_a_device(steps: Script) -> None:
    steps.append(Step("stray", "spBv1.0/estate/DCMD/gw1/meter", rebirth_request(13), NOW + 13))
