"""A price by operation S over a real pty: confirmed by the machine's own audit, whatever becomes of the line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.vending.driver import VendingDriver
from protocols.errors import DeviceError, LiandongError, RefusedError
from protocols.evadts.prices import price_set
from tests.integration.vending.rig import FileContext, make_driver, until
from tests.integration.vending.test_machine import Street

OLD, NEW = 200, 350
HANDSHAKES = 30  # bytes of the gateway in a session before the first block
FRAME = len(price_set({"11": NEW}, communication_id="LDG0000001")) + 6


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path)
    street.machine.start()
    yield street
    street.end()


def price(street: Street) -> int:
    return street.machine.memory.selections["11"].price


def outcome(ctx: FileContext) -> list[tuple[str, Any]]:
    """What was told of prices, and which one counts then."""
    changed = [("changed", one["after"]) for one in ctx.events("vending.price-changed")]
    return changed + [("kept", one["price"]) for one in ctx.events("vending.price-kept")]


def test_a_price_counts_when_the_audit_shows_it(street: Street) -> None:
    ctx = street.gateway(interval_s=600)
    until(lambda: ctx.online)
    street.machine.sell("11")
    street.gateways[0].driver.act("vending-1", "price", f"11={NEW}", 30.0)
    assert price(street) == NEW
    told = [{"selection": "11", "before": OLD, "after": NEW, "by": "command"}]
    assert ctx.events("vending.price-changed") == told, "on the disk before anybody is told"
    street.machine.sell("11")
    street.gateways[0].driver.read("vending-1", 20)
    assert [value for _, _, value in ctx.sales()] == [OLD, NEW]


@pytest.mark.parametrize(
    "value", ["12=300", "11=99", "11=901", "11", "11=", "11=-5", "=300", "11=3.5", "11=300\n", True, 300]
)
def test_what_is_not_allowed_never_reaches_the_line(tmp_path: Path, value: Any) -> None:
    with pytest.raises(RefusedError):
        make_driver(tmp_path / "dex").act("vending-1", "price", value, 1.0)


def test_a_selection_that_the_machine_does_not_have(street: Street) -> None:
    ctx = street.gateway(interval_s=600)
    until(lambda: ctx.online)
    with pytest.raises(RefusedError) as caught:
        street.gateways[0].driver.act("vending-1", "price", "99=300", 20.0)
    assert caught.value.params["known"] == "11, 12, 21"
    assert outcome(ctx) == []


class Asking(threading.Thread):
    """Somebody asks for a price and waits."""

    def __init__(self, driver: VendingDriver) -> None:
        super().__init__(daemon=True)
        self.driver = driver
        self.error: LiandongError | None = None
        self.start()

    def run(self) -> None:
        try:
            self.driver.act("vending-1", "price", f"11={NEW}", 60.0)
        except LiandongError as error:
            self.error = error

    def answer(self) -> LiandongError | None:
        self.join(60)
        assert not self.is_alive()
        return self.error


@pytest.mark.parametrize(
    ("cut_after", "counts"),
    [
        (HANDSHAKES - 3, OLD),
        (HANDSHAKES + 20, OLD),
        (HANDSHAKES + FRAME - 1, OLD),
        (HANDSHAKES + FRAME, NEW),  # the machine has it, and its acknowledgement is lost
    ],
)
def test_a_line_that_is_cut_leaves_no_doubt(street: Street, cut_after: int, counts: int) -> None:
    ctx = street.gateway(interval_s=600)
    until(lambda: ctx.online)
    street.machine.triggers()["cut"]("vending-1", {"bytes": cut_after})
    asking = Asking(street.gateways[0].driver)
    until(lambda: not street.machine.plug.line.plugged)
    assert outcome(ctx) == [], "nobody knows yet, and nobody says so"
    street.machine.plug.line.plug()
    error = asking.answer()
    assert price(street) == counts
    assert outcome(ctx) == [("changed", NEW) if counts == NEW else ("kept", OLD)]
    assert (error is None) is (counts == NEW)
    assert error is None or error.code == "edge.driver.vending.price-kept"


def test_a_gateway_that_restarts_in_between_tells_what_became_of_it(street: Street) -> None:
    ctx = street.gateway(interval_s=600)
    until(lambda: ctx.online)
    street.machine.triggers()["cut"]("vending-1", {"bytes": HANDSHAKES + FRAME})
    asking = Asking(street.gateways[0].driver)
    until(lambda: not street.machine.plug.line.plugged)
    street.gateways.pop().end()
    assert isinstance(asking.answer(), DeviceError)
    street.machine.plug.line.plug()
    again = street.gateway(interval_s=600)
    until(lambda: outcome(again) == [("changed", NEW)])
    assert price(street) == NEW
