"""Sales are differences of counters that wrap, reset, fall back, jump and change their price."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from protocols.evadts import read, write
from protocols.evadts.facts import EventState, Slot, Snapshot, facts, fault_of
from protocols.evadts.sales import difference

A = Slot(count=100, value=35_000, price=350, product="TEA")
B = Slot(count=40, value=8_000, price=200, product="WATER")


def snapshot(total: int | None = None, /, **slots: Slot) -> Snapshot:
    named = {key.lstrip("s"): slot for key, slot in slots.items()}
    return Snapshot(machine="SN1", decimals=2, currency="CNY", total=Slot(count=total), slots=named)


def sold(slot: Slot, count: int, value: int) -> Slot:
    return replace(slot, count=(slot.count or 0) + count, value=(slot.value or 0) + value)


def told(before: Snapshot | None, after: Snapshot, elapsed_s: float | None = 60) -> tuple[list[object], list[str]]:
    found = difference(before, after, elapsed_s)
    sales = [(sale.selection, sale.first, sale.count, sale.price, sale.value) for sale in found.sales]
    return list(sales), [change.code for change in found.changes]


BEFORE = snapshot(140, s11=A, s12=B)


def test_the_first_audit_is_where_counting_begins() -> None:
    assert told(None, BEFORE) == ([], [])


def test_sales_of_two_selections() -> None:
    after = snapshot(143, s11=sold(A, 2, 700), s12=sold(B, 1, 200))
    assert told(BEFORE, after) == ([("11", 101, 2, 350, 700), ("12", 41, 1, 200, 200)], [])


def test_every_single_sale_has_its_number_and_its_share() -> None:
    (sale,) = difference(BEFORE, snapshot(143, s11=sold(A, 3, 1000), s12=B), 60).sales
    assert list(sale.each()) == [(101, 334), (102, 333), (103, 333)]


def test_a_price_that_changed_in_between() -> None:
    after = snapshot(144, s11=replace(sold(A, 4, 3 * 350 + 400), price=400), s12=B)
    assert told(BEFORE, after) == ([("11", 101, 3, 350, 1050), ("11", 104, 1, 400, 400)], ["price-changed"])


def test_a_discount_keeps_the_value_and_has_no_price() -> None:
    after = snapshot(141, s11=sold(A, 1, 300), s12=B)
    assert told(BEFORE, after) == ([("11", 101, 1, None, 300)], [])


def test_without_a_value_counter_the_price_must_do() -> None:
    before = snapshot(140, s11=replace(A, value=None))
    (sale,) = difference(before, snapshot(142, s11=replace(A, count=102, value=None)), 60).sales
    assert (sale.value, sale.estimated) == (700, True)


@pytest.mark.parametrize("width", [10_000, 65_536, 100_000, 4_294_967_296])
def test_a_counter_wraps(width: int) -> None:
    before = snapshot(None, s11=replace(A, count=width - 2), s12=B)
    after = snapshot(None, s11=replace(A, count=3, value=36_750), s12=B)
    assert told(before, after) == ([("11", width - 1, 5, 350, 1750)], ["wrapped"])


@pytest.mark.parametrize(("width", "sold"), [(10_000, 2), (100_000_000, 3), (4_294_967_296, 1)])
def test_a_value_counter_wraps(width: int, sold: int) -> None:
    before = snapshot(None, s11=replace(A, value=width - 100), s12=B)
    after = snapshot(None, s11=replace(A, count=100 + sold, value=350 * sold - 100), s12=B)
    assert told(before, after) == ([("11", 101, sold, 350, 350 * sold)], [])
    (sale,) = difference(before, after, 60).sales
    assert not sale.estimated


def test_a_value_counter_that_began_again_is_no_wrap() -> None:
    before = snapshot(None, s11=replace(A, value=9_000), s12=B)
    (sale,) = difference(before, snapshot(None, s11=replace(A, count=101, value=500), s12=B), 60).sales
    assert (sale.value, sale.estimated) == (350, True)


def test_an_initialised_machine_sold_what_it_counts_now() -> None:
    after = snapshot(2, s11=Slot(count=2, value=700, price=350), s12=replace(B, count=0, value=0))
    assert told(BEFORE, after) == ([("11", 1, 2, 350, 700)], ["reset"])


def test_a_machine_that_says_when_it_was_initialised_is_believed() -> None:
    before = replace(snapshot(3, s11=Slot(count=3, value=1050, price=350)), initialised="2026-01-01 00:00:00")
    after = replace(snapshot(2, s11=Slot(count=2, value=700, price=350)), initialised="2026-02-01 00:00:00")
    assert told(before, after) == ([("11", 1, 2, 350, 700)], ["reset"])


def test_a_restored_memory_is_no_sale() -> None:
    after = snapshot(136, s11=replace(A, count=97, value=33_950), s12=replace(B, count=39, value=7_800))
    assert told(BEFORE, after) == ([], ["rollback"])


def test_one_selection_that_was_set_up_again() -> None:
    after = snapshot(141, s11=Slot(count=1, value=350, price=350), s12=B)
    assert told(BEFORE, after) == ([("11", 1, 1, 350, 350)], ["selection-reset"])


def test_a_jump_is_no_sale_but_time_makes_it_one() -> None:
    after = snapshot(None, s11=sold(A, 5000, 1_750_000), s12=B)
    assert told(BEFORE, after, 60) == ([], ["jump"])
    assert told(BEFORE, after, 14 * 86_400)[1] == []


def test_another_machine_has_its_own_past() -> None:
    assert told(BEFORE, replace(snapshot(500, s11=sold(A, 300, 1)), machine="SN2")) == ([], ["swapped"])


def test_a_selection_that_is_listed_once_it_sold() -> None:
    new = Slot(count=1, value=500, price=500)
    assert told(BEFORE, snapshot(141, s11=A, s12=B, s13=new)) == ([("13", 1, 1, 500, 500)], ["selection-new"])
    old = Slot(count=90, value=45_000, price=500)
    assert told(BEFORE, snapshot(140, s11=A, s12=B, s13=old)) == ([], ["selection-new"])


def test_a_selection_that_is_left_out_for_once_is_remembered() -> None:
    found = difference(BEFORE, snapshot(140, s11=A), 60)
    assert [change.code for change in found.changes] == ["selection-gone"]
    assert told(found.baseline, snapshot(141, s11=A, s12=sold(B, 1, 200)))[0] == [("12", 41, 1, 200, 200)]


def test_an_unreadable_counter_waits_for_the_next_audit() -> None:
    found = difference(BEFORE, snapshot(142, s11=replace(A, count=None, value=None), s12=B), 60)
    assert found.sales == ()
    assert told(found.baseline, snapshot(142, s11=sold(A, 2, 700), s12=B))[0] == [("11", 101, 2, 350, 700)]


def test_a_snapshot_survives_json() -> None:
    whole = replace(
        snapshot(140, s11=Slot(count=1, value=2, price=3)),
        events={"EJB_11": EventState(count=3, active=True, last="2026-01-01T10:00:00")},
    )
    assert Snapshot.from_state(json.loads(json.dumps(whole.to_state()))) == whole


def test_a_snapshot_stays_small_whatever_a_machine_sends() -> None:
    lines = ["DXS*LDG0000001*VA*V0/6*1", "ID4*2*1156*CNY"]
    for n in range(2000):
        lines += [
            f"PA1*{n:04}货货货货货货*{10**17}*货{n}",
            f"PA2*{10**17}*{10**17}",
            f"EA2*EJB_{n:04}货货货货*1*{10**17}*1",
        ]
    first = facts(read("\r\n".join(lines).encode())).snapshot
    other = facts(read("\r\n".join(line.replace("*0", "*1") for line in lines).encode())).snapshot
    baseline = difference(first, other, 60).baseline
    assert len(json.dumps(baseline.to_state())) < 60_000


def test_facts_of_a_machine() -> None:
    audit = read(
        write(
            [
                ("ID1", ("SN9",)),
                ("ID4", (2, "1156", "CNY")),
                ("CA2", (300, 1)),
                ("DA2", (700, 2)),
                ("CA17", (1, 50, 10, "", "", 0)),
                ("CA17", (2, 100, 7, "", "", 1)),
                ("PA1", ("11", 350, "TEA", 10, 10, "", 0, 8, 2)),
                ("PA1", ("12", 200, "WATER", 10, 10, "", 0, 5, 2)),
                ("EA1", ("EJB_11", "20260102", "1530")),
                ("EA2", ("EJB_11", 1, 4, "", 1)),
                ("EA2", ("EGS", 1, 9, "", 0)),
                ("MA5", ("TEMP", "41.0", "F")),
            ],
            communication_id="LDG0000001",
        )
    )
    found = facts(audit)
    assert (found.stock, found.tubes, found.cash_sales, found.cashless_sales) == (13, 1200, 300, 700)
    assert found.temperature == pytest.approx(5.0)
    assert found.snapshot.events["EJB_11"] == EventState(count=4, active=True, last="2026-01-02T15:30:00")
    assert found.snapshot.events["EGS"].active is False
    assert fault_of("EJB_11") == ("jam", "11")
    assert fault_of("XYZ") == (None, "")


@pytest.mark.parametrize("width", [10_000, 1_000_000, 100_000_000])
def test_money_that_goes_over_its_end_is_exact_where_the_prices_explain_it(width: int) -> None:
    before = snapshot(140, s11=replace(A, value=width - 500))
    (sale,) = difference(before, snapshot(142, s11=replace(A, count=102, value=200)), 60).sales
    assert (sale.count, sale.value, sale.estimated) == (2, 700, False)
    cheaper = replace(A, count=102, price=300, value=150)
    parts = difference(before, snapshot(142, s11=cheaper), 60).sales
    assert [(sale.count, sale.value, sale.estimated) for sale in parts] == [(1, 350, False), (1, 300, False)]
    (sale,) = difference(before, snapshot(142, s11=replace(A, count=102, value=201)), 60).sales
    assert sale.estimated, "701 is no sum of two prices: somebody turned the counter"
