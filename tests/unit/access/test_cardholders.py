"""The decision as a table: who, where, when, and why not."""

from __future__ import annotations

import tomllib
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from protocols.access.cardholders import Cardholders, Decision, cardholders_from, decide
from protocols.access.keypad import Shown
from protocols.access.wiegand import parse_card
from protocols.errors import ConfigError

STORE = """
time_zone = "Asia/Shanghai"
holidays = [2026-10-01]

[schedule.day]
mon = ["06:00-12:00", "13:00-24:00"]
thu = ["06:00-23:00"]
fri = ["22:00-02:00"]
holiday = ["09:00-10:00"]

[[cardholder]]
id = "resident"
cards = ["H10301:1:1", "RAW:40:DEADBEEF00"]

[[cardholder]]
id = "cleaner"
cards = ["H10301:1:2"]
doors = ["door-3-1"]
schedule = "day"
valid_from = 2026-02-01
valid_until = 2026-12-31

[[cardholder]]
id = "moved-away"
cards = ["H10301:1:3"]
enabled = false
"""


def store(text: str = STORE) -> Cardholders:
    return cardholders_from(tomllib.loads(text), source="cardholders.toml")


def ms(text: str) -> int:
    """Milliseconds of a Shanghai time."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)


MONDAY, THURSDAY, FRIDAY, SATURDAY = "2026-06-01", "2026-06-04", "2026-06-05", "2026-06-06"


@pytest.mark.parametrize(
    ("card", "door", "when", "expected"),
    [
        ("H10301:1:1", "door-3-1", f"{MONDAY}T03:00", ("resident", None)),
        ("RAW:40:DEADBEEF00", "door-9-9", f"{MONDAY}T03:00", ("resident", None)),
        ("H10301:1:9", "door-3-1", f"{MONDAY}T09:00", (None, "unknown")),
        ("RAW:40:DEADBEEF01", "door-3-1", f"{MONDAY}T09:00", (None, "unknown")),
        ("H10301:1:3", "door-3-1", f"{MONDAY}T09:00", ("moved-away", "disabled")),
        ("H10301:1:2", "door-3-1", f"{MONDAY}T06:00", ("cleaner", None)),
        ("H10301:1:2", "door-3-1", f"{MONDAY}T05:59:59", ("cleaner", "schedule")),
        ("H10301:1:2", "door-3-1", f"{MONDAY}T12:00", ("cleaner", "schedule")),
        ("H10301:1:2", "door-3-1", f"{MONDAY}T23:59:59", ("cleaner", None)),
        ("H10301:1:2", "door-3-1", "2026-06-02T00:00", ("cleaner", "schedule")),
        ("H10301:1:2", "door-3-1", f"{FRIDAY}T23:30", ("cleaner", None)),
        ("H10301:1:2", "door-3-1", f"{SATURDAY}T01:59", ("cleaner", None)),
        ("H10301:1:2", "door-3-1", f"{SATURDAY}T02:00", ("cleaner", "schedule")),
        ("H10301:1:2", "door-3-1", f"{SATURDAY}T23:00", ("cleaner", "schedule")),
        ("H10301:1:2", "door-3-1", "2026-10-01T09:30", ("cleaner", None)),
        ("H10301:1:2", "door-3-1", "2026-10-01T12:00", ("cleaner", "schedule")),
        ("H10301:1:2", "door-3-2", f"{MONDAY}T09:00", ("cleaner", "door")),
        ("H10301:1:2", "door-3-1", "2026-01-31T23:59", ("cleaner", "expired")),
        ("H10301:1:2", "door-3-1", "2026-12-31T22:59", ("cleaner", None)),
        ("H10301:1:2", "door-3-1", "2027-01-01T00:00", ("cleaner", "expired")),
    ],
)
def test_decisions(card: str, door: str, when: str, expected: tuple[str | None, str | None]) -> None:
    decision = decide(Shown(card=parse_card(card)), door, store(), ms(when))
    holder, reason = expected
    assert (decision.holder, decision.reason, decision.granted) == (holder, reason, reason is None)


def test_the_street_decides_what_day_it_is_not_the_gateway() -> None:
    """23:30 UTC on Sunday is Monday morning in Shanghai."""
    now_ms = round(datetime(2026, 5, 31, 23, 30, tzinfo=ZoneInfo("UTC")).timestamp() * 1000)
    assert decide(Shown(card=parse_card("H10301:1:2")), "door-3-1", store(), now_ms) == Decision(
        granted=True, holder="cleaner"
    )


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ('[[cardholder]]\nid = "a"\ncards = ["12345"]', "cardholder.0.cards.0", "format:facility:number"),
        ('[[cardholder]]\nid = "a"\nschedule = "night"', "-", "night"),
        ('[[cardholder]]\nid = "a"\n[[cardholder]]\nid = "a"', "-", "same id"),
        (
            '[[cardholder]]\nid = "a"\ncards = ["H10301:1:1"]\n[[cardholder]]\nid = "b"\ncards = ["h10301:1:01"]',
            "-",
            "belongs",
        ),
        ('[[cardholder]]\nid = "a"\ncards = ["H10301:1:1"]\nduress_cards = ["H10301:1:1"]', "-", "belongs"),
        ('[[cardholder]]\nid = "a"\ncodes = ["12a4"]', "cardholder.0.codes.0", "4 to 12 digits"),
        ('[[cardholder]]\nid = "a"\ncodes = ["1234"]\nduress_codes = ["1234"]', "-", "is also one of"),
        ('[[cardholder]]\nid = "a"\nnick = "b"', "cardholder.0.nick", "not permitted"),
        ('time_zone = "Peach/Garden"', "time_zone", "IANA"),
        ('[schedule.x]\nmon = ["25:00-26:00"]', "schedule.x.mon.0", "HH:MM"),
    ],
)
def test_a_store_that_cannot_be_used_names_the_key(text: str, key: str, word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        store(text)
    assert caught.value.params["key"] == key
    assert word in str(caught.value)
    assert "cardholders.toml" in str(caught.value)


CODES = """
[[cardholder]]
id = "owner"
cards = ["H10301:1:1"]
codes = ["1234"]
duress_cards = ["H10301:1:11"]
duress_codes = ["1235"]

[[cardholder]]
id = "other"
cards = ["H10301:1:2"]
codes = ["9999"]
"""
OWN, OWN_DURESS = parse_card("H10301:1:1"), parse_card("H10301:1:11")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (Shown(code="1234"), ("owner", None, False)),
        (Shown(code="1235"), ("owner", None, True)),
        (Shown(code="1236"), (None, "unknown", False)),
        (Shown(card=OWN_DURESS), ("owner", None, True)),
        (Shown(card=OWN, code="1234"), ("owner", None, False)),
        (Shown(card=OWN, code="1235"), ("owner", None, True)),
        (Shown(card=OWN_DURESS, code="1234"), ("owner", None, True)),
        (Shown(card=OWN, code="9999"), ("owner", "code", False)),
        (Shown(card=OWN, code="0000"), ("owner", "code", False)),
        (Shown(card=OWN, complete=False), ("owner", "incomplete", False)),
        (Shown(card=parse_card("H10301:9:9"), complete=False), (None, "unknown", False)),
        (Shown(code="1234", complete=False), (None, "incomplete", False)),
    ],
)
def test_codes_and_duress(shown: Shown, expected: tuple[str | None, str | None, bool]) -> None:
    decision = decide(shown, "door-3-1", store(CODES), ms(f"{MONDAY}T09:00"))
    assert (decision.holder, decision.reason, decision.duress) == expected
    assert decision.granted is (decision.reason is None)
