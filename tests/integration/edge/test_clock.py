"""An agent on a machine whose clock steps, is not set, or belongs to another boot; the host knows the time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge.clock.keeper import remembered
from liandong.lab.clock import Turn, turn
from protocols import command
from protocols.events import Event, event_from_json
from protocols.sparkplug.payload import QUALITY_STALE, Metric
from protocols.sparkplug.topics import MessageType
from tests.integration.edge.bench import document
from tests.integration.edge.host import PATIENCE_S, Host
from tests.integration.edge.test_commands import answers, asked, confirmed, replay
from tests.services.brokers import Broker

HOUR_S = 3600.0
NEAR_MS = 60_000
"""Steps are an hour and more; a busy machine is not."""


@dataclass
class Agent:
    process: subprocess.Popen[str]
    file: Path

    def ask(self, *words: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def emit(self, value: float) -> None:
        self.ask("emit", "meter-1", "power", value)

    def clock(self) -> dict[str, Any]:
        (part,) = (part for part in self.ask("status")["parts"] if part["name"] == "clock")
        return {**part["data"], "ok": part["ok"], "code": part["code"]}

    def turn(self, to: Turn) -> None:
        turn(self.file, to)

    def until_clock(self, **wanted: Any) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while not wanted.items() <= (found := self.clock()).items():
            assert time.monotonic() < deadline, (wanted, found)
            time.sleep(0.1)
        return found


@contextmanager
def agent(folder: Path, made: dict[str, Any], to: Turn | None = None) -> Iterator[Agent]:
    file = folder / "clock.turned"
    turn(file, to or Turn())
    command_line = [sys.executable, "-m", "tests.integration.edge.clock_agent", str(folder), json.dumps(made)]
    with subprocess.Popen(command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "null\n"
            yield Agent(process, file)
        finally:
            process.stdin.close()
            process.wait(PATIENCE_S)


def powers(host: Host) -> dict[float, Metric]:
    data = [m for seen in host.of(MessageType.DDATA, "meter-1") for m in seen.payload.metrics if m.name == "power"]
    return {metric.value: metric for metric in data if isinstance(metric.value, float)}


def told(value: float, host: Host) -> bool:
    return value in powers(host)


def events(host: Host, kind: str) -> list[Event]:
    told = [event_from_json(str(text), device="", at_ms=0) for text in host.values(None, "Event")]
    return [event for event in told if event.kind == kind]


def now_ms() -> float:
    return time.time() * 1000


@pytest.mark.parametrize(
    "step",
    [Turn(step_s=HOUR_S), Turn(step_s=-HOUR_S), Turn.to(0), Turn.to(4_070_908_800)],
    ids=["+1h", "-1h", "1970", "2099"],
)
def test_a_step_does_not_reach_what_is_observed(step: Turn, iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, agent(tmp_path, document(iotcore_broker.port)) as one:
        host.state(online=True)
        one.emit(1.0)
        host.until(lambda h: 1.0 in powers(h))
        one.turn(step)
        shown = one.until_clock(disputed=True)
        assert (shown["ok"], shown["code"]) == (False, "edge.status.clock-disputed")
        assert abs(shown["apart_ms"] - step.step_s * 1000) < NEAR_MS
        one.emit(2.0)
        host.until(lambda h: 2.0 in powers(h))
        host.until(lambda h: events(h, "clock.stepped"))
        one.turn(Turn())
        assert one.until_clock(disputed=False)["ok"]
        one.emit(3.0)
        host.until(lambda h: 3.0 in powers(h))
        host.until(lambda h: len(events(h, "clock.stepped")) == 2)
        away, back = events(host, "clock.stepped")
        assert (away.data["done"], back.data["done"]) == ("kept", "returned")
        assert abs(away.data["by_ms"] - step.step_s * 1000) < NEAR_MS
        times = [powers(host)[value].timestamp_ms or 0 for value in (1.0, 2.0, 3.0)]
        assert times == sorted(times)
        assert all(abs(now_ms() - at) < NEAR_MS for at in times)
        assert all(abs(now_ms() - (seen.payload.timestamp_ms or 0)) < NEAR_MS for seen in host.data())
        assert not events(host, "clock.corrected")


def test_a_wrong_clock_is_corrected_when_the_host_says_so(iotcore_broker: Broker, tmp_path: Path) -> None:
    """The battery's clock was an hour slow from the start, and no time server vouched for it."""
    made = document(iotcore_broker.port)
    with Host(iotcore_broker.port) as host, agent(tmp_path, made, Turn(step_s=-HOUR_S)) as one:
        one.emit(1.0)
        assert one.clock()["origin"] == "machine"
        host.state(online=True)
        value = 1.0
        while not events(host, "clock.corrected"):
            value += 1
            one.emit(value)
            host.until(partial(told, value))
            assert value < 100
        one.emit(1000.0)
        host.until(lambda h: 1000.0 in powers(h))
        (corrected,) = events(host, "clock.corrected")
        assert corrected.data["origin"] == "host"
        assert abs(corrected.data["by_ms"] - HOUR_S * 1000) < NEAR_MS
        assert abs(now_ms() - (powers(host)[1.0].timestamp_ms or 0) - HOUR_S * 1000) < NEAR_MS, "it was sent so"
        assert abs(now_ms() - (powers(host)[1000.0].timestamp_ms or 0)) < NEAR_MS


def test_the_uplink_is_the_only_witness(iotcore_broker: Broker, tmp_path: Path) -> None:
    """A power cut: 1970, no battery, no time server. Alarms leave at once, telemetry when its time is known."""
    made = document(iotcore_broker.port)
    dark = Turn.to(100)
    with Host(iotcore_broker.port) as host, agent(tmp_path, made, Turn(step_s=dark.step_s, keeps_time=False)) as one:
        assert one.clock()["code"] == "edge.status.clock-unknown"
        began = now_ms()
        one.emit(1.0)
        one.ask("emit", "smoke-1", "smoke", True)
        host.state(online=True)
        host.until(lambda h: h.values("smoke-1", "smoke") == [True])
        smoke = host.of(MessageType.DDATA, "smoke-1")[0]
        assert (smoke.payload.timestamp_ms, smoke.payload.metrics[0].timestamp_ms) == (0, 0)
        assert smoke.payload.metrics[0].quality == QUALITY_STALE
        host.until(lambda h: 1.0 in powers(h))
        power = powers(host)[1.0]
        assert power.quality is None
        assert began - NEAR_MS < (power.timestamp_ms or 0) < now_ms() + NEAR_MS
        host.until(lambda h: events(h, "clock.known"))
        assert events(host, "clock.known")[0].data["origin"] == "host"
        assert events(host, "agent.started")[0].data["time"] == "unknown"
        one.emit(2.0)
        host.until(lambda h: 2.0 in powers(h))
        assert abs(now_ms() - (powers(host)[2.0].timestamp_ms or 0)) < NEAR_MS


def test_a_boot_that_never_learned_the_time_is_placed_between_its_neighbours(
    iotcore_broker: Broker, tmp_path: Path
) -> None:
    made = document(iotcore_broker.port)
    with agent(tmp_path, made) as one:
        one.emit(1.0)
    known_ms = now_ms()
    dark = Turn(step_s=Turn.to(100).step_s, keeps_time=False)
    with agent(tmp_path, made, dark.rebooted(str(uuid.uuid4()))) as one:
        one.emit(2.0)
        one.emit(3.0)
    memory = remembered(tmp_path / "data" / "clock.json")
    assert memory is not None
    assert memory.offset_ns is None
    assert abs(memory.newest_ms - known_ms) < NEAR_MS
    later = Turn(step_s=HOUR_S).rebooted(str(uuid.uuid4()))  # the machine was off for an hour: so says a battery
    with Host(iotcore_broker.port, answering=False) as host, agent(tmp_path, made, later) as one:
        host.state(online=True)
        host.until(lambda h: {1.0, 2.0, 3.0} <= powers(h).keys())
        metrics = [powers(host)[value] for value in (1.0, 2.0, 3.0)]
        assert [metric.quality for metric in metrics] == [None, QUALITY_STALE, QUALITY_STALE]
        times = [metric.timestamp_ms or 0 for metric in metrics]
        assert times == sorted(times)
        assert abs(times[1] - (known_ms + HOUR_S * 500)) < NEAR_MS
        (estimated,) = host.until(lambda h: events(h, "clock.time-estimated"))
        assert estimated.data["from_ms"] <= times[1] <= times[2] <= estimated.data["to_ms"]
        assert abs(estimated.data["within_ms"] - HOUR_S * 500) < NEAR_MS
        host.answering = True


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S], ids=["+1h", "-1h"])
def test_a_door_does_not_open_late_or_twice_because_the_clock_steps(
    step_s: float, iotcore_broker: Broker, tmp_path: Path
) -> None:
    with Host(iotcore_broker.port) as host, agent(tmp_path, document(iotcore_broker.port)) as one:
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        identity, ticket, ask = asked(host, ttl_ms=1000)
        one.turn(Turn(step_s=step_s))
        one.until_clock(disputed=True)
        time.sleep(1.1)
        late = confirmed(host, identity, ticket)
        host.until(lambda h: answers(h)[-1].kind == command.REFUSED)
        assert answers(host)[-1].data["error"] == "edge.command.late"
        identity, ticket, again = asked(host)
        confirm = confirmed(host, identity, ticket)
        host.until(lambda h: answers(h)[-1].kind == command.DONE)
        assert one.ask("acted") == [["door-1", "release", True]]
        one.turn(Turn(step_s=-step_s))
        one.until_clock(disputed=True)
        for message in (late, ask, confirm, again, confirm):
            replay(host, message)
        identity, ticket, _ = asked(host)
        confirmed(host, identity, ticket)
        host.until(lambda h: answers(h)[-1].kind == command.DONE and answers(h)[-1].data["id"] == identity)
        assert one.ask("acted") == [["door-1", "release", True]], "only the newest, once"


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S], ids=["+1h", "-1h"])
def test_a_rule_waits_as_long_as_it_says_whatever_the_clock_does(
    step_s: float, iotcore_broker: Broker, tmp_path: Path
) -> None:
    waits_s = 2.0
    made = document(iotcore_broker.port)
    made["rule"] = [
        {
            "code": "hot",
            "where": {"devices": ["meter-1"]},
            "when": {"type": "threshold", "metric": "power", "above": 10.0},
            "for_s": waits_s,
            "actions": [{"device": "siren-1", "output": "sound"}],
        }
    ]
    with agent(tmp_path, made) as one:
        began = time.monotonic()
        one.emit(20.0)
        one.turn(Turn(step_s=step_s))
        one.until_clock(disputed=True)
        while not (acted := one.ask("acted")):
            assert time.monotonic() - began < PATIENCE_S
            time.sleep(0.05)
        assert acted == [["siren-1", "sound", True]]
        assert time.monotonic() - began >= waits_s
