"""The comparison of ledger and database, held against cases that can be counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

from liandong.lab.account import Account, compare
from liandong.lab.interrupted import Cause, Interruption, Struck, interruptions
from liandong.lab.stored import Content, Key, Row
from simulators.ledger import Observation

GATEWAY = {"meter-1": "gw-1", "water-1": "gw-2", "door-1": "gw-2", "smoke-1": "gw-2", "vending-1": "gw-1"}
LATER = 10_000_000


def shown(device: str, metric: str, counter: int, value: object, at_ms: int) -> Observation:
    return Observation(device=device, metric=metric, counter=counter, value=value, at_ms=at_ms)


def row(*key: object, at_ms: int = 0, committed_ms: float | None = None) -> Row:
    return Row(key=key, at_ms=at_ms, committed_ms=committed_ms)


def account(ledger: Sequence[Observation], rows: Sequence[Row], *broken: Interruption) -> Account:
    content = Content(rows=rows, gateway_of=GATEWAY, poison=0, thinned=0)
    return compare(ledger, content, LATER, broken)


def test_what_is_stored_once_in_order_is_well_and_timed() -> None:
    ledger = [shown("meter-1", "energy-total", n, 100.0 + n, 1000 * n) for n in (1, 2, 3)]
    rows = [row("meter-1", "energy-total", 100.0 + n, at_ms=1000 * n, committed_ms=1000 * n + 40) for n in (1, 2, 3)]
    found = account(ledger, rows)
    assert (found.observed, found.stored) == (3, 3)
    assert [found.lost, found.duplicated, found.altered, found.misordered, found.unconfirmed] == [[], [], [], [], []]
    assert found.latency == [(1000, 40), (2000, 40), (3000, 40)]


def test_lost_doubled_altered_and_late_are_told_apart() -> None:
    ledger = [shown("meter-1", "energy-total", n, float(n), 1000 * n) for n in (1, 2, 3, 4)]
    keys: list[Key] = [("meter-1", "energy-total", value) for value in (1.0, 3.0, 2.0, 3.0, 9.0)]
    found = account(ledger, [row(*key) for key in keys])
    assert [one.key[2] for one in found.lost] == [4.0]
    assert [key[2] for key in found.duplicated] == [3.0]
    assert [key[2] for key in found.altered] == [9.0]
    assert [late.key[2] for late in found.misordered] == [2.0]


def test_a_kill_excuses_telemetry_of_the_last_seconds_of_its_gateway_only() -> None:
    kill = Interruption(gateway="gw-1", from_ms=10_000, to_ms=10_000, cause=Cause.KILLED)
    ledger = [
        shown("meter-1", "energy-total", 1, 1.0, 7_900),
        shown("meter-1", "energy-total", 2, 2.0, 9_500),
        shown("meter-1", "energy-total", 3, 3.0, 10_600),
        shown("water-1", "volume", 1, 1.0, 9_900),
    ]
    found = account(ledger, [], kill)
    assert [one.counter for one in found.ram_bound] == [2]
    assert [(one.key[0], one.counter) for one in found.lost] == [("meter-1", 1), ("water-1", 1), ("meter-1", 3)]


def test_a_card_that_cannot_wait_is_told_apart_from_a_sale_that_can() -> None:
    kill = [Interruption(gateway=g, from_ms=5_000, to_ms=5_000, cause=Cause.KILLED) for g in ("gw-1", "gw-2")]
    ledger = [
        shown("door-1", "card", 1, "H10301:1:1", 4_900),
        shown("vending-1", "vending.sale/11", 7, 200, 4_900),
    ]
    found = account(ledger, [], *kill)
    assert [one.key[1] for one in found.before_outbox] == ["card"]
    assert [one.key for one in found.lost] == [("vending-1", "vending.sale", "11", 7, 200)]


def test_states_are_compared_by_their_changes_each_with_its_own_time() -> None:
    ledger = [shown("smoke-1", "smoke", n, value, 1000 * n) for n, value in enumerate((False, False, True, False), 1)]
    rows = [row("smoke-1", "smoke", value, at, at_ms=at) for value, at in ((False, 1000), (False, 2000), (True, 3000))]
    found = account(ledger, rows)
    assert found.observed == 3
    assert [one.key for one in found.lost] == [("smoke-1", "smoke", False, 4000)]
    assert not found.altered


def test_a_meter_that_carries_its_own_time_keeps_it() -> None:
    ledger = [shown("water-1", "volume", 1, 5.0, 1000)]
    assert not account(ledger, [row("water-1", "volume", 5.0, at_ms=1000)]).altered
    assert account(ledger, [row("water-1", "volume", 5.0, at_ms=1001)]).altered


def test_what_a_killed_gateway_read_without_asking_again_is_no_alteration() -> None:
    kill = Interruption(gateway="gw-1", from_ms=5_000, to_ms=5_000, cause=Cause.KILLED)
    unasked = row("meter-1", "energy-total", 4.0, at_ms=4_800)
    assert account([], [unasked], kill).unconfirmed == [unasked.key]
    assert account([], [unasked]).altered == [unasked.key]


def test_a_gateway_that_was_stopped_before_it_was_killed_last_ran_before_that() -> None:
    ledger = [shown("meter-1", "energy-total", 1, 1.0, 9_500)]
    stop = Interruption(gateway="gw-1", from_ms=10_000, to_ms=22_000, cause=Cause.STOPPED)
    kill = Interruption(gateway="gw-1", from_ms=10_000, to_ms=18_000, cause=Cause.KILLED)
    assert len(account(ledger, [], stop, kill).ram_bound) == 1
    assert len(account(ledger, [], stop).before_outbox) == 1


def test_the_commit_beside_which_a_file_system_was_aborted_may_be_gone_and_no_other() -> None:
    struck = Struck(kind="disk-read-only", target="gw-2", start_ms=50_000, end_ms=55_000, hit=True)
    broken = interruptions([struck], ["gw-2"], {})
    ledger = [shown("water-1", "volume", n, float(n), at_ms) for n, at_ms in enumerate((49_000, 50_010, 51_000), 1)]
    found = account(ledger, [], *broken)
    assert [one.counter for one in found.before_outbox] == [2]
    assert [one.counter for one in found.lost] == [1, 3]


def test_a_card_that_was_taken_when_its_gateway_was_killed_is_not_doubled_and_one_stored_twice_is() -> None:
    kill = Interruption(gateway="gw-2", from_ms=50_000, to_ms=50_000, cause=Cause.KILLED)
    card = ("door-1", "card", "H10301:42:12346")
    ledger = [shown("door-1", "card", 1, card[2], 10_020), shown("door-1", "card", 2, card[2], 90_020)]
    rows = [row(*card, at_ms=at_ms) for at_ms in (10_000, 49_900, 90_000)]
    assert (account(ledger, rows, kill).unconfirmed, account(ledger, rows, kill).duplicated) == ([card], [])
    assert account(ledger, rows).duplicated == [card]
    twice = [row(*card, at_ms=at_ms) for at_ms in (10_000, 49_900, 49_900, 90_000)]
    assert account(ledger, twice, kill).duplicated == [card, card]
    again = [row(*card, at_ms=at_ms) for at_ms in (10_000, 90_000, 90_000)]
    assert account(ledger, again, kill).duplicated == [card]


def test_a_broken_file_costs_what_was_in_it_and_a_sale_gets_there_with_the_next_audit() -> None:
    broken = Interruption(gateway="gw-1", from_ms=20_000, to_ms=21_000, cause=Cause.CORRUPT)
    ledger = [
        shown("meter-1", "energy-total", 1, 1.0, 14_000),
        shown("meter-1", "energy-total", 2, 2.0, 19_000),
        shown("vending-1", "vending.sale/11", 6, 200, 9_000),
        shown("vending-1", "vending.sale/11", 7, 200, 14_000),
        shown("meter-1", "energy-total", 3, 3.0, 26_000),
    ]

    def found(*set_aside: tuple[str, int]) -> Account:
        content = Content(rows=[], gateway_of=GATEWAY, poison=0, thinned=0, set_aside=set_aside)
        return compare(ledger, content, LATER, [broken])

    noticed = found(("gw-1", 25_000))
    assert {(one.key[0], one.counter) for one in noticed.told} == {("meter-1", 2), ("vending-1", 7)}
    assert len(noticed.lost) == 3
    assert len(found().lost) == len(found(("gw-2", 25_000)).lost) == 5


def test_a_pulled_line_excuses_nothing_that_was_taken() -> None:
    line = Interruption(gateway="gw-1", from_ms=9_000, to_ms=12_000, cause=Cause.UNPLUGGED)
    assert len(account([shown("meter-1", "energy-total", 1, 1.0, 9_500)], [], line).lost) == 1


def test_what_a_turned_clock_dated_may_be_off_by_a_moment_and_not_by_more() -> None:
    turn = Interruption(gateway="gw-2", from_ms=10_000, to_ms=20_000, cause=Cause.TURNED)
    ledger = [shown("smoke-1", "smoke", 1, True, 12_000), shown("water-1", "volume", 1, 5.0, 12_000)]
    near = [row("smoke-1", "smoke", True, 12_003, at_ms=12_003), row("water-1", "volume", 5.0, at_ms=12_003)]
    found = account(ledger, near, turn)
    assert [found.lost, found.altered, found.misdated] == [[], [], []]
    assert len(account(ledger, near).lost) == 1
    assert account(ledger, near).altered == [("water-1", "volume", 5.0)]
    hour = [row("smoke-1", "smoke", True, 3_612_000, at_ms=3_612_000), row("water-1", "volume", 5.0, at_ms=3_612_000)]
    found = account(ledger, hour, turn)
    assert [one.key[0] for one in found.lost] == ["smoke-1"]
    assert found.misdated == [(("water-1", "volume", 5.0), 3_600_000, 12_000)]
    twice = [*near, row("smoke-1", "smoke", True, 12_004, at_ms=12_004)]
    assert account(ledger, twice, turn).altered == []  # the same state, told again
    moment = [shown("water-1", "volume", 1, 5.0, 10_400)]  # the bridge's clock is turned, its gateway's not yet
    assert account(moment, [row("water-1", "volume", 5.0, at_ms=3_610_400)], turn).misdated == []


def test_a_door_that_was_forced_while_nobody_looked_is_stored_as_opened_unobserved() -> None:
    ledger = [shown("door-1", "access.forced", 1, True, 10_000), shown("door-1", "access.forced", 2, True, 90_000)]
    rows = [
        row("door-1", "access.opened-unobserved", 20_000, at_ms=12_000, committed_ms=12_100),
        row("door-1", "access.opened-unobserved", 20_000, at_ms=60_000, committed_ms=60_100),  # somebody let in before
        row("door-1", "access.forced", at_ms=90_000, committed_ms=90_100),
    ]
    found = account(ledger, rows)
    assert (found.observed, found.stored, found.latency) == (2, 2, [(10_000, 2_100), (90_000, 100)])
    assert [found.lost, found.duplicated, found.altered, found.unconfirmed] == [[], [], [], []]
    assert len(account(ledger, rows[1:]).lost) == 1


def test_what_a_turned_clock_dated_and_a_later_agent_read_has_the_time_of_its_arrival() -> None:
    turn = Interruption(gateway="gw-2", from_ms=10_000, to_ms=20_000, cause=Cause.TURNED)
    kill = Interruption(gateway="gw-2", from_ms=13_000, to_ms=13_000, cause=Cause.KILLED)
    ledger = [shown("water-1", "volume", 1, 5.0, 12_500)]
    arrived = [row("water-1", "volume", 5.0, at_ms=21_000)]
    assert account(ledger, arrived, turn, kill).misdated == []
    assert len(account(ledger, arrived, turn).misdated) == 1
    assert len(account(ledger, [row("water-1", "volume", 5.0, at_ms=50_000)], turn, kill).misdated) == 1
