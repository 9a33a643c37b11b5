"""Whom the cloud delivers beside the gateway's own file: a withdrawn card opens nothing because of a forgotten file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from protocols.access.beside import Beside
from protocols.access.cardholders import Cardholders, Decision, cardholders_from, decide
from protocols.access.keypad import Shown
from protocols.access.wiegand import parse_card

NOON_MS = round(datetime(2026, 6, 1, 4, tzinfo=UTC).timestamp() * 1000)  # a Monday, 12:00 in Shanghai


def store(*people: dict[str, Any], **more: Any) -> Cardholders:
    return cardholders_from({"cardholder": list(people), **more}, source="test")


def card(number: int) -> str:
    return f"H10301:1:{number}"


FILE = store(
    {"id": "wang", "cards": [card(1), card(2)], "codes": ["271828"], "duress_codes": ["271829"]},
    {"id": "guard", "cards": [card(3)], "schedule": "day", "passback_exempt": True},
    {"id": "lent", "cards": [card(4)], "codes": ["314159"]},
    schedule={"day": {"mon": ["06:00-22:00"]}},
)
DELIVERED = store(
    {"id": "wang", "cards": [card(2)], "doors": ["door-1"]},
    {"id": "li", "cards": [card(4), card(5)], "schedule": "day"},
    {"id": "gone", "cards": [card(6)], "enabled": False},
    schedule={"day": {"sun": ["06:00-22:00"]}},
)
BOTH = Beside(DELIVERED, FILE)


def at(door: str = "door-1", number: int | None = None, code: str | None = None) -> Decision:
    shown = Shown(card=None if number is None else parse_card(card(number)), code=code, complete=True)
    return decide(shown, door, BOTH, NOON_MS)


@pytest.mark.parametrize(
    ("number", "granted", "reason", "holder"),
    [
        (1, False, "unknown", None),  # the file still has it; the cloud took it away
        (2, True, None, "wang"),
        (3, True, None, "guard"),  # by the file's own hours
        (4, False, "schedule", "li"),  # the delivered owner, by the delivered hours of the same name
        (6, False, "disabled", "gone"),
        (7, False, "unknown", None),
    ],
)
def test_who_counts_by_what(number: int, *, granted: bool, reason: str | None, holder: str | None) -> None:
    found = at(number=number)
    assert (found.granted, found.reason, found.holder) == (granted, reason, holder)


def test_codes_are_the_files_and_the_person_the_clouds() -> None:
    assert at(code="271828").granted
    assert at("door-2", code="271828").reason == "door"
    assert at(code="271829").duress
    assert at(code="314159").holder == "lent"
    assert at(number=2, code="271828").granted
    assert at(number=2, code="314159").reason == "code"


def test_how_many_there_are_and_whom_anti_passback_leaves_alone() -> None:
    assert BOTH.people == 5
    assert BOTH.passback_exempt == {"guard"}
    assert Beside(store({"id": "guard"}), FILE).passback_exempt == frozenset()
