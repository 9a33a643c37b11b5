"""The closed loop's tables, pure."""

from __future__ import annotations

import pytest

from cloud.domain import incident, task
from cloud.domain.places import Place, ancestors, at_scope, building, full_name, holds_at, position
from cloud.domain.policy import builtin
from protocols.errors import RefusedError

STREET = Place(id=1, path="s", kind="street", name={"zh-CN": "东港街道", "en": "Donggang"}, lat=1.0, lon=2.0)
COMMUNITY = Place(id=2, path="s/c", kind="community", name={"zh-CN": "桃园社区", "en": "Taoyuan"})
ESTATE = Place(id=3, path="s/c/e", kind="estate", name={"zh-CN": "桃园小区", "en": "Peach Garden"}, lat=3.0, lon=4.0)
HOUSE = Place(id=4, path="s/c/e/3", kind="building", name={"zh-CN": "3栋", "en": "Building 3"})
HOME = Place(id=5, path="s/c/e/3/502", kind="home", name={"zh-CN": "502"})
LINE = (STREET, COMMUNITY, ESTATE, HOUSE, HOME)


def test_the_story_takes_its_steps_in_order() -> None:
    state: incident.State = "reported"
    for step, expected in (
        ("file", "filed"),
        ("dispatch", "dispatched"),
        ("dispatch", "dispatched"),
        ("handle", "handling"),
        ("handle", "handling"),
        ("feed-back", "fed-back"),
        ("close", "closed"),
        ("evaluate", "evaluated"),
    ):
        state = incident.move(state, step)  # type: ignore[arg-type]
        assert state == expected


@pytest.mark.parametrize(("state", "step"), [("filed", "feed-back"), ("closed", "close"), ("void", "dispatch")])
def test_what_the_loop_does_not_know_is_refused(state: incident.State, step: incident.Step) -> None:
    with pytest.raises(RefusedError) as refusal:
        incident.move(state, step)
    assert refusal.value.code == "cloud.incident.not-now"


def test_every_open_state_can_be_closed_and_voided() -> None:
    assert {incident.move(state, "close") for state in incident.OPEN} == {"closed"}
    assert {incident.move(state, "void") for state in incident.OPEN} == {"void"}


def test_what_is_possible_follows_from_the_state() -> None:
    actions = incident.possible("filed", unacknowledged=True, seeking=True, volunteers=True)
    assert actions == ["acknowledge", "dispatch", "call-off", "escalate", "false-alarm", "close", "note"]
    assert incident.possible("closed", unacknowledged=True, seeking=True, volunteers=True) == ["note"]
    assert "dispatch" not in incident.possible("filed", unacknowledged=False, seeking=False, volunteers=False)


@pytest.mark.parametrize(
    ("state", "offer", "filled", "expected"),
    [
        ("open", "offered", 0, ("assigned", "accepted")),
        ("open", "expired", 0, ("assigned", "accepted")),
        ("open", "declined", 0, ("assigned", "accepted")),
        ("open", "offered", 1, ("taken", "late")),
        ("filled", "offered", 1, ("taken", "late")),
        ("filled", "withdrawn", 1, ("taken", "late")),
        ("filled", "accepted", 1, ("assigned", "accepted")),
        ("done", "offered", 1, ("over", "late")),
        ("done", "accepted", 1, ("over", "accepted")),
        ("cancelled", "withdrawn", 0, ("over", "late")),
    ],
)
def test_a_claim(state: task.TaskState, offer: task.OfferState, filled: int, expected: tuple[str, str]) -> None:
    assert task.claim(state, offer, filled=filled, wanted=1) == expected


def test_an_accepted_offer_is_released_not_declined() -> None:
    assert task.decline("offered") == "declined"
    assert task.decline("withdrawn") == "withdrawn"
    with pytest.raises(RefusedError):
        task.decline("accepted")


def test_late_and_repeated_taps_change_nothing() -> None:
    assert task.progress("accepted", "on-the-way") == "on-the-way"
    assert task.progress("accepted", "done") == "done"
    assert task.progress("on-scene", "on-the-way") == "on-scene"
    assert task.progress("done", "done") == "done"
    with pytest.raises(RefusedError):
        task.progress("released", "on-scene")


@pytest.mark.parametrize(
    ("state", "under_way", "done", "expected"),
    [
        ("open", 0, 0, "open"),
        ("open", 1, 0, "filled"),
        ("filled", 0, 0, "open"),
        ("filled", 0, 1, "done"),
        ("filled", 1, 1, "filled"),
        ("cancelled", 1, 0, "cancelled"),
        ("done", 0, 0, "done"),
    ],
)
def test_a_task_follows_its_assignments(state: task.TaskState, under_way: int, done: int, expected: str) -> None:
    assert task.after_assignments(state, under_way=under_way, done=done, wanted=1) == expected


def test_a_role_holds_below_its_place_and_nowhere_else() -> None:
    assert holds_at("s/c", "s/c")
    assert holds_at("s/c", "s/c/e")
    assert not holds_at("s/c", "s/c2")
    assert not holds_at("s/c/e", "s/c")
    assert ancestors("s/c/e") == ["s", "s/c", "s/c/e"]


def test_the_readable_line_begins_at_the_estate_and_falls_back_to_a_known_name() -> None:
    assert full_name(LINE) == {"zh-CN": "桃园小区 3栋 502", "en": "Peach Garden, Building 3, 502"}
    assert full_name((STREET,)) == {"zh-CN": "东港街道", "en": "Donggang"}
    assert full_name(building(LINE))["zh-CN"] == "桃园小区 3栋"


def test_a_place_without_a_position_has_that_of_what_it_is_in() -> None:
    assert position(LINE) == (3.0, 4.0)
    assert position(()) == (None, None)


def test_what_belongs_together() -> None:
    assert at_scope(LINE, "building") == "s/c/e/3"
    assert at_scope(LINE, "unit") == "s/c/e/3/502"
    assert at_scope((), "estate") == ""


def test_policies_are_those_of_the_class_with_the_changes_of_the_kind() -> None:
    policies = builtin()
    assert policies.of("A", "sos").joins_scope == "home"
    assert policies.of("A", "smoke").joins_scope == "building"
    assert policies.of("A", "smoke").most == policies.of("A", "sos").most == 30
    assert not policies.of("guard", "door-forced").volunteers
    assert not policies.of("device", "device-offline").volunteers
