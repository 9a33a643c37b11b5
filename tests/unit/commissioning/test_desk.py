"""The agent's part over a real board and book: what is told, what is kept, and what a walk test ticks."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.board import Board, DeviceCondition
from edge.commissioning.book import Book
from edge.commissioning.desk import Commissioning
from edge.local import ANSWER_S
from edge.outputs import Outputs
from protocols.commissioning import ASKED, HEARD_S, PLACED, STOPPED
from protocols.errors import ConfigError, DeviceError, LiandongError, ProtocolError, RefusedError
from protocols.events import Event, Reading, Value

TYPES = {"door-1": "door", "smoke-1": "smoke", "siren-1": "siren"}


SOUNDED: list[tuple[str, str, Value]] = [("siren-1", "sound", True), ("siren-1", "sound", False)]


class Gateway:
    """A desk whose clock a test turns."""

    def __init__(self, data: Path) -> None:
        self.now_s = 1000.0
        self.told: list[Event] = []
        self.acted: list[tuple[str, str, Value]] = []
        self.unconfirmed = 0
        self.board = Board({name: DeviceCondition(driver="d", type=kind) for name, kind in TYPES.items()}, {})
        self.outputs = Outputs(TYPES, self.act, lambda wish: None)
        self.desk = Commissioning(
            Book(data),
            self.board,
            host="cloud",
            types=TYPES,
            outputs=self.outputs,
            firmware=lambda device: "1.2.3" if device == "door-1" else "",
            tell=self.told.append,
            now_ms=lambda: round(self.now_s * 1000),
            utc_ms=lambda: round(self.now_s * 1000),
            resolve=lambda stamp: stamp,
            steady=lambda: self.now_s,
        )

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        assert timeout_s < ANSWER_S, "who asked waits no longer"
        self.acted.append((device, output, value))
        if self.unconfirmed:
            self.unconfirmed -= 1
            raise DeviceError("edge.driver.gpio.not-confirmed", device=device, output=output, timeout_s=timeout_s)

    def ask(self, **request: Any) -> dict[str, Any]:
        return self.desk.answer({"ask": "commission", **request})

    def row(self, device: str) -> dict[str, Any]:
        return next(one for one in self.ask()["devices"] if one["id"] == device)

    def reads(self, device: str, metric: str, value: Value) -> None:
        self.board.stored([Reading(device=device, metric=metric, value=value, at_ms=round(self.now_s * 1000))])

    def hears(self, host: str = "cloud", **said: Any) -> None:
        self.desk.hear(json.dumps({"host": host, **said}))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path)
    made.desk.start()
    with closing(made.desk):
        yield made


def eventually(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_is_said_is_kept_told_and_told_again_after_a_restart(gateway: Gateway, tmp_path: Path) -> None:
    assert (gateway.row("smoke-1")["stage"], gateway.row("door-1")["firmware"]) == ("unplaced", "1.2.3")
    gateway.ask(device="smoke-1", place="3/1/502", name="厨房")
    gateway.ask(device="smoke-1", place="3/1/502", name="厨房")
    (told,) = gateway.told
    assert (told.device, told.kind) == ("", PLACED)
    assert {**told.data, "version": 0} == {
        "device": "smoke-1",
        "type": "smoke",
        "version": 0,
        "place": "3/1/502",
        "name": "厨房",
    }
    again = Gateway(tmp_path)
    again.desk.start()
    again.desk.close()
    assert [event.data for event in again.told] == [told.data]
    assert again.row("smoke-1")["stage"] == "placed"


def test_what_cannot_be_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    for request, error in (
        ({"device": "smoke-9", "place": "3/1", "name": ""}, ConfigError),
        ({"device": "smoke-1", "place": "../..", "name": ""}, ProtocolError),
        ({"device": "smoke-1", "place": "3/1", "name": "x" * 61}, ProtocolError),
        ({"identify": "smoke-1"}, RefusedError),
        ({"minutes": 0}, ConfigError),
        ({"minutes": 121}, ConfigError),
    ):
        with pytest.raises(error):
            gateway.ask(**request)
    assert (gateway.told, gateway.ask()["walk"]) == ([], None)


def test_a_reader_beeps_and_a_siren_sounds_for_a_moment(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.commissioning.desk._SOUND_S", 0.0)
    gateway.ask(identify="door-1")
    gateway.ask(identify="siren-1")
    eventually(lambda: len(gateway.acted) == 3)
    assert gateway.acted == [("door-1", "beep", True), *SOUNDED]


def test_a_siren_that_does_not_confirm_is_silenced_again_and_not_for_ever(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.commissioning.desk._SOUND_S", 0.0)
    monkeypatch.setattr("edge.commissioning.desk._AGAIN_S", (0.0, 0.0, 0.0))
    gateway.unconfirmed = 3
    with pytest.raises(DeviceError):
        gateway.ask(identify="siren-1")
    eventually(lambda: len(gateway.acted) == 4 and not gateway.desk._sounding)
    assert gateway.acted == [*SOUNDED, *SOUNDED[1:], *SOUNDED[1:]]
    gateway.acted.clear()
    gateway.ask(identify="siren-1")
    eventually(lambda: gateway.acted == SOUNDED)
    gateway.unconfirmed, gateway.acted = 1_000, []
    with pytest.raises(DeviceError):
        gateway.ask(identify="siren-1")
    eventually(lambda: len(gateway.acted) == 5 and not gateway.desk._sounding)


def test_an_agent_that_ends_leaves_no_siren_on_and_nobody_waits_while_it_sounds(gateway: Gateway) -> None:
    gateway.ask(identify="siren-1")
    assert gateway.acted == SOUNDED[:1], "the clock of this gateway stands still"
    gateway.desk.silence()
    assert gateway.acted == SOUNDED


def test_a_real_alarm_is_not_silenced_by_looking_for_the_siren(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.commissioning.desk._AGAIN_S", (0.0,) * 1000)
    gateway.ask(identify="siren-1")
    gateway.unconfirmed = 10_000
    gateway.now_s += 10.0
    gateway.ask(minutes=5)  # and it looks at its clock
    eventually(lambda: gateway.acted[-1] == SOUNDED[1])
    gateway.outputs.want("siren-1", "sound", True)
    eventually(lambda: not gateway.desk._sounding)
    gateway.acted.clear()
    with pytest.raises(DeviceError):
        gateway.ask(identify="siren-1")  # while the alarm has not been confirmed
    gateway.desk.silence()
    assert gateway.acted == SOUNDED[:1]
    gateway.reads("siren-1", "sounding", True)
    with pytest.raises(RefusedError):
        gateway.ask(identify="siren-1")
    assert gateway.acted == SOUNDED[:1]


def test_the_newest_trigger_is_shown(gateway: Gateway) -> None:
    gateway.reads("smoke-1", "smoke", False)
    assert gateway.row("smoke-1")["trigger"] is None
    gateway.reads("smoke-1", "smoke", True)
    first = gateway.row("smoke-1")["trigger"]
    gateway.board.stored([Event(device="door-1", kind="access.granted", at_ms=5)])
    assert (first["what"], first["value"]) == ("smoke", True)
    assert gateway.row("door-1")["trigger"]["number"] > first["number"]


def test_a_walk_test_ticks_only_while_the_cloud_says_that_it_runs(gateway: Gateway, tmp_path: Path) -> None:
    gateway.ask(device="smoke-1", place="3/1/502", name="")
    gateway.reads("smoke-1", "smoke", False)
    identity = gateway.ask(minutes=10)["walk"]["id"]
    assert gateway.told[-1].kind == ASKED
    gateway.reads("smoke-1", "smoke", True)
    assert not gateway.row("smoke-1")["ticked"], "nobody has agreed"
    gateway.hears("somebody-else", id=identity, state="running", left_s=600)
    assert gateway.ask()["walk"]["state"] == "asked"
    gateway.hears(id=identity, state="running", left_s=600)
    gateway.reads("smoke-1", "smoke", False)
    assert gateway.row("smoke-1")["ticked"]
    eventually(lambda: Book(tmp_path).entries()["smoke-1"].tested is not None)
    gateway.now_s += HEARD_S + 1
    assert gateway.ask()["walk"]["state"] == "unheard"
    gateway.hears(id=identity, state="over", left_s=0)
    assert gateway.ask()["walk"]["state"] == "over"
    assert gateway.row("smoke-1")["stage"] == "tested"
    gateway.hears(id=str(uuid.uuid4()), state="running", left_s=60)
    assert not gateway.row("smoke-1")["ticked"], "another walk test"


def test_a_person_here_ends_it(gateway: Gateway) -> None:
    identity = gateway.ask(minutes=10)["walk"]["id"]
    assert gateway.ask(minutes=5)["walk"]["id"] == identity, "one at a time"
    assert gateway.ask(stop=True)["walk"]["state"] == "over"
    gateway.ask(stop=True)
    assert [event.kind for event in gateway.told] == [ASKED, STOPPED]


def test_what_is_written_to_the_metric_cannot_hurt(gateway: Gateway) -> None:
    for value in (None, 5, "", "{", "[]", '{"host": "cloud"}', "x" * 10_000):
        gateway.desk.hear(value)
    assert gateway.ask()["walk"] is None


def test_many_threads_place_and_look(gateway: Gateway, tmp_path: Path) -> None:
    failed: list[LiandongError] = []

    def place(device: str) -> None:
        try:
            for n in range(5):
                gateway.ask(device=device, place=f"3/{n}", name="")
                gateway.reads("smoke-1", "smoke", n % 2 == 0)
        except LiandongError as error:
            failed.append(error)

    threads = [threading.Thread(target=place, args=(device,)) for device in TYPES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert {name: entry.place for name, entry in Book(tmp_path).entries().items()} == dict.fromkeys(TYPES, "3/4")
