"""Normalising, local rules, storing: what happens between a driver's hands and the disk."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Iterator
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from edge.actions import Task
from edge.board import Board, DeviceCondition
from edge.normalise import REPEAT_MS, Normaliser
from edge.outbox.gather import Gather
from edge.outbox.quota import Quota
from edge.outbox.store import START, Outbox
from edge.outputs import Wish
from edge.pipeline import MAX_WAITING, Pipeline
from edge.rules import LocalRules
from protocols.catalog import DEVICE_TYPES, NODE_TYPE
from protocols.delivery import Lane
from protocols.errors import DeviceError, StorageError, UnavailableError
from protocols.events import Event, Observation, Reading, Value
from protocols.rules import Rule

TYPES = {"smoke-1": "smoke", "meter-1": "power-meter", "siren-1": "siren", "button-1": "sos-button"}
ROWS = {"": NODE_TYPE} | {device: DEVICE_TYPES[kind] for device, kind in TYPES.items()}
SIREN: dict[str, Any] = {"actions": [{"device": "siren-1", "output": "sound"}]}
SMOKE = Rule.model_validate(
    {"code": "smoke", "where": {"types": ["smoke"]}, "when": {"type": "state", "metric": "smoke"}, **SIREN}
)


def reading(value: Value | None, *, device: str = "meter-1", metric: str = "power", at_ms: int = 1_000) -> Reading:
    return Reading(device=device, metric=metric, value=value, at_ms=at_ms)


def smoke(value: bool, at_ms: int) -> Reading:
    return reading(value, device="smoke-1", metric="smoke", at_ms=at_ms)


@pytest.fixture
def normaliser() -> Normaliser:
    return Normaliser(ROWS, lambda device, metric: None)


@pytest.mark.parametrize(
    ("given", "value", "quality", "odd"),
    [
        (reading(5), 5.0, "good", None),
        (reading(60_000.0), 60_000.0, "bad", "range"),
        (reading(float("nan")), None, "bad", "type"),
        (reading("5"), None, "bad", "type"),
        (reading(None), None, "good", None),
        (reading(1, device="smoke-1", metric="smoke"), True, "good", None),
        (reading("yes", device="smoke-1", metric="smoke"), None, "bad", "type"),
        (reading(20, metric="colour"), 20.0, "good", "unknown"),
    ],
)
def test_a_reading_becomes_what_the_catalogue_says(
    normaliser: Normaliser, given: Reading, value: Value | None, quality: str, odd: str | None
) -> None:
    taken = normaliser.take(given)
    assert isinstance(taken, Reading)
    assert (taken.value, type(taken.value), taken.quality) == (value, type(value), quality)
    assert [why for _, _, why in normaliser.odd] == ([] if odd is None else [odd])


def test_what_says_nothing_new_is_not_stored(normaliser: Normaliser) -> None:
    """Report by exception; tck-id-principles-rbe-recommended is a recommendation that measurements do not follow.

    tck-id-operational-behavior-data-publish-nbirth-change, tck-id-operational-behavior-data-publish-dbirth-change
    """

    def worth(device: str, metric: str, *told: tuple[Value, int]) -> list[bool]:
        return [normaliser.worth_storing(reading(v, device=device, metric=metric, at_ms=t)) for v, t in told]

    assert worth("smoke-1", "smoke", (False, 0), (False, 1), (True, 2), (True, 2 + REPEAT_MS)) == [
        True,
        False,
        True,
        True,
    ]
    assert worth("smoke-1", "linkquality", (100, 0), (105, 1), (111, 2)) == [True, False, True]
    assert worth("meter-1", "power", (5.0, 0), (5.0, 1)) == [True, True]


def test_an_event_that_is_too_long_is_told_without_its_data(normaliser: Normaliser) -> None:
    taken = normaliser.take(Event(device="button-1", kind="sos", at_ms=1, data={"x": "y" * 9000}))
    assert isinstance(taken, Event)
    assert taken.data["shortened"] is True


class Bench:
    """A pipeline over a real outbox, with actions that are written down."""

    def __init__(
        self, folder: Path, rules: tuple[Rule, ...] = (), flush_s: float = 3600, *, started: bool = True
    ) -> None:
        self.outbox = Outbox(folder / "outbox.db", now_ms=1, quota=Quota(total=10**7, acknowledged=10**6))
        self.tasks: queue.Queue[Task] = queue.Queue()
        self.now = 10_000
        self.rules = LocalRules(rules, TYPES, self.outbox.rule_records(), self.tasks.put)
        self.pipeline = Pipeline(
            outbox=self.outbox,
            gather=Gather(flush_s=flush_s, flush_bytes=65536),
            normaliser=Normaliser(ROWS, lambda device, metric: None),
            rules=self.rules,
            board=Board({device: DeviceCondition(driver="d", type=kind) for device, kind in TYPES.items()}, {}),
            now_ms=lambda: self.now,
        )
        if started:
            self.pipeline.start()

    def stored(self, lane: Lane) -> list[Observation]:
        return [told for block in self.outbox.queued(lane, START, 1000) for told in block.read()]

    def until(self, lane: Lane, count: int) -> list[Observation]:
        deadline = time.monotonic() + 10
        while len(stored := self.stored(lane)) < count:
            assert time.monotonic() < deadline, stored
            time.sleep(0.005)
        return stored

    def close(self) -> None:
        self.pipeline.close()
        self.outbox.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, (SMOKE,))
    yield made
    made.close()


def test_telemetry_waits_for_the_flush_and_urgent_does_not(bench: Bench) -> None:
    bench.pipeline.emit("d", [reading(1.0)])
    bench.pipeline.emit("d", [smoke(False, 1)])
    assert bench.until(Lane.URGENT, 1) == [smoke(False, 1)]
    assert bench.stored(Lane.BULK) == []


def test_a_stop_flushes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.pipeline.emit("d", [reading(1.0)])
    bench.close()
    again = Bench(tmp_path)
    assert again.stored(Lane.BULK) == [reading(1.0)]
    again.close()


def test_durable_returns_with_everything_before_it_on_the_disk(bench: Bench) -> None:
    bench.pipeline.emit("d", [reading(1.0)])
    bench.pipeline.emit("d", [reading(2.0, at_ms=2_000)], state={"read": 2})
    assert bench.stored(Lane.BULK) == [reading(1.0), reading(2.0, at_ms=2_000)]
    assert bench.outbox.driver_state("d") == {"read": 2}


def test_drivers_wait_for_a_pipeline_that_is_behind_and_nothing_is_dropped(tmp_path: Path) -> None:
    bench = Bench(tmp_path, started=False)
    for number in range(MAX_WAITING):
        bench.pipeline.emit("d", [reading(float(number), at_ms=number)])
    with pytest.raises(UnavailableError):
        bench.pipeline.emit("d", [reading(-1.0)], timeout_s=0.01)
    bench.pipeline.start()
    bench.pipeline.emit("d", [reading(-2.0)], durable=True)
    assert [o.value for o in bench.stored(Lane.BULK) if isinstance(o, Reading)] == [*range(MAX_WAITING), -2.0]
    bench.close()


def test_a_flush_comes_by_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path, flush_s=0.02)
    bench.pipeline.emit("d", [reading(1.0)])
    assert bench.until(Lane.BULK, 1) == [reading(1.0)]
    bench.close()


def test_a_rule_acts_once_and_is_owed_until_the_device_confirms(tmp_path: Path) -> None:
    bench = Bench(tmp_path, (SMOKE,))
    bench.pipeline.emit("d", [smoke(True, 9_000), smoke(True, 9_500)], durable=True)
    task = bench.tasks.get(timeout=5)
    assert (task.device, task.output, task.value, task.cause) == ("siren-1", "sound", True, "smoke-1")
    assert bench.tasks.empty()
    bench.close()
    again = Bench(tmp_path, (SMOKE,))
    assert again.tasks.get(timeout=5) == task
    again.pipeline.settle(task, None)
    (acted,) = [o for o in again.until(Lane.URGENT, 2) if isinstance(o, Event)]
    assert (acted.kind, acted.device, acted.data["device"]) == ("rule.acted", "", "siren-1")
    again.close()
    third = Bench(tmp_path, (SMOKE,))
    third.pipeline.emit("d", [smoke(True, 9_900)], durable=True)
    assert third.tasks.empty()
    third.close()


def test_a_rule_that_went_away_owes_nothing_when_it_returns(tmp_path: Path) -> None:
    """By a restart with other rules, and by other rules while the agent runs, also when it returns unstored."""
    bench = Bench(tmp_path, (SMOKE,))
    bench.pipeline.emit("d", [smoke(True, 9_000)], durable=True)
    assert bench.tasks.get(timeout=5).device == "siren-1"
    bench.close()
    without = Bench(tmp_path)
    without.pipeline.emit("d", [smoke(True, 9_100)], durable=True)
    without.close()
    back = Bench(tmp_path, (SMOKE,))
    assert back.tasks.empty()
    back.pipeline.emit("d", [smoke(True, 9_200)], durable=True)
    assert back.tasks.get(timeout=5).device == "siren-1"  # it still burns: the rule begins anew

    def go_and_return() -> None:
        for rules in ((), (SMOKE,)):
            stored = back.outbox.rule_records()
            back.pipeline.judge_by(methodcaller("succeeded_by", rules, TYPES, stored))

    back.pipeline.between(go_and_return)
    assert back.tasks.empty()
    back.pipeline.emit("d", [reading(1.0)], durable=True)
    assert [record.owed for record in back.outbox.rule_records()] == [()]
    back.close()


def test_a_failed_action_is_told_and_done_again_when_the_device_returns(bench: Bench) -> None:
    bench.pipeline.emit("d", [smoke(True, 9_000)], durable=True)
    task = bench.tasks.get(timeout=5)
    bench.pipeline.settle(task, DeviceError("edge.driver.down", driver="d"))
    (failed,) = [o for o in bench.until(Lane.URGENT, 2) if isinstance(o, Event)]
    assert (failed.kind, failed.data["error"]) == ("rule.action-failed", "edge.driver.down")
    bench.pipeline.resume("siren-1")
    assert bench.tasks.get(timeout=5) == task


def test_what_somebody_wants_later_ends_what_is_owed_and_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, (SMOKE,))
    bench.pipeline.emit("d", [smoke(True, 9_000)], durable=True)
    bench.tasks.get(timeout=5)
    for number, value in enumerate((True, False), 1):  # the same is no contradiction
        bench.pipeline.overruled(Wish(number=number, device="siren-1", output="sound", value=value, by="command"))
    bench.pipeline.resume("siren-1")
    (ended,) = [o for o in bench.until(Lane.URGENT, 2) if isinstance(o, Event)]
    assert (ended.kind, ended.data["rule"], ended.data["by"]) == ("rule.action-ended", "smoke", "command")
    assert ended.data["instead"] == {"output": "sound", "value": False}
    bench.close()
    again = Bench(tmp_path, (SMOKE,))
    assert again.tasks.empty()
    again.pipeline.emit("d", [smoke(False, 9_100), smoke(True, 9_200)], durable=True)
    assert again.tasks.get(timeout=5).device == "siren-1", "a new fire"
    again.close()


def test_a_duration_passes_without_anything_arriving(tmp_path: Path) -> None:
    bench = Bench(tmp_path, (SMOKE.model_copy(update={"for_s": 0.05}),))
    bench.pipeline.emit("d", [smoke(True, 10_000)], durable=True)
    assert bench.tasks.empty()
    bench.now = 10_051
    assert bench.tasks.get(timeout=5).device == "siren-1"
    bench.close()


def test_a_repeated_event_acts_again(tmp_path: Path) -> None:
    sos = Rule.model_validate({"code": "sos", "when": {"type": "event", "kind": "sos"}, **SIREN})
    bench = Bench(tmp_path, (sos,))
    for at_ms in (9_000, 9_100):
        bench.pipeline.emit("d", [Event(device="button-1", kind="sos", at_ms=at_ms)])
        assert bench.tasks.get(timeout=5).rule == "sos"
    bench.close()


def test_a_disk_that_refuses_does_not_stop_the_rules_and_loses_nothing_in_between(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = bench.outbox.append
    broken = threading.Event()
    broken.set()

    def refusing(commit: Any) -> Any:
        if broken.is_set():
            raise StorageError("edge.storage.unusable", file="outbox.db", why=sqlite3.OperationalError("full"))
        return append(commit)

    monkeypatch.setattr(bench.outbox, "append", refusing)
    bench.pipeline.emit("d", [smoke(True, 9_000)])
    assert bench.tasks.get(timeout=5).device == "siren-1"
    with pytest.raises(StorageError):
        bench.pipeline.emit("d", [reading(1.0)], durable=True)
    bench.pipeline.emit("d", [reading(2.0, at_ms=2_000)])
    broken.clear()
    bench.pipeline.emit("d", [reading(1.0)], durable=True)
    assert bench.until(Lane.BULK, 2) == [reading(2.0, at_ms=2_000), reading(1.0)]
    assert bench.stored(Lane.URGENT) == [smoke(True, 9_000)]
    assert [record.state.phase for record in bench.outbox.rule_records()] == ["firing"]


def test_a_file_that_turns_out_corrupt_is_replaced_and_nothing_in_hand_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, epoch = bench.outbox.append, bench.outbox.epoch
    faults = [StorageError("edge.storage.corrupt", file="outbox.db", why="malformed")]

    def failing_once(commit: Any) -> Any:
        if faults:
            raise faults.pop()
        return append(commit)

    monkeypatch.setattr(bench.outbox, "append", failing_once)
    bench.pipeline.emit("d", [smoke(False, 1)], durable=True)
    assert bench.outbox.epoch != epoch
    first, second = bench.until(Lane.URGENT, 2)
    assert first == smoke(False, 1)
    assert isinstance(second, Event)
    assert second.kind == "outbox.set-aside"
