"""The limits of what no protocol can keep follow from what was done to the gateways, not from what was found."""

from __future__ import annotations

from liandong.lab.interrupted import Cause, Interruption, Struck, interruptions
from liandong.lab.limits import limits, rates
from simulators.ledger import Observation

GATEWAY = {"meter-1": "gw-1", "meter-2": "gw-1", "meter-3": "gw-2", "door-1": "gw-2"}
RATES = {"meter-1": 2.0, "meter-2": 2.0, "meter-3": 1.0}


def struck(kind: str, target: str, start_ms: int, end_ms: int, *, empty_ms: int = 0) -> Struck:
    return Struck(kind=kind, target=target, start_ms=start_ms, end_ms=end_ms, hit=True, empty_ms=empty_ms)


def limit(*ones: Struck) -> dict[str, int]:
    return limits(interruptions(ones, ("gw-1", "gw-2"), {"bus-1": "gw-1"}), RATES, ["door-1"], GATEWAY)


def test_a_device_is_as_quick_as_it_is_most_of_the_time() -> None:
    ledger = [
        Observation(device="meter-1", metric="energy-total", counter=n, value=n, at_ms=at_ms)
        for n, at_ms in enumerate((0, 500, 1000, 1500, 9000, 9500))
    ]
    assert rates(ledger, "energy-total") == {"meter-1": 2.0}


def test_a_kill_costs_what_a_flush_gathers_and_what_is_on_its_way() -> None:
    assert limit(struck("kill-edge", "gw-1", 1000, 1000)) == {"ram_bound": 8, "before_outbox": 0}
    assert limit(struck("kill-edge", "gw-2", 1000, 1000)) == {"ram_bound": 3, "before_outbox": 1}
    assert limit(struck("power-cut", "site", 1000, 3000)) == {"ram_bound": 11, "before_outbox": 1}


def test_a_gateway_that_was_without_a_disk_loses_what_it_read_meanwhile() -> None:
    assert limit(struck("disk-read-only", "gw-1", 1000, 4000))["before_outbox"] == 4 + 12 + 2


def test_cables_and_the_cloud_cost_nothing() -> None:
    ones = [struck(kind, "gw-1", 0, 9) for kind in ("link-reset", "kill-cloud", "clock-1970", "rebirth")]
    assert limit(*ones) == {"ram_bound": 0, "before_outbox": 0}


def test_a_broken_file_is_blamed_for_what_it_held_and_not_for_more() -> None:
    found = interruptions([struck("file-corrupt", "gw-1", 5000, 5600, empty_ms=4100)], ("gw-1",), {})
    assert Interruption(gateway="gw-1", from_ms=4100, to_ms=5000, cause=Cause.CORRUPT) in found
    assert Interruption(gateway="gw-1", from_ms=5000, to_ms=5000, cause=Cause.KILLED) in found
