"""From unplaced to tested, and the gateway's view of its walk test: pure machines, as scripts in time."""

from __future__ import annotations

import uuid

import pytest

from edge.commissioning import stages, walk
from edge.commissioning.stages import Entry, Proof
from edge.commissioning.triggers import is_trigger
from protocols import commissioning
from protocols.catalog import DEVICE_TYPES
from protocols.commissioning import ASKED_S, HEARD_S, Asked, Placed, Said
from protocols.errors import ProtocolError
from protocols.events import Event, Reading
from protocols.messages import LANGUAGES, catalogue

ID, OTHER = uuid.uuid4(), uuid.uuid4()


def placed(place: str = "3/1/502", now_ms: int = 1000, before: Entry | None = None, type_now: str = "smoke") -> Entry:
    return stages.place(before, type_now=type_now, place=place, name="hall", now_ms=now_ms)


def running(left_s: float = 600, identity: uuid.UUID = ID) -> Said:
    return Said(host="cloud", id=identity, state="running", left_s=left_s)


def test_unplaced_placed_tested() -> None:
    assert stages.stage(None, "smoke") == "unplaced"
    entry = placed()
    assert stages.stage(entry, "smoke") == "placed"
    proved = stages.tested(entry, "smoke", Proof(at_ms=2000, what="smoke"))
    assert proved is not None
    assert stages.stage(proved, "smoke") == "tested"
    assert stages.tested(None, "smoke", Proof(at_ms=2000, what="smoke")) is None


def test_another_place_or_type_is_untested_again_and_a_name_is_not() -> None:
    proved = stages.tested(placed(), "smoke", Proof(at_ms=2000, what="smoke"))
    assert stages.stage(placed("3/1/301", 3000, proved), "smoke") == "placed"
    assert stages.stage(proved, "water-leak") == "placed", "another device answers to this name"
    assert stages.stage(placed("3/1/502", 3000, proved, "water-leak"), "water-leak") == "placed"
    renamed = stages.place(proved, type_now="smoke", place="3/1/502", name="kitchen", now_ms=3000)
    assert stages.stage(renamed, "smoke") == "tested"


def test_versions_only_grow_also_when_the_clock_does_not() -> None:
    first = placed(now_ms=9000)
    second = placed("3/1/301", now_ms=10, before=first)
    assert (first.version, second.version) == (9000, 9001)
    assert placed("3/1/301", now_ms=20, before=second) == second, "nothing new was said"
    assert placed(now_ms=9500).version > second.version, "the book was lost"


def test_a_walk_test_is_believed_in_only_while_the_cloud_speaks_of_it() -> None:
    asked = walk.ask(None, ID, 10, 0)
    assert asked.state == "asked"
    assert walk.ask(asked, OTHER, 5, 1) is asked
    begun = walk.hear(asked, running(600), 5)
    assert begun is not None
    assert (begun.state, begun.until) == ("running", 605)
    silent = walk.elapse(begun, 5 + HEARD_S + 1)
    assert silent is not None
    assert silent.state == "unheard"
    again = walk.hear(silent, running(500), 80)
    assert again is not None
    assert again.state == "running"
    over = walk.elapse(again, 580)
    assert over is not None
    assert over.state == "over", "it ends by itself"
    assert walk.ask(over, OTHER, 5, 581).id == OTHER


def test_a_walk_test_that_began_elsewhere_or_before_a_restart_is_followed() -> None:
    found = walk.hear(None, running(300), 7)
    assert found is not None
    assert (found.id, found.state, found.minutes) == (ID, "running", 5)
    assert walk.hear(None, Said(host="cloud", id=ID, state="over"), 7) is None


def test_the_end_of_another_walk_test_ends_nothing() -> None:
    begun = walk.hear(None, running(), 0)
    assert walk.hear(begun, Said(host="cloud", id=OTHER, state="over"), 1) == begun
    ended = walk.hear(begun, Said(host="cloud", id=ID, state="over"), 1)
    assert ended is not None
    assert ended.state == "over"


def test_a_wish_that_nobody_answers_is_over() -> None:
    lapsed = walk.elapse(walk.ask(None, ID, 10, 0), ASKED_S)
    assert lapsed is not None
    assert lapsed.state == "over"


@pytest.mark.parametrize(
    ("observation", "before", "device_type", "expected"),
    [
        (Reading(device="d", metric="smoke", value=True, at_ms=2), False, "smoke", True),
        (Reading(device="d", metric="smoke", value=True, at_ms=2), None, "smoke", False),
        (Reading(device="d", metric="smoke", value=True, at_ms=2), True, "smoke", False),
        (Reading(device="d", metric="smoke", value=True, at_ms=2, quality="bad"), False, "smoke", False),
        (Reading(device="d", metric="battery-low", value=True, at_ms=2), False, "smoke", False),
        (Reading(device="d", metric="temperature", value=4.0, at_ms=2), 3.0, "cold-chain", False),
        (Event(device="d", kind="sos", at_ms=2), None, "sos-button", True),
        (Event(device="d", kind="device.offline", at_ms=2), None, "sos-button", False),
        (Event(device="d", kind="access.cardholders", at_ms=2), None, "door", False),
    ],
)
def test_a_trigger_is_what_a_hand_did(
    observation: Reading | Event, before: float | None, device_type: str, expected: bool
) -> None:
    known = None
    if isinstance(observation, Reading) and before is not None:
        known = Reading(device="d", metric=observation.metric, value=before, at_ms=1)
    assert is_trigger(observation, known, device_type) is expected


@pytest.mark.parametrize("text", ["3/1/502", " 3/1/502/ ", "B3/U1/502", "3-1-502/", "shop"])
def test_places_as_people_type_them(text: str) -> None:
    assert commissioning.place_of(text) == text.strip(" /").lower()


@pytest.mark.parametrize("text", ["", "3//502", "三/1", "../x", "a/b/c/d/e/f/g", "x" * 70])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        commissioning.place_of(text)
    assert refused.value.code == "protocols.commissioning.place"


def test_names_are_short_and_printable() -> None:
    assert commissioning.name_of("  厨房 ") == "厨房"
    for bad in ("x" * 61, "a\nb", "\x1b[2J"):
        with pytest.raises(ProtocolError):
            commissioning.name_of(bad)


def test_what_an_event_says() -> None:
    said = {"device": "d", "type": "smoke", "version": 3, "place": "3/1/502", "name": "hall", "more": 1}
    assert isinstance(commissioning.told(commissioning.PLACED, said), Placed)
    assert isinstance(commissioning.told(commissioning.ASKED, {"id": str(ID), "minutes": 10}), Asked)
    for kind, data in (
        (commissioning.PLACED, said | {"place": "../x"}),
        (commissioning.PLACED, said | {"version": 0}),
        (commissioning.ASKED, {"id": str(ID), "minutes": 10_000}),
        (commissioning.ASKED, []),
        ("device.online", said),
    ):
        assert commissioning.told(kind, data) is None


@pytest.mark.parametrize("value", [None, 7, "", "[]", "{}", "x" * 5000, '{"host":"c","id":"x","state":"running"}'])
def test_what_no_host_means_is_refused(value: object) -> None:
    with pytest.raises(ProtocolError):
        commissioning.read(value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_device_type_has_its_word_on_the_sheet(language: str) -> None:
    known = catalogue("edge", language)
    assert [code for code in DEVICE_TYPES if f"edge.type.{code}" not in known] == []
