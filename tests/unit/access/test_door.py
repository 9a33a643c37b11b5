"""A door as a script in time: at each second something happens, and this is what the door does about it."""

from __future__ import annotations

import json

import pytest

from protocols.access.cardholders import Decision
from protocols.access.door import (
    CardShown,
    ContactIs,
    DoorSettings,
    DoorState,
    Elapsed,
    ExitPressed,
    Fact,
    Release,
    Restore,
    Step,
    Unlock,
    step,
)

GRANTED = CardShown(card="H10301:1:1", decision=Decision(granted=True, holder="wang-lan"))
DENIED = CardShown(card="H10301:1:2", decision=Decision(granted=False, reason="unknown"))
OPENS, CLOSES = ContactIs(open=True), ContactIs(open=False)


class Script:
    """A closed door; `at(seconds, fact)` gives the kinds that were told, `strike` what the last step did with it."""

    def __init__(self, *, held_open_s: int = 30, exit_button: bool = True) -> None:
        self.settings = DoorSettings(unlock_ms=5_000, held_open_ms=held_open_s * 1000, exit_button=exit_button)
        self.state = DoorState(open=False)
        self.last = Step(state=self.state)

    def at(self, seconds: float, fact: Fact) -> list[str]:
        # What is stored must be enough to go on after a restart.
        restarted = DoorState.from_json(json.loads(json.dumps(self.state.to_json())))
        assert restarted == self.state
        self.last = step(restarted, fact, round(seconds * 1000), self.settings)
        self.state = self.last.state
        return [kind for kind, _ in self.last.events]

    @property
    def strike(self) -> str:
        return self.last.strike

    def due_s(self) -> float | None:
        return None if self.last.due_ms is None else self.last.due_ms / 1000


def test_a_granted_card_lets_one_through() -> None:
    door = Script()
    assert door.at(10, GRANTED) == ["access.granted"]
    assert (door.strike, door.last.feedback) == ("pulse", "granted")
    assert door.last.events[0][1] == {"card": "H10301:1:1", "holder": "wang-lan"}
    assert door.at(12, OPENS) == []
    assert door.at(15, CLOSES) == []


def test_a_denied_card_opens_nothing() -> None:
    door = Script()
    assert door.at(10, DENIED) == ["access.denied"]
    assert (door.strike, door.last.feedback) == ("none", "denied")
    assert door.last.events[0][1] == {"card": "H10301:1:2", "reason": "unknown"}
    assert door.at(12, OPENS) == ["access.forced"]


def test_a_grant_ends_with_the_strike() -> None:
    door = Script()
    door.at(10, GRANTED)
    assert door.at(16, OPENS) == [], "the second after the strike is still forgiven"
    door.at(17, CLOSES)
    assert door.at(17.5, OPENS) == ["access.forced"]
    assert door.at(18, CLOSES) == ["access.closed"]


def test_a_second_card_prolongs_the_grant() -> None:
    door = Script()
    door.at(10, GRANTED)
    door.at(14, GRANTED)
    assert door.at(19, OPENS) == []


def test_exit_request_and_unlock_permit_an_opening() -> None:
    door = Script()
    assert door.at(10, ExitPressed()) == ["access.exit-request"]
    assert door.strike == "pulse"
    assert door.at(11, OPENS) == []
    assert door.at(12, CLOSES) == []
    assert door.at(100, Unlock()) == []
    assert door.strike == "pulse"
    assert door.at(101, OPENS) == []


def test_forced_is_told_once_and_closed_after_it() -> None:
    door = Script()
    assert door.at(10, OPENS) == ["access.forced"]
    assert door.at(11, OPENS) == []
    assert door.at(12, CLOSES) == ["access.closed"]
    assert door.at(13, CLOSES) == []


def opens(*, seen_s: float) -> ContactIs:
    return ContactIs(open=True, seen_ms=round(seen_s * 1000))


@pytest.mark.parametrize("exit_button", [True, False])
def test_an_opening_that_a_grant_may_have_permitted_while_nobody_looked_is_not_called_forced(exit_button: bool) -> None:
    door = Script(exit_button=exit_button)
    door.at(10, GRANTED)
    assert door.at(40, opens(seen_s=12)) == ["access.opened-unobserved"]
    assert door.last.events[0][1] == {"unseen_s": 28.0}
    assert door.at(45, CLOSES) == ["access.closed"]
    assert door.at(46, opens(seen_s=45.9)) == ["access.forced"]


def test_an_exit_request_may_have_been_missed_where_there_is_a_button() -> None:
    assert Script().at(40, opens(seen_s=12)) == ["access.opened-unobserved"]
    door = Script(exit_button=False)
    assert door.at(40, opens(seen_s=12)) == ["access.forced"]
    assert door.last.events[0][1] == {"unseen_s": 28.0}


def test_a_gap_within_the_bound_of_a_poll_is_none() -> None:
    assert Script().at(40, opens(seen_s=39)) == ["access.forced"]
    assert Script().at(40, opens(seen_s=38.9)) == ["access.opened-unobserved"]


def test_a_look_in_the_future_is_no_look() -> None:
    """The clock of the agent before this one was ahead."""
    assert Script(exit_button=False).at(40, opens(seen_s=9_000)) == ["access.opened-unobserved"]


def test_what_is_permitted_now_is_permitted_whatever_was_missed() -> None:
    door = Script()
    door.at(10, GRANTED)
    assert door.at(14, opens(seen_s=3)) == []


def test_held_open_is_told_once_and_closed_after_it() -> None:
    door = Script()
    door.at(10, GRANTED)
    door.at(12, OPENS)
    assert door.due_s() == 42
    assert door.at(41.9, Elapsed()) == []
    assert door.at(42, Elapsed()) == ["access.held-open"]
    assert door.last.events[0][1] == {"open_s": 30}
    assert door.due_s() is None
    assert door.at(90, Elapsed()) == []
    assert door.at(91, CLOSES) == ["access.closed"]


def test_a_forced_door_that_stays_open_is_also_held() -> None:
    door = Script()
    assert door.at(10, OPENS) == ["access.forced"]
    assert door.at(40, Elapsed()) == ["access.held-open"]
    assert door.at(50, CLOSES) == ["access.closed"]


def test_zero_means_that_it_may_stand_open() -> None:
    door = Script(held_open_s=0)
    door.at(10, GRANTED)
    door.at(12, OPENS)
    assert door.due_s() is None
    assert door.at(100_000, Elapsed()) == []


def test_the_first_word_of_a_contact_is_no_opening() -> None:
    door = Script()
    door.state = DoorState()
    assert door.at(10, OPENS) == []
    assert door.at(40, Elapsed()) == ["access.held-open"]


def test_an_emergency_release_overrides_everything_until_restore() -> None:
    door = Script()
    assert door.at(10, Release()) == ["access.emergency-release"]
    assert door.strike == "hold"
    assert door.at(11, Release()) == [], "told once, and commanded again"
    assert door.strike == "hold"
    assert door.at(20, OPENS) == []
    assert door.at(1000, Elapsed()) == []
    assert door.at(1001, GRANTED) == ["access.granted"]
    assert door.strike == "none", "a pulse would end in a locked door"
    assert door.at(2000, Restore()) == ["access.restored"]
    assert door.strike == "lock"
    assert door.at(2029, Elapsed()) == [], "it may stand open for a while from the restore on"
    assert door.at(2030, Elapsed()) == ["access.held-open"]
    assert door.at(2040, CLOSES) == ["access.closed"]
    assert door.at(2050, OPENS) == ["access.forced"]


def test_a_forced_door_is_closed_also_when_a_release_came_between() -> None:
    door = Script()
    door.at(10, OPENS)
    door.at(11, Release())
    assert door.at(12, CLOSES) == ["access.closed"]


def test_a_restore_without_a_release_only_locks() -> None:
    door = Script()
    assert door.at(10, Restore()) == []
    assert door.strike == "lock"
