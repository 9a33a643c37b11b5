"""Commands down at the gateway: only a fresh ticket of its own lets an output be written, once."""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from edge.commands import MAX_READS, MAX_WAITING, Commands
from protocols import command, configuration
from protocols.errors import DeviceError
from protocols.events import Event, Value
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.edge_node import Command
from protocols.sparkplug.payload import Metric

HOST = "cloud"
PATIENCE_S = 20.0


class Bench:
    """A gateway with one door and a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.away: set[str] = set()
        self.acted: list[tuple[str, str, Value]] = []
        self.read: list[str] = []
        self.configured: list[object] = []
        self.delivered: list[object] = []
        self.refuses: Exception | None = None
        self.hold: threading.Event | None = None
        self.entered = threading.Semaphore(0)
        self.told: queue.Queue[Event] = queue.Queue()
        self.commands = Commands(
            host=HOST,
            types={"door-1": "door", "meter-1": "power-meter", "smoke-1": "smoke", "vending-1": "vending"},
            away=lambda device: device in self.away,
            act=self._act,
            read=self._read,
            configure=self.configured.append,
            deliver=self.delivered.append,
            tell=self.told.put,
            now_ms=lambda: 1_700_000_000_000,
            clock=lambda: self.now,
        )

    def _act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        held = self.hold
        if held is not None:
            self.entered.release()
            assert held.wait(PATIENCE_S)
        if self.refuses is not None:
            raise self.refuses
        self.acted.append((device, output, value))

    def _read(self, device: str, timeout_s: float) -> None:
        if self.hold is not None:
            assert self.hold.wait(PATIENCE_S)
        if self.refuses is not None:
            raise self.refuses
        self.read.append(device)

    def write(self, said: object, *, device: str | None = "door-1", output: str = "unlock") -> None:
        text = said if isinstance(said, str) else json.dumps(said)
        metric = Metric(name=command.metric_name(output), datatype=DataType.STRING, value=text)
        self.commands.hear(Command(device=device, metrics=(metric,), timestamp_ms=0))

    def ask(self, **changes: Any) -> str:
        """Ask; the command's id. `device` and `output` say where."""
        where = {key: changes.pop(key) for key in ("device", "output") if key in changes}
        said = {"host": HOST, "id": str(uuid.uuid4()), "value": True, "ttl_ms": 15_000} | changes
        self.write(said, **where)
        return str(said["id"])

    def confirm(self, identity: str, ticket: str, **changes: Any) -> None:
        where = {key: changes.pop(key) for key in ("device", "output") if key in changes}
        self.write({"host": HOST, "id": identity, "ticket": ticket} | changes, **where)

    def hears(self, kind: str) -> dict[str, Any]:
        event = self.told.get(timeout=PATIENCE_S)
        assert event.kind == kind, event
        return dict(event.data)

    def idle(self) -> None:
        """Everything that was written before has been looked at."""
        deadline = time.monotonic() + PATIENCE_S
        while self.commands._running:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def silent(self) -> bool:
        self.idle()
        return self.told.empty() and not self.acted


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    if made.hold is not None:
        made.hold.set()
    made.commands.close()


def test_asked_confirmed_done(bench: Bench) -> None:
    identity = bench.ask()
    ready = bench.hears(command.READY)
    assert (ready["id"], ready["device"], ready["output"]) == (identity, "door-1", "unlock")
    assert not bench.acted, "nothing happens before the confirmation"
    bench.confirm(identity, ready["ticket"])
    assert bench.hears(command.DONE)["id"] == identity
    assert bench.acted == [("door-1", "unlock", True)]


def test_a_replayed_confirmation_does_nothing(bench: Bench) -> None:
    identity = bench.ask()
    ticket = bench.hears(command.READY)["ticket"]
    for _ in range(3):
        bench.confirm(identity, ticket)
    bench.hears(command.DONE)
    bench.idle()
    assert len(bench.acted) == 1
    assert bench.told.empty()


def test_a_replayed_question_after_the_confirmation_gives_no_second_ticket(bench: Bench) -> None:
    identity = bench.ask()
    bench.confirm(identity, bench.hears(command.READY)["ticket"])
    bench.hears(command.DONE)
    bench.ask(id=identity)
    bench.idle()
    assert bench.told.empty()


def test_a_ticket_from_before_another_configuration_opens_no_door(bench: Bench) -> None:
    """By now the name may stand for another door."""
    identity = bench.ask()
    ticket = bench.hears(command.READY)["ticket"]
    bench.commands.forget()
    bench.confirm(identity, ticket)
    assert bench.silent()
    assert bench.acted == []


def test_a_confirmation_that_comes_late_does_nothing_and_says_so(bench: Bench) -> None:
    identity = bench.ask()
    ticket = bench.hears(command.READY)["ticket"]
    bench.now += command.MAX_TICKET_MS / 1000
    bench.confirm(identity, ticket)
    assert bench.hears(command.REFUSED)["error"] == "edge.command.late"
    bench.confirm(identity, ticket)
    assert bench.silent()


def test_a_host_that_is_in_a_hurry_gets_a_shorter_ticket(bench: Bench) -> None:
    identity = bench.ask(ttl_ms=500)
    ticket = bench.hears(command.READY)["ticket"]
    bench.now += 0.5
    bench.confirm(identity, ticket)
    assert bench.hears(command.REFUSED)["error"] == "edge.command.late"
    assert not bench.acted


def test_a_repeated_question_gives_no_second_ticket_and_no_longer_life(bench: Bench) -> None:
    identity = bench.ask()
    ticket = bench.hears(command.READY)["ticket"]
    bench.now += command.MAX_TICKET_MS / 2000
    bench.ask(id=identity)
    bench.ask(id=identity, value=False)
    assert bench.silent()
    bench.now += command.MAX_TICKET_MS / 2000
    bench.confirm(identity, ticket)
    assert bench.hears(command.REFUSED)["error"] == "edge.command.late"


def test_a_ticket_of_an_earlier_process_means_nothing(bench: Bench) -> None:
    identity = bench.ask()
    ticket = bench.hears(command.READY)["ticket"]
    later = Bench()
    later.confirm(identity, ticket)
    assert later.silent()
    later.commands.close()


def test_a_ticket_is_for_one_output_of_one_device(bench: Bench) -> None:
    identity = bench.ask(output="restore")
    ticket = bench.hears(command.READY)["ticket"]
    bench.confirm(identity, ticket, output="release")
    bench.confirm(identity, ticket, device="meter-1", output="restore")
    bench.confirm(identity, str(uuid.uuid4()), output="restore")
    assert bench.silent()
    bench.confirm(identity, ticket, output="restore")
    bench.hears(command.DONE)


def test_only_outputs_of_the_device_type_are_allowed(bench: Bench) -> None:
    for device, output in (("door-1", "sound"), ("meter-1", "release"), ("nobody", "release")):
        bench.ask(device=device, output=output)
        refused = bench.hears(command.REFUSED)
        assert (refused["error"], refused["params"]["device"]) == ("edge.command.output", device)
    assert not bench.acted


def test_a_device_that_is_lost_is_not_asked(bench: Bench) -> None:
    bench.away.add("door-1")
    bench.ask()
    assert bench.hears(command.REFUSED)["error"] == "edge.command.away"


def test_what_the_device_answers_is_told(bench: Bench) -> None:
    bench.refuses = DeviceError("edge.driver.osdp.unconfirmed", device="door-1", output="unlock", timeout_s=5.0)
    identity = bench.ask()
    bench.confirm(identity, bench.hears(command.READY)["ticket"])
    refused = bench.hears(command.REFUSED)
    assert (refused["error"], refused["params"]["timeout_s"]) == ("edge.driver.osdp.unconfirmed", "5.0")
    bench.refuses = RuntimeError("a bug in the driver")
    identity = bench.ask()
    bench.confirm(identity, bench.hears(command.READY)["ticket"])
    assert bench.hears(command.REFUSED)["error"] == "edge.rules.action-crashed"


@pytest.mark.parametrize(
    "said",
    [
        "true",
        "1",
        "",
        "[]",
        "{}",
        "x" * 3000,
        '{"host": "cloud", "id": "no", "value": true, "ttl_ms": 1}',
        '{"host": "cloud", "id": "8f14e45f-ceea-467f-a9d5-000000000001", "value": {"a": 1}, "ttl_ms": 10}',
        '{"host": "cloud", "id": "8f14e45f-ceea-467f-a9d5-000000000001", "value": true, "ttl_ms": 0}',
        '{"host": "cloud", "id": "8f14e45f-ceea-467f-a9d5-000000000001", "value": NaN, "ttl_ms": 10}',
        '{"host": "cloud", "id": "8f14e45f-ceea-467f-a9d5-000000000001", "ticket": 5}',
    ],
)
def test_a_plain_value_of_another_host_does_nothing(bench: Bench, said: str) -> None:
    bench.write(said)
    assert bench.silent()


def test_another_host_is_not_obeyed(bench: Bench) -> None:
    identity = bench.ask(host="another-cloud")
    assert bench.silent()
    bench.ask(id=identity)
    bench.confirm(identity, bench.hears(command.READY)["ticket"], host="another-cloud")
    assert bench.silent()


def test_metrics_that_are_no_outputs_do_nothing(bench: Bench) -> None:
    metric = Metric(name="released", datatype=DataType.BOOLEAN, value=True)
    bench.commands.hear(Command(device="door-1", metrics=(metric,), timestamp_ms=0))
    bench.ask(device=None)
    assert bench.silent()


def test_what_waits_is_bounded(bench: Bench) -> None:
    for _ in range(MAX_WAITING):
        bench.ask()
        bench.hears(command.READY)
        bench.idle()
    bench.ask()
    assert bench.hears(command.REFUSED)["error"] == "edge.command.busy"
    bench.now += command.MAX_TICKET_MS / 1000  # tickets that nobody used make room
    bench.ask()
    bench.hears(command.READY)


def test_a_stopping_agent_begins_nothing_new(bench: Bench) -> None:
    identity = bench.ask()
    ticket = bench.hears(command.READY)["ticket"]
    bench.commands.close()
    bench.confirm(identity, ticket)
    bench.ask()
    assert bench.silent()


def test_a_device_is_read_once_with_a_ticket(bench: Bench) -> None:
    identity = bench.ask(device="meter-1", output=command.READ)
    ticket = bench.hears(command.READY)["ticket"]
    assert not bench.read
    for _ in range(3):
        bench.confirm(identity, ticket, device="meter-1", output=command.READ)
    assert bench.hears(command.DONE)["output"] == command.READ
    bench.ask(id=identity, device="meter-1", output=command.READ)
    assert bench.silent()
    assert bench.read == ["meter-1"]


def test_a_ticket_for_reading_opens_no_door(bench: Bench) -> None:
    identity = bench.ask(output=command.READ)
    ticket = bench.hears(command.READY)["ticket"]
    bench.confirm(identity, ticket, output="unlock")
    bench.confirm(identity, ticket, output="release")
    assert bench.silent()
    bench.now += command.MAX_TICKET_MS / 1000
    bench.confirm(identity, ticket, output=command.READ)
    assert bench.hears(command.REFUSED)["error"] == "edge.command.late"
    assert not bench.read


def test_what_sleeps_is_not_read_and_what_is_silent_says_so(bench: Bench) -> None:
    bench.ask(device="smoke-1", output=command.READ)
    assert bench.hears(command.REFUSED)["error"] == "edge.command.no-read"
    bench.refuses = DeviceError("edge.command.not-read", device="meter-1", timeout_s=45.0)
    identity = bench.ask(device="meter-1", output=command.READ)
    bench.confirm(identity, bench.hears(command.READY)["ticket"], device="meter-1", output=command.READ)
    assert bench.hears(command.REFUSED)["error"] == "edge.command.not-read"


def test_slow_machines_keep_no_door_waiting_and_are_bounded(bench: Bench) -> None:
    bench.hold = threading.Event()
    for _ in range(MAX_READS + 1):
        identity = bench.ask(device="meter-1", output=command.READ)
        bench.confirm(identity, bench.hears(command.READY)["ticket"], device="meter-1", output=command.READ)
        bench.idle()
    assert bench.hears(command.REFUSED)["error"] == "edge.command.busy"
    held, bench.hold = bench.hold, None
    identity = bench.ask()
    bench.confirm(identity, bench.hears(command.READY)["ticket"])
    assert bench.hears(command.DONE)["id"] == identity
    held.set()
    for _ in range(MAX_READS):
        bench.hears(command.DONE)


def test_a_configuration_goes_where_it_belongs(bench: Bench) -> None:
    metric = Metric(name=configuration.METRIC, datatype=DataType.STRING, value="{}")
    bench.commands.hear(Command(device=None, metrics=(metric,), timestamp_ms=0))
    bench.commands.hear(Command(device="door-1", metrics=(metric,), timestamp_ms=0))
    assert bench.silent()
    assert bench.configured == ["{}"]


def test_a_price_that_takes_long_keeps_no_door_waiting(bench: Bench) -> None:
    price = {"device": "vending-1", "output": "price"}
    slow = bench.ask(value="11=350", **price)
    ticket = bench.hears(command.READY)["ticket"]
    held = threading.Event()
    bench.hold = held
    bench.confirm(slow, ticket, **price)
    assert bench.entered.acquire(timeout=PATIENCE_S)
    bench.hold = None
    fast = bench.ask()
    bench.confirm(fast, bench.hears(command.READY)["ticket"])
    assert bench.hears(command.DONE)["id"] == fast
    held.set()
    assert bench.hears(command.DONE)["id"] == slow
    assert bench.acted == [("door-1", "unlock", True), ("vending-1", "price", "11=350")]
