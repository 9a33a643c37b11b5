"""What the vending driver makes of audits, and what a person may write into its table."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge.drivers.vending import FAMILY
from edge.drivers.vending.meaning import Memory, PriceWish, understand
from edge.rules import check_rules
from protocols.catalog import DEVICE_TYPES
from protocols.errors import ConfigError
from protocols.evadts import Audit, read, write
from protocols.events import Event, Observation, Reading
from protocols.rules import Rule


def audit(count: int, *more: tuple[str, tuple[object, ...]]) -> Audit:
    records = [
        ("ID1", ("SN1",)),
        ("ID4", (2, "1156", "CNY")),
        ("VA1", (350 * count, count)),
        ("PA1", ("11", 350, "TEA", 10, 10, "", 0, 8, 2)),
        ("PA2", (count, 350 * count)),
        *more,
    ]
    return read(write(records, communication_id="LDG0000001"))


def follow(*audits: Audit) -> list[list[Observation]]:
    """What each audit tells after those before it, a minute apart; the memory goes through JSON as in the agent."""
    memory, told = Memory(), []
    for minute, one in enumerate(audits):
        observations, memory = understand(memory, one, device="vending-1", now_ms=60_000 * minute)
        memory = Memory.from_state(json.loads(json.dumps(memory.to_state())))
        told.append(observations)
    return told


def events(observations: list[Observation], kind: str) -> list[dict[str, Any]]:
    return [dict(one.data) for one in observations if isinstance(one, Event) and one.kind == kind]


def value(observations: list[Observation], metric: str) -> object:
    return next((one.value for one in observations if isinstance(one, Reading) and one.metric == metric), None)


def test_a_sale() -> None:
    _, told = follow(audit(5), audit(6))
    assert events(told, "vending.sale") == [
        {
            "selection": "11",
            "product": "TEA",
            "currency": "CNY",
            "decimals": 2,
            "counter": 6,
            "count": 1,
            "value": 350,
        }
    ]


def test_everything_told_is_in_the_catalogue() -> None:
    row = DEVICE_TYPES["vending"]
    jam = ("EA2", ("EJB_11", 1, 1, "", 1))
    for observations in follow(
        audit(5), audit(7, jam, ("MA5", ("TEMP", "4.5", "C")), ("EA2", ("EGS", 1, 1, "", 1))), audit(1)
    ):
        for one in observations:
            assert one.kind in row.events if isinstance(one, Event) else row.metric(one.metric), one


def test_a_jam_that_the_machine_marks() -> None:
    told = follow(
        audit(5, ("EA2", ("EJB_11", 0, 0, "", 0))),
        audit(5, ("EA2", ("EJB_11", 1, 1, "", 1))),
        audit(5, ("EA2", ("EJB_11", 1, 1, "", 1))),
        audit(5, ("EA2", ("EJB_11", 1, 1, "", 0))),
    )
    assert [len(events(one, "vending.jam")) for one in told] == [0, 1, 0, 0]
    assert [len(events(one, "vending.jam-cleared")) for one in told] == [0, 0, 0, 1]
    assert [value(one, "jam") for one in told] == [False, True, True, False]


def test_a_jam_that_came_and_went_between_two_audits() -> None:
    _, told = follow(audit(5, ("EA2", ("EJL_11", 2, 2, "", 0))), audit(5, ("EA2", ("EJL_11", 3, 3, "", 0))))
    assert (len(events(told, "vending.jam")), len(events(told, "vending.jam-cleared"))) == (1, 1)


def test_a_jam_that_is_only_counted_ends_with_the_next_sale() -> None:
    counted = [("EA2", ("EJB_11", n, n)) for n in (4, 5, 5, 5)]
    told = follow(*(audit(sales, event) for sales, event in zip((5, 5, 5, 6), counted, strict=True)))
    assert [value(one, "jam") for one in told] == [False, True, True, False]
    assert events(told[1], "vending.jam") == [{"selection": "11", "event": "EJB_11"}]
    assert len(events(told[3], "vending.jam-cleared")) == 1


def test_a_jam_that_is_only_logged() -> None:
    old, new = ("EA1", ("EJB", "20260101", "1000")), ("EA1", ("EJB", "20260102", "1000"))
    told = follow(audit(5), audit(5, old), audit(6, old), audit(6, old, new), audit(7, old, new))
    assert [value(one, "jam") for one in told] == [False, True, False, True, False]


def test_a_log_from_before_the_first_audit_is_no_news() -> None:
    (told,) = follow(audit(5, ("EA1", ("EJB", "20260101", "1000")), ("EA2", ("EJL_11", 3, 3))))
    assert events(told, "vending.jam") == []


def test_a_jam_that_was_open_before_the_first_audit() -> None:
    (told,) = follow(audit(5, ("EA2", ("EJB_11", 1, 1, "", 1))))
    assert len(events(told, "vending.jam")) == 1


def test_findings_are_told_when_they_change() -> None:
    odd = ("PA2", (1, 350))
    told = follow(audit(5), audit(5, odd), audit(5, odd), audit(5))
    assert [len(events(one, "vending.audit-findings")) for one in told] == [0, 1, 0, 1]
    assert events(told[1], "vending.audit-findings")[0]["findings"][0]["code"] == "totals-disagree"
    assert events(told[3], "vending.audit-findings")[0]["count"] == 0


def test_weeks_of_sales_share_events_and_lose_nothing() -> None:
    memory = Memory()
    _, memory = understand(memory, audit(5), device="vending-1", now_ms=0)
    told, _ = understand(memory, audit(5005), device="vending-1", now_ms=14 * 86_400_000)
    (sale,) = events(told, "vending.sale")
    assert (sale["counter"], sale["count"], sale["value"]) == (6, 5000, 5000 * 350)


def test_a_memory_that_cannot_be_read_begins_anew() -> None:
    for state in ({}, {"snapshot": 5}, {"snapshot": {"machine": 1}, "at_ms": 0, "jams": [], "findings": []}):
        assert Memory.from_state(state) == Memory()


def sample() -> dict[str, Any]:
    document = tomllib.loads((files("edge.drivers.vending") / "sample.toml").read_text("utf-8"))
    (table,) = document["driver"]
    assert isinstance(table, dict)
    return table


def test_the_sample_makes_a_driver_and_shows_every_key() -> None:
    assert set(FAMILY.config.model_fields) == set(sample())
    driver = FAMILY.make(FAMILY.config.model_validate(sample()))
    assert [device.id for device in driver.devices] == ["vending-1"]


@pytest.mark.parametrize("change", [{"speed": 1}, {"baud": 1}, {"interval_s": 0}, {"carrier": "short"}, {"device": []}])
def test_a_wrong_key_or_value_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FAMILY.config.model_validate(sample() | change)


def stocked(*levels: tuple[int, int], price: int = 350) -> Audit:
    """An audit of a machine with these (sold, level) per selection, room for ten each, two as their minimum."""
    records: list[tuple[str, tuple[object, ...]]] = [("ID1", ("SN1",)), ("ID4", (2, "1156", "CNY"))]
    records.append(("VA1", (350 * sum(sold for sold, _ in levels), sum(sold for sold, _ in levels))))
    for place, (sold, level) in enumerate(levels, start=11):
        records += [
            ("PA1", (str(place), price, "TEA", 10, 10, "", 0, level, 2)),
            ("PA2", (sold, 350 * sold)),
        ]
    return read(write(records, communication_id="LDG0000001"))


def test_stock_room_and_what_runs_low() -> None:
    [told] = follow(stocked((0, 10), (0, 2), (0, 0), (0, 1)))
    names = ("stock", "stock-capacity", "selections-low", "selections-empty")
    assert [value(told, name) for name in names] == [13, 40, 2, 1]
    assert {*names} <= {metric.name for metric in DEVICE_TYPES["vending"].metrics}


def test_a_refill_is_told_with_what_was_added() -> None:
    _, sold, filled = follow(stocked((0, 5)), stocked((3, 2)), stocked((4, 10)))
    assert events(sold, "vending.restocked") == []
    assert events(filled, "vending.restocked") == [{"before": 2, "after": 10, "added": 9}]


def test_a_price_changed_at_the_machine_is_told() -> None:
    _, changed = follow(stocked((0, 5)), stocked((0, 5), price=400))
    expected = {"selection": "11", "before": 350, "after": 400, "by": "machine"}
    assert events(changed, "vending.price-changed") == [expected]


@pytest.mark.parametrize(
    ("asked", "kind", "data"),
    [
        (400, "vending.price-changed", {"selection": "11", "before": 350, "after": 400, "by": "command"}),
        (350, "vending.price-kept", {"selection": "11", "wanted": 400, "price": 350}),
        (360, "vending.price-kept", {"selection": "11", "wanted": 400, "price": 360}),
    ],
)
def test_the_audit_after_a_price_was_sent_decides(asked: int, kind: str, data: dict[str, Any]) -> None:
    _, memory = understand(Memory(), stocked((0, 5)), device="vending-1", now_ms=0)
    wished = replace(memory, wish=PriceWish(selection="11", price=400, before=350))
    wished = Memory.from_state(json.loads(json.dumps(wished.to_state())))  # also when the gateway restarted between
    told, after = understand(wished, stocked((0, 5), price=asked), device="vending-1", now_ms=1000)
    assert [dict(one.data) for one in told if isinstance(one, Event) and one.kind == kind] == [data]
    assert len([one for one in told if isinstance(one, Event)]) == 1
    assert after.wish is None


def test_no_rule_may_set_a_price() -> None:
    """Only a person's command does, with a ticket."""
    action = {"device": "vending-1", "output": "price", "value": "11=1"}
    rule = Rule.model_validate({"code": "r", "when": {"type": "state", "metric": "jam"}, "actions": [action]})
    with pytest.raises(ConfigError):
        check_rules([rule], {"vending-1": "vending"}, Path("gateway.toml"))


def test_the_door_and_the_cooling_are_told_when_they_begin_and_end() -> None:
    opened = ("EA1", ("EGS", "20260102", "1430"))
    told = follow(
        audit(5, ("EA2", ("EGS", 4, 36, "", 0))),
        audit(5, opened, ("EA2", ("EGS", 5, 37, "", 1)), ("EA2", ("EJJ_2", 1, 1, "", 1))),
        audit(5, ("EA2", ("EGS", 5, 37, "", 0)), ("EA2", ("EJJ_2", 1, 1, "", 1))),
        audit(5),  # the standard lists an event that is over no more
        audit(5, ("EA2", ("EGS", 7, 39, "", 0))),
    )
    kinds = ("vending.door-opened", "vending.door-closed", "vending.cooling-failed", "vending.cooling-restored")
    assert [[len(events(one, kind)) for kind in kinds] for one in told] == [
        [0, 0, 0, 0],
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 1],
        [1, 1, 0, 0],  # and lists it again because it happened again
    ]
    assert events(told[1], "vending.door-opened") == [{"event": "EGS", "machine-time": "2026-01-02T14:30:00"}]
    assert [value(one, "door-open") for one in told] == [False, True, False, None, False]
    assert [value(one, "cooling-fault") for one in told] == [None, True, True, False, None]


def test_a_door_that_was_open_between_two_audits() -> None:
    _, told = follow(audit(5, ("EA2", ("EGS", 4, 36, "", 0))), audit(5, ("EA2", ("EGS", 5, 37, "", 0))))
    assert [len(events(told, f"vending.door-{what}")) for what in ("opened", "closed")] == [1, 1]


def test_a_door_that_is_known_by_its_closing_only() -> None:
    told = follow(audit(5, ("EA2", ("EGT", 1, 1, "", 0))), audit(5, ("EA2", ("EGT", 2, 2, "", 1))))
    assert [value(one, "door-open") for one in told] == [True, False]


def test_too_warm_for_too_long_counts_as_cooling() -> None:
    (told,) = follow(audit(5, ("EA2", ("EJH", "", "", "", 1))))
    assert events(told, "vending.cooling-failed") == [{"event": "EJH"}]
    assert value(told, "cooling-fault") is True


def test_memory_of_an_older_version_keeps_its_jams() -> None:
    _, memory = understand(Memory(), audit(5, ("EA2", ("EJB_11", 1, 1, "", 1))), device="vending-1", now_ms=0)
    state = memory.to_state()
    state["jams"] = state.pop("open")
    assert Memory.from_state(state).open == {"EJB_11"}
