"""The doors of one line, without a line: who went where, what a restart keeps, and areas that cannot be seen."""

from __future__ import annotations

import itertools
import json
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.osdp.config import OsdpConfig
from edge.drivers.osdp.doors import BLIND_S, Doors
from edge.drivers.osdp.panel import CardRead, Inputs, KeysPressed, Told
from edge.drivers.osdp.store import CardholderFile
from protocols.access.cardholders import cardholders_from
from protocols.access.door import Release
from protocols.access.wiegand import parse_card
from protocols.errors import ConfigError
from protocols.events import Event, Observation

STORE = cardholders_from(
    tomllib.loads('[[cardholder]]\nid = "a"\ncards = ["H10301:1:1"]\n[[cardholder]]\nid = "b"\ncards = ["H10301:1:2"]'),
    source="test",
)
IN, OUT, SIDE = 0, 1, 2


def config(**area: Any) -> OsdpConfig:
    """A garage with a reader on each side, and a door that leads nowhere that is watched."""
    places: tuple[dict[str, str], ...] = ({"enters": "garage"}, {"leaves": "garage"}, {})
    readers = [{"id": f"door-{at}", "address": at, "key_file": f"{at}.key"} | place for at, place in enumerate(places)]
    areas = [{"name": "garage", "passback": "hard"} | area]
    table = {"name": "doors", "port": "/dev/null", "cardholders": "c.toml", "area": areas, "device": readers}
    return OsdpConfig.model_validate(table)


class Line:
    """Doors in simulated time; what was told is kept."""

    def __init__(self, settings: OsdpConfig) -> None:
        self.settings = settings
        self.now_ms = 1_000_000
        self.told: list[Observation] = []
        self.begin({})

    def begin(self, stored: dict[str, Any]) -> None:
        self.doors = Doors(self.settings, STORE, stored)
        for index in (IN, OUT, SIDE):
            self.doors.here(index)
            self.says(index, Inputs(active=(False, False)))

    def restart(self) -> None:
        self.begin(json.loads(json.dumps(self.doors.to_state())))

    def says(self, index: int, told: Told) -> None:
        for fact in self.doors.facts(index, told, self.now_ms, self.now_ms):
            self.told += self.doors.take(index, fact, self.now_ms)[1]

    def shows(self, index: int, number: int = 1) -> str:
        """Somebody shows a card; "granted", or the reason why not."""
        card = parse_card(f"H10301:1:{number}")
        before = len(self.told)
        self.says(index, CardRead(length=card.length, data=card.data))
        event = next(one for one in self.told[before:] if isinstance(one, Event))
        return str(event.data.get("reason", "granted"))

    def walks(self, index: int) -> None:
        """The door opens and falls shut."""
        for is_open in (True, False):
            self.now_ms += 1000
            self.says(index, Inputs(active=(is_open, False)))

    def goes(self, index: int, number: int = 1) -> str:
        answer = self.shows(index, number)
        if answer == "granted":
            self.walks(index)
        return answer

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [dict(one.data) for one in self.told if isinstance(one, Event) and one.kind == kind]


def test_in_and_out_through_two_readers_of_a_line() -> None:
    line = Line(config())
    assert [line.goes(side) for side in (IN, IN, OUT, OUT, IN)] == [
        "granted",
        "passback",
        "granted",
        "passback",
        "granted",
    ]
    assert [line.goes(SIDE), line.goes(SIDE)] == ["granted", "granted"], "this door leads nowhere that is watched"
    assert line.goes(IN, 2) == "granted"


def test_who_shows_a_card_and_stays_outside_is_outside() -> None:
    line = Line(config())
    assert line.shows(IN) == "granted"
    line.now_ms += 60_000
    line.walks(IN)  # somebody else, by the exit button, long after the grant
    assert line.goes(IN) == "granted"
    assert line.goes(IN) == "passback"


def test_two_who_pass_one_opening_are_both_inside() -> None:
    line = Line(config())
    assert [line.shows(IN, 1), line.shows(IN, 2)] == ["granted", "granted"]
    line.walks(IN)
    assert [line.shows(IN, 1), line.shows(IN, 2)] == ["passback", "passback"]


def test_a_restart_forgets_neither_places_nor_who_is_just_going() -> None:
    line = Line(config())
    line.shows(IN)
    line.restart()
    line.walks(IN)
    line.restart()
    assert line.goes(IN) == "passback"


def test_an_emergency_release_forgives() -> None:
    line = Line(config())
    line.goes(IN)
    line.told += line.doors.take(OUT, Release(), line.now_ms)[1]
    assert line.events("access.forgiven") == [{"areas": ["garage"], "why": "release"}]
    assert line.goes(IN) == "granted"


@pytest.mark.parametrize(("when_blind", "answer"), [("forgive", "granted"), ("hold", "passback")])
def test_doors_that_cannot_see_each_other(when_blind: str, answer: str) -> None:
    line = Line(config(when_blind=when_blind))
    line.goes(IN)
    line.doors.gone(OUT, 100.0)
    assert line.doors.look(100.0 + BLIND_S, line.now_ms) == [], "a reader may be away for a moment"
    assert line.goes(IN) == "passback"
    line.told += line.doors.look(100.1 + BLIND_S, line.now_ms)
    assert line.goes(IN) == answer
    assert line.goes(IN) == answer, "while a reader is away nothing is noted either"
    line.told += line.doors.look(200.0 + BLIND_S, line.now_ms)
    assert len(line.events("access.forgiven")) == (when_blind == "forgive"), "told once"
    line.doors.here(OUT)
    line.doors.look(201.0 + BLIND_S, line.now_ms)
    assert line.goes(IN) == answer
    assert line.goes(IN) == "passback", "all are back: it counts again"


def test_an_area_that_is_no_longer_configured_is_forgotten() -> None:
    line = Line(config())
    line.goes(IN)
    stored = line.doors.to_state()
    assert stored["places"]
    bare = config().model_copy(update={"area": (), "device": config().device[2:]})
    assert Doors(bare, STORE, stored).to_state()["places"] == {}


def test_what_an_older_agent_stored_is_taken_up() -> None:
    stored = {"doors": {"door-0": {"open": False, "released": True}}}
    assert Doors(config(), STORE, stored).readers[IN].state.released


def test_codes_are_in_nothing_that_is_kept_or_shown() -> None:
    line = Line(config())
    pressed = KeysPressed(keys=b"4711")
    line.says(IN, pressed)
    assert "4711" not in repr(pressed) + json.dumps(line.doors.to_state()) + repr(line.told)


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cardholders.toml"
    path.write_text('[[cardholder]]\nid = "a"\n')
    file = CardholderFile(path)
    file.start()
    now = itertools.count(2.0, 2.0)
    try:
        for text in ("", '[[cardholder]]\nid = "b"\n'):  # emptied, then written: never still from one look to the next
            path.write_text(text)
            assert not file.changed(next(now))
        assert file.store.cardholder[0].id == "a"
        assert not file.changed(next(now)), "it stands still, and is read in a thread"
        deadline = time.monotonic() + 20
        while not file.changed(0.0):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert [person.id for person in file.store.cardholder] == ["b"]
    finally:
        file.close()
    assert CardholderFile(path).store == file.store


def test_the_good_copy_is_no_weaker_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cardholders.toml"
    path.touch(mode=0o600)
    path.write_text('[[cardholder]]\nid = "a"\ncodes = ["4711"]\n')
    file = CardholderFile(path)
    file.start()
    file.close()  # waits for the copy
    copy = tmp_path / "cardholders.toml.good"
    assert copy.stat().st_mode & 0o777 == 0o600
    path.write_text("[[cardholder")
    assert CardholderFile(path).store == file.store
    copy.chmod(0o644)
    with pytest.raises(ConfigError):
        CardholderFile(path)
