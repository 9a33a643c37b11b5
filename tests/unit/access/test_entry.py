"""The whole decision: anti-passback, lockout, keypad and duress together, and what holds whatever people do."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.access import keypad
from protocols.access.cardholders import Decision, cardholders_from
from protocols.access.door import CardShown, DoorSettings, DoorState, step
from protocols.access.entry import EntryRules, judge
from protocols.access.keypad import Entry, Pad, Shown
from protocols.access.lockout import LockoutRules, Lockouts
from protocols.access.passback import Area, Passback, Places, Way
from protocols.access.wiegand import parse_card

STORE = cardholders_from(
    tomllib.loads(
        """
[[cardholder]]
id = "a"
cards = ["H10301:1:1"]
codes = ["1111"]
duress_codes = ["1112"]
[[cardholder]]
id = "b"
cards = ["H10301:1:2"]
enabled = false
[[cardholder]]
id = "guard"
cards = ["H10301:1:3"]
passback_exempt = true
"""
    ),
    source="test",
)
A, B, GUARD, STRANGER = (Shown(card=parse_card(f"H10301:1:{number}")) for number in (1, 2, 3, 99))


def area(kind: Passback, forgive_ms: int = 0, *, hold: bool = False) -> Area:
    return Area(name="garage", passback=kind, forgive_ms=forgive_ms, when_blind="hold" if hold else "forgive")


class Gate:
    """A way in and a way out of one area. Who is let in goes through."""

    def __init__(self, garage: Area, *, denials: int = 0) -> None:
        self.lockout = LockoutRules(denials=denials, window_ms=60_000, lasts_ms=30_000)
        self.ways = {"in": Way(enters=garage), "out": Way(leaves=garage)}
        self.places, self.lockouts, self.blind = Places(), Lockouts(), set[str]()

    def show(self, side: str, shown: Shown, now_s: float) -> Decision:
        self.places = Places.from_json(json.loads(json.dumps(self.places.to_json())))
        self.lockouts = Lockouts.from_json(json.loads(json.dumps(self.lockouts.to_json())))
        judged = judge(
            shown,
            EntryRules(door="d", way=self.ways[side], lockout=self.lockout),
            cardholders=STORE,
            places=self.places,
            lockouts=self.lockouts,
            blind=self.blind,
            now_ms=round(now_s * 1000),
            utc_ms=0,
        )
        self.lockouts = judged.lockouts
        if judged.decision.granted and judged.decision.holder is not None:
            self.places = self.places.passed(judged.decision.holder, self.ways[side], round(now_s * 1000), self.blind)
        return judged.decision


def test_hard_denies_who_is_inside_and_who_is_outside() -> None:
    gate = Gate(area("hard"))
    assert gate.show("out", A, 0).granted, "nobody knows where a is"
    assert gate.show("in", A, 1).granted
    assert gate.show("in", A, 2).reason == "passback"
    assert gate.show("out", A, 3).granted
    assert gate.show("out", A, 4).reason == "passback"
    assert [gate.show("in", GUARD, 5 + n).granted for n in range(3)] == [True] * 3


def test_soft_lets_in_and_says_so() -> None:
    gate = Gate(area("soft"))
    assert not gate.show("in", A, 1).passback
    again = gate.show("in", A, 2)
    assert (again.granted, again.passback) == (True, True)
    assert not gate.show("out", A, 3).passback


def test_timed_denies_for_a_time_and_only_on_the_way_in() -> None:
    gate = Gate(area("timed", 60_000))
    assert gate.show("in", A, 0).granted
    assert gate.show("in", A, 59).reason == "passback"
    assert gate.show("in", A, 60).granted, "a denied attempt does not prolong it"
    assert gate.show("out", A, 61).granted
    assert gate.show("out", A, 62).granted
    assert gate.show("in", A, 63).granted, "who came out may go in"


def test_a_place_is_forgiven_after_its_time_and_by_hand() -> None:
    gate = Gate(area("hard", 1_000_000))
    gate.show("in", A, 0)
    assert gate.show("in", A, 999).reason == "passback"
    assert gate.show("in", A, 1000).granted
    gate.places = gate.places.forgiven(["garage"])
    assert gate.show("in", A, 1001).granted


def test_an_area_that_cannot_be_seen_denies_nobody_unless_it_holds() -> None:
    for hold in (False, True):
        gate = Gate(area("hard", hold=hold))
        gate.show("in", A, 0)
        gate.blind = {"garage"}
        assert gate.show("in", A, 1).granted is not hold
        assert gate.show("in", A, 2).granted is not hold


STEPS = st.lists(st.tuples(st.sampled_from(["in", "out"]), st.integers(0, 30)), max_size=40)


@given(steps=STEPS, hidden=st.sets(st.integers(0, 39)))
def test_hard_never_lets_in_twice_and_soft_and_blind_never_deny(steps: list[tuple[str, int]], hidden: set[int]) -> None:
    hard, soft, blind = Gate(area("hard")), Gate(area("soft")), Gate(area("hard"))
    now, last = 0, ""
    for number, (side, wait) in enumerate(steps):
        now += wait
        if hard.show(side, A, now).granted:
            assert side != last, "twice the same way without the other between"
            last = side
        assert soft.show(side, A, now).granted
        blind.blind = {"garage"} if number in hidden else set()
        if number in hidden:
            assert blind.show(side, A, now).granted


@given(st.lists(st.text(min_size=1, max_size=64), max_size=300))
def test_what_is_remembered_stays_small(people: list[str]) -> None:
    places, way = Places(), Way(enters=area("hard"))
    for number, who in enumerate(people * 3):
        places = places.passed(f"{number}{who}"[:64], way, number)
    assert len(json.dumps(places.to_json())) <= 40_000
    if people:
        assert places.violation(f"{len(people) * 3 - 1}{people[-1]}"[:64], way, 10**6) == "hard", "the newest are kept"


def test_a_card_that_is_denied_too_often_is_locked_out_for_a_while() -> None:
    gate = Gate(area("soft"), denials=3)
    assert [gate.show("in", B, n).reason for n in range(5)] == ["disabled"] * 3 + ["lockout"] * 2
    assert gate.show("in", A, 6).granted, "nobody else is locked out"
    assert gate.show("in", B, 31.9).reason == "lockout"
    assert gate.show("in", B, 32.1).reason == "disabled"


def test_strangers_lock_out_strangers_only() -> None:
    gate = Gate(area("soft"), denials=2)
    other = Shown(card=parse_card("H10301:9:1"))
    assert gate.show("in", STRANGER, 0).locks is False
    assert gate.show("in", other, 1).locks is True
    assert gate.show("in", STRANGER, 2).reason == "lockout"
    assert gate.show("in", A, 3).granted


def test_a_keypad_is_locked_by_wrong_codes_also_between_right_ones() -> None:
    gate = Gate(area("soft"), denials=3)
    wrong, right = Shown(code="0000"), Shown(code="1111")
    shown = [wrong, right, wrong, right, wrong, right]
    reasons = [gate.show("in", one, n).reason for n, one in enumerate(shown)]
    assert reasons == ["unknown", None, "unknown", None, "unknown", "lockout"]
    threatened = gate.show("in", Shown(code="1112"), 7)
    assert (threatened.granted, threatened.duress) == (False, True), "the door stays locked, the call is told"
    assert gate.show("in", A, 8).granted, "cards go on"


def test_denials_that_lie_far_apart_lock_nothing() -> None:
    gate = Gate(area("soft"), denials=2)
    assert [gate.show("in", B, n * 61).reason for n in range(4)] == ["disabled"] * 4


@given(st.lists(st.tuples(st.sampled_from([A, B, STRANGER]), st.integers(0, 40)), max_size=60))
def test_who_may_pass_is_never_locked_out_by_others(steps: list[tuple[Shown, int]]) -> None:
    gate, now = Gate(area("soft"), denials=2), 0
    for shown, wait in steps:
        now += wait
        decision = gate.show("in", shown, now)
        assert decision.granted is (shown == A)
        assert len(gate.lockouts.counts) <= 16


def test_nothing_at_the_door_shows_a_duress() -> None:
    settings = DoorSettings(unlock_ms=5000, held_open_ms=0)
    plain, forced = (
        step(
            DoorState(open=False),
            CardShown(card=None, code=True, decision=Decision(granted=True, holder="a", duress=duress)),
            0,
            settings,
        )
        for duress in (False, True)
    )
    assert (plain.strike, plain.feedback, plain.state) == (forced.strike, forced.feedback, forced.state)
    assert [kind for kind, _ in plain.events] == ["access.granted"]
    assert forced.events == (
        ("access.granted", {"by": "code", "holder": "a"}),
        ("access.duress", {"by": "code", "holder": "a", "granted": True}),
    )


CARD = parse_card("H10301:1:1")


@pytest.mark.parametrize(
    ("entry", "keys", "expected"),
    [
        ("card", b"1234\r", []),
        ("card-or-code", b"1234\r", [Shown(code="1234")]),
        ("card-or-code", b"12*34#", [Shown(code="34")]),
        ("card-or-code", b"12\x7f\r", []),
        ("card-or-code", b"1\r2\r", [Shown(code="1"), Shown(code="2")]),
        ("card-and-code", b"1234\r", [Shown(code="1234", complete=False)]),
        ("card-or-code", b"12345678901234567890#", [Shown(code="1234567890123")]),
    ],
)
def test_keys_become_codes(entry: Entry, keys: bytes, expected: list[Shown]) -> None:
    assert keypad.pressed(Pad(), keys, entry, 0)[1] == expected
    pad, told = Pad(), []
    for key in keys:
        pad, shown = keypad.pressed(pad, bytes([key]), entry, 0)
        told += shown
    assert told == expected


def test_a_card_waits_for_its_code_and_not_for_ever() -> None:
    pad, shown = keypad.shown_card(Pad(), CARD, "card-and-code", 0)
    assert shown == []
    assert keypad.pressed(pad, b"1234#", "card-and-code", 9_000)[1] == [Shown(card=CARD, code="1234")]
    assert keypad.elapsed(pad, 10_000) == (Pad(), [Shown(card=CARD, complete=False)])
    assert keypad.pressed(pad, b"1234#", "card-and-code", 10_000)[1] == [
        Shown(card=CARD, complete=False),
        Shown(code="1234", complete=False),
    ]
    assert "1234" not in repr(keypad.pressed(pad, b"1234", "card-and-code", 1)[0])


@given(st.binary(max_size=200), st.sampled_from(["card", "card-or-code", "card-and-code"]))
def test_whatever_keys_come_little_is_kept(keys: bytes, entry: Entry) -> None:
    pad, shown = keypad.pressed(Pad(), keys, entry, 0)
    assert len(pad.digits) <= 13
    assert all(one.code is not None and one.code.isdecimal() and len(one.code) <= 13 for one in shown)
