"""The machine over DDCMP on a real pty: the same audits, the same sales, also with noise and a pulled line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.drivers.vending import FAMILY
from protocols.errors import RefusedError
from tests.integration.vending.rig import PRICES, make_driver, until
from tests.integration.vending.test_machine import Street, settled


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path, "ddcmp")
    street.machine.start()
    yield street
    street.end()


def test_sales_are_read_through_noise_and_a_pulled_line(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    street.machine.sell("11")
    settled(street, ctx, 1)
    assert ctx.latest("stock") == 22
    street.machine.triggers()["noise"]("vending-1", {"frames": 3})
    street.machine.sell("12")
    settled(street, ctx, 2)
    street.machine.triggers()["unplug"]("vending-1", {})
    until(lambda: not ctx.online)
    street.machine.sell("21")
    street.machine.triggers()["plug"]("vending-1", {})
    settled(street, ctx, 3)
    assert set(ctx.sales()) == {("11", 1, 200), ("12", 1, 350), ("21", 1, 550)}
    assert ctx.round_trips


def test_slow_answers_over_ddcmp_are_waited_for(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    street.machine.triggers()["slow"]("vending-1", {"seconds": 0.2})
    street.machine.sell("11")
    settled(street, ctx, 1)
    assert ctx.online


def test_no_price_can_be_set_over_ddcmp(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        make_driver(tmp_path / "line", link="ddcmp").act("vending-1", "price", "11=300", 1.0)
    table = {"family": "vending", "name": "m", "port": "/dev/null", "link": "ddcmp", "device": [{"id": "v"} | PRICES]}
    with pytest.raises(ValidationError, match="DEX only"):
        FAMILY.config.model_validate(table)
