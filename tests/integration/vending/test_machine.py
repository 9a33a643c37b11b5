"""The driver against the simulated machine, over a real pty."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from protocols.errors import ConfigError, RefusedError
from simulators.hardware import make_hardware
from simulators.hardware.vending import Selection, VendingMachine
from tests.integration.vending.rig import BAUD, FileContext, MemoryLedger, Running, make_driver, until


class Street:
    """A machine and its gateway."""

    def __init__(self, folder: Path, link: Literal["dex", "ddcmp"] = "dex") -> None:
        self.folder, self.link = folder, link
        self.ledger = MemoryLedger()
        self.machine = self.make_machine()
        self.gateways: list[Running] = []

    def make_machine(self) -> VendingMachine:
        selections = [
            Selection(number="11", product="WATER", price=200),
            Selection(number="12", product="TEA", price=350),
            Selection(number="21", product="MILK", price=550, level=3),
        ]
        return VendingMachine(
            self.folder / "dex",
            "vending-1",
            selections,
            ledger=self.ledger,
            rng=random.Random(7),
            baud=BAUD,
            link=self.link,
        )

    def gateway(self, *, interval_s: float = 1.0) -> FileContext:
        ctx = FileContext(self.folder / "outbox")
        self.gateways.append(Running(make_driver(self.folder / "dex", interval_s=interval_s, link=self.link), ctx))
        return ctx

    def end(self) -> None:
        for gateway in self.gateways:
            gateway.end()
        self.machine.stop()


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path)
    street.machine.start()
    yield street
    street.end()


def settled(street: Street, ctx: FileContext, sales: int) -> None:
    """Wait until so many sales are told, and the machine knows that they were taken."""
    until(lambda: len(ctx.sales()) >= sales and len(street.ledger.sales()) >= sales)
    assert len(ctx.sales()) == sales
    assert set(ctx.sales()) == street.ledger.sales()


def test_sales_stock_and_cash_are_read(street: Street) -> None:
    street.machine.sell("11")  # before the gateway came: where it begins to count
    ctx = street.gateway()
    until(lambda: ctx.online)
    assert ctx.sales() == []
    for selection in ("11", "12", "12", "21"):
        assert street.machine.sell(selection)["sold"]
    settled(street, ctx, 4)
    assert set(ctx.sales()) == {("11", 2, 200), ("12", 1, 350), ("12", 2, 350), ("21", 1, 550)}
    assert ctx.latest("sales-count") == 5
    assert ctx.latest("sales-value") == 1650
    assert ctx.latest("stock") == 18
    assert ctx.latest("cash-in-tubes") == street.machine.memory.tube_value
    assert ctx.latest("temperature") == pytest.approx(4.0)
    assert ctx.latest("jam") is False
    assert ctx.events("vending.audit-findings") == []
    assert ctx.round_trips
    assert ctx.events("vending.sale")[0]["currency"] == "CNY"


def test_a_jam_calls_the_gateway_and_is_cleared(street: Street) -> None:
    ctx = street.gateway(interval_s=600)
    until(lambda: ctx.online)
    street.machine.jam("12")
    until(lambda: ctx.events("vending.jam"))
    assert ctx.events("vending.jam") == [{"selection": "12", "event": "EJB_12"}]
    assert ctx.latest("jam") is True
    assert not street.machine.sell("12")["sold"]
    street.machine.clear()
    until(lambda: ctx.events("vending.jam-cleared"))
    assert ctx.latest("jam") is False
    assert len(ctx.events("vending.jam")) == 1


def test_the_door_is_told(street: Street) -> None:
    ctx = street.gateway(interval_s=600)
    until(lambda: ctx.online)
    street.machine.door(True)
    until(lambda: ctx.latest("door-open") is True)
    street.machine.door(False)
    until(lambda: ctx.latest("door-open") is False)


def test_a_cabinet_that_warms_up_and_cools_down_is_told(street: Street) -> None:
    ctx = street.gateway(interval_s=600)
    until(lambda: ctx.online)
    street.machine.triggers()["vending-warm"]("vending-1", {"to": 15.0})
    street.machine.step(1_700_000_000_000, 1.0)
    until(lambda: ctx.events("vending.cooling-failed"))
    assert ctx.latest("cooling-fault") is True
    assert ctx.latest("temperature") == pytest.approx(15.0, abs=0.2)
    street.machine.step(1_700_000_000_000, 3600.0)
    until(lambda: ctx.events("vending.cooling-restored"))
    assert ctx.latest("cooling-fault") is False


def test_a_restart_loses_no_sale_and_repeats_none(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    street.machine.sell("11")
    settled(street, ctx, 1)
    street.gateways.pop().end()
    street.machine.sell("11")
    street.machine.sell("12")
    ctx = street.gateway()
    settled(street, ctx, 3)


def test_a_pulled_adapter_is_noticed_and_taken_up_again(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    triggers = street.machine.triggers()
    triggers["unplug"]("vending-1", {})
    until(lambda: not ctx.online)
    assert ctx.conditions[-1] == (False, "edge.driver.vending.line-away")
    street.machine.sell("11")
    triggers["plug"]("vending-1", {})
    until(lambda: ctx.online)
    settled(street, ctx, 1)


def test_a_machine_without_power_is_offline_and_comes_back(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    street.machine.power(False)
    until(lambda: not ctx.online, 60)
    assert ctx.conditions[-1][1] in ("protocols.evadts.dex-no-answer", "protocols.evadts.dex-timeout")
    assert not street.machine.sell("11")["sold"]
    street.machine.power(True)
    until(lambda: ctx.online, 60)
    street.machine.sell("11")
    settled(street, ctx, 1)


def test_noise_on_the_line_costs_time_and_nothing_else(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    for turn in range(1, 4):
        street.machine.triggers()["noise"]("vending-1", {"frames": 4})
        street.machine.sell("11")
        settled(street, ctx, turn)
    assert ctx.events("vending.reset") == []


def test_slow_answers_are_waited_for(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    street.machine.triggers()["slow"]("vending-1", {"seconds": 0.6})
    street.machine.sell("11")
    settled(street, ctx, 1)
    assert ctx.online


def test_a_slow_disk_asks_the_machine_for_patience(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    reads = street.machine.memory.reads
    ctx.slow_s = 2.5  # more than a reply may take
    street.machine.sell("11")
    until(lambda: street.machine.memory.reads > reads)
    ctx.slow_s = 0.0
    settled(street, ctx, 1)
    assert ctx.online


def test_what_the_agent_does_not_take_is_read_again(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    ctx.behind = 3
    street.machine.sell("11")
    until(lambda: not ctx.online)
    assert ctx.conditions[-1] == (False, "edge.pipeline.behind")
    settled(street, ctx, 1)


def test_an_initialised_board_is_a_reset_and_no_negative_sale(street: Street) -> None:
    for _ in range(3):
        street.machine.sell("11")
    ctx = street.gateway()
    until(lambda: ctx.online)
    street.machine.reset()
    street.machine.sell("12")
    settled(street, ctx, 1)
    assert ctx.sales() == [("12", 1, 350)]
    assert [event["what"] for event in ctx.events("vending.reset")] == ["reset"]


def test_counters_that_go_over_their_end_count_on(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    reads = street.machine.memory.reads
    street.machine.triggers()["vending-wrap"]("vending-1", {})
    until(lambda: street.machine.memory.reads > reads + 1)
    assert ctx.sales() == [], "a counter that jumps is no sale"
    for _ in range(3):
        street.machine.sell("12")
    until(lambda: len(ctx.sales()) >= 3)
    assert [(selection, value) for selection, _, value in ctx.sales()] == [("12", 350)] * 3
    assert street.machine.memory.audit("", 0).count(b"PA2*1*350*") == 1
    assert {event["what"] for event in ctx.events("vending.reset")} == {"jump"}, "the counters were set by hand"


def test_the_machine_survives_a_restart_of_the_simulator(street: Street) -> None:
    ctx = street.gateway()
    until(lambda: ctx.online)
    street.machine.sell("11")
    settled(street, ctx, 1)
    street.machine.sell("11")
    state = street.machine.state()
    street.machine.stop()
    street.machine = street.make_machine()
    street.machine.restore(state)
    street.machine.start()
    settled(street, ctx, 2)


def test_the_machine_of_a_scenario_is_made_from_its_table(tmp_path: Path) -> None:
    table = {
        "path": str(tmp_path / "dex"),
        "device": "vending-1",
        "sales_per_hour": 3600,
        "selection": [{"number": "11", "product": "WATER 550ML", "price": 200, "capacity": 50}],
    }
    machine = make_hardware("vending", table, random.Random(1), MemoryLedger())
    assert isinstance(machine, VendingMachine)
    machine.step(0, 10.0)
    assert (machine.devices, machine.memory.count, machine.memory.stock) == (("vending-1",), 10, 40)
    machine.step(0, 60.0)
    assert machine.memory.count == 50, "sold out"
    machine.step(0, 1.0)
    assert machine.memory.stock == 49, "somebody filled it up"
    with pytest.raises(ConfigError):
        make_hardware(
            "vending", table | {"selection": [{"number": "11", "price": 0}]}, random.Random(1), MemoryLedger()
        )


def test_a_vending_machine_has_no_outputs(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        make_driver(tmp_path / "dex").act("vending-1", "unlock", True, 1.0)


def test_an_audit_is_read_when_somebody_wants_it(street: Street) -> None:
    """Also in the middle of another session: what counts is one that begins after the question."""
    ctx = street.gateway(interval_s=3600)
    until(lambda: ctx.online)
    street.machine.sell("11")
    street.gateways[0].driver.read("vending-1", 20)
    assert len(ctx.sales()) == 1, "on the disk before anybody is told"
