"""The driver against simulated meters, over a pty and over TCP: real frames, and every fault that a line has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.meters import FAMILY, MetersConfig, MetersDriver
from protocols import dlt645
from protocols.errors import DeviceError, ProtocolError, RefusedError
from simulators.hardware.line import PtyLine
from simulators.hardware.meters import ElectricityMeter, HeatMeter, MbusMeter, Meter, MeterBus, WaterOrGasMeter
from simulators.hardware.meters.meters import Answer, Frame
from simulators.hardware.tcp_line import TcpLine
from tests.integration.modbus.agent import Agent, Ledger, until

POWER, OLD, WATER, GAS, HEAT, BUS, GHOST = "power", "old", "water", "gas", "heat", "bus", "ghost"
ADDRESSES = {
    POWER: "000012345678",
    OLD: "000000004711",
    WATER: "00012345678901",
    GAS: "00012345678902",
    HEAT: "00012345678903",
    BUS: "12345678",
}
DEVICES: dict[str, dict[str, Any]] = {
    POWER: {"type": "power-meter", "protocol": "dlt645", "address": "12345678"},
    OLD: {"type": "power-meter", "protocol": "dlt645", "edition": "1997", "address": ADDRESSES[OLD]},
    WATER: {"type": "water-meter", "protocol": "cjt188", "address": ADDRESSES[WATER]},
    GAS: {"type": "gas-meter", "protocol": "cjt188", "address": ADDRESSES[GAS]},
    HEAT: {"type": "heat-meter", "protocol": "cjt188", "address": ADDRESSES[HEAT]},
    BUS: {"type": "heat-meter", "protocol": "mbus", "address": ADDRESSES[BUS]},
    GHOST: {"type": "power-meter", "protocol": "dlt645", "address": "999999999998"},
}
COUNTERS = {POWER: "energy-import", OLD: "energy-import", WATER: "volume", GAS: "volume", HEAT: "energy", BUS: "energy"}


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(params=["pty", "tcp"])
def bus(request: pytest.FixtureRequest, tmp_path: Path, ledger: Ledger) -> Iterator[MeterBus]:
    line = PtyLine(tmp_path / "rs485") if request.param == "pty" else TcpLine()
    made = meter_bus(line, ledger)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def cellar(tmp_path: Path, ledger: Ledger) -> Iterator[MeterBus]:
    made = meter_bus(PtyLine(tmp_path / "rs485"), ledger)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def meter_bus(line: PtyLine | TcpLine, ledger: Ledger) -> MeterBus:
    chance = random.Random(1)
    meters: list[Meter] = [
        ElectricityMeter(POWER, ADDRESSES[POWER], chance),
        ElectricityMeter(OLD, ADDRESSES[OLD], chance, "1997"),
        WaterOrGasMeter(WATER, ADDRESSES[WATER], chance, order="big", valve=True),
        WaterOrGasMeter(GAS, ADDRESSES[GAS], chance, kind=0x30),
        HeatMeter(HEAT, ADDRESSES[HEAT], chance),
        MbusMeter(BUS, 7, ADDRESSES[BUS], chance),
    ]
    return MeterBus(line, meters, ledger=ledger, rng=random.Random(3), baud=115_200)


def place(bus: MeterBus) -> dict[str, object]:
    """The line, as a configuration names it."""
    if isinstance(bus.line, TcpLine):
        return {"tcp": f"127.0.0.1:{bus.line.port}"}
    assert isinstance(bus.line, PtyLine)
    return {"port": bus.line.path}


def driver(bus: MeterBus, *names: str, **more: Any) -> MetersDriver:
    table = {"family": "meters", "name": "line-1", "baud": 115_200, "timeout_s": 0.4, "retry_max_s": 1}
    devices = [{"id": name, "interval_s": 0.3} | DEVICES[name] for name in names]
    made = FAMILY.make(MetersConfig.model_validate(table | place(bus) | more | {"device": devices}))
    assert isinstance(made, MetersDriver)
    return made


def test_every_counter_is_exact_and_the_ledger_agrees(bus: MeterBus, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(bus, *COUNTERS)):
        until(lambda: all(len(ledger.values(name, metric)) >= 3 for name, metric in COUNTERS.items()))
    for name, metric in COUNTERS.items():
        told = ledger.values(name, metric)
        assert agent.values(name, metric)[: len(told)] == told
    assert agent.online == dict.fromkeys(COUNTERS, True)
    assert agent.values(POWER, "power")[0] == pytest.approx(300)
    assert agent.values(OLD, "voltage")[0] == pytest.approx(225, abs=5)
    assert agent.values(WATER, "battery-low")[0] is False
    assert agent.values(HEAT, "power")[0] == 4500
    assert agent.values(BUS, "flow")[0] == 0.371
    assert agent.values(BUS, "supply-temperature")[0] == 55.3
    assert {reading.quality for reading in agent.taken} == {"good"}  # type: ignore[union-attr]


def test_wheels_that_go_over_their_end_and_a_new_meter_are_told_as_they_stand(cellar: MeterBus, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(cellar, *COUNTERS)):
        until(lambda: agent.online == dict.fromkeys(COUNTERS, True))
        for name in COUNTERS:
            cellar.triggers()["wrap"](name, {})
        until(lambda: all(0 in ledger.values(name, metric) for name, metric in COUNTERS.items()))
        until(lambda: 0.01 in ledger.values(POWER, "energy-import"))
        cellar.triggers()["reset"](POWER, {})
        until(lambda: ledger.values(POWER, "energy-import").count(0.01) >= 2)
    for name, metric in COUNTERS.items():
        told = ledger.values(name, metric)
        assert agent.values(name, metric)[: len(told)] == told
        at = told.index(0)
        assert told[at - 1] > 3_000, f"{name} went over its end"  # type: ignore[operator]
    assert {reading.quality for reading in agent.taken} == {"good"}  # type: ignore[union-attr]


def test_unplugged_and_plugged_in_again(bus: MeterBus) -> None:
    agent = Agent()
    with agent.running(driver(bus, POWER, WATER)):
        until(lambda: agent.online == {POWER: True, WATER: True})
        bus.triggers()["unplug"](POWER, {})
        until(lambda: agent.online == {POWER: False, WATER: False})
        assert str(agent.error_code(POWER)).endswith(("port-away", "server-away"))
        bus.triggers()["plug"](POWER, {})
        until(lambda: agent.online == {POWER: True, WATER: True})
        before = len(agent.readings(WATER, "volume"))
        until(lambda: len(agent.readings(WATER, "volume")) > before)


def test_a_dead_meter_is_reported_and_the_others_keep_their_turns(cellar: MeterBus) -> None:
    agent = Agent()
    with agent.running(driver(cellar, GHOST, POWER, WATER)):
        until(lambda: agent.online.get(GHOST) is False)
        before = len(agent.readings(POWER, "energy-import"))
        until(lambda: len(agent.readings(POWER, "energy-import")) >= before + 5)
        cellar.triggers()["unit-silent"](WATER, {})
        until(lambda: agent.online[WATER] is False)
        cellar.triggers()["unit-back"](WATER, {})
        until(lambda: agent.online[WATER])
    assert agent.error_code(GHOST) == "edge.driver.meters.silent"
    assert agent.transitions.count((POWER, False)) == 0


def test_an_mbus_meter_dies_the_others_keep_their_period_and_it_comes_back(cellar: MeterBus) -> None:
    agent, dead = Agent(), BUS
    living = {POWER, WATER}

    def turns(least: int) -> None:
        seen = {name: len(agent.values(name, COUNTERS[name])) for name in living}
        until(lambda: all(len(agent.values(name, COUNTERS[name])) >= seen[name] + least for name in living), 30)

    with agent.running(driver(cellar, POWER, WATER, BUS)):
        until(lambda: agent.online == dict.fromkeys((POWER, WATER, BUS), True))
        cellar.triggers()["unit-silent"](dead, {})
        until(lambda: agent.online[dead] is False)
        agent.jitters_s.clear()
        turns(4)
        assert all(agent.jitters_s[name] for name in living), "how well a period is kept is told"
        cellar.triggers()["unit-back"](dead, {})
        until(lambda: agent.online[dead])
        turns(2)
    assert [one for one in agent.transitions if one[0] in living and not one[1]] == []
    assert agent.transitions.count((dead, False)) == 1


def test_noise_gives_no_value_and_passes(cellar: MeterBus, ledger: Ledger) -> None:
    agent = Agent()
    names = (POWER, WATER, BUS)
    with agent.running(driver(cellar, *names)):
        until(lambda: agent.online == dict.fromkeys(names, True))
        cellar.triggers()["noise"](POWER, {"replies": 6})
        seen = {name: len(agent.values(name, COUNTERS[name])) for name in names}
        until(lambda: all(len(agent.values(name, COUNTERS[name])) > seen[name] + 2 for name in names))
    for name in names:
        assert set(ledger.values(name, COUNTERS[name])) <= set(agent.values(name, COUNTERS[name]))
        assert agent.values(name, COUNTERS[name]) == sorted(set(agent.values(name, COUNTERS[name])))  # type: ignore[type-var]


def test_chatter_echo_and_slow_answers_are_borne(cellar: MeterBus) -> None:
    """Noise that looks like the beginning of a frame, an adapter that hears itself, and meters that think first."""
    agent = Agent()
    names = (POWER, WATER, BUS)
    cellar.triggers()["chatter"](POWER, {"hex": "68 FE 00 68 FE FE"})
    cellar.triggers()["echo"](POWER, {"on": True})
    cellar.triggers()["slow"](POWER, {"seconds": 0.3})
    with agent.running(driver(cellar, *names, timeout_s=1.5)):
        until(lambda: all(agent.values(name, COUNTERS[name]) for name in names), 30)
    assert not [name for name, online in agent.transitions if not online]


def test_answers_that_come_too_late_are_never_another_meters(cellar: MeterBus) -> None:
    agent = Agent()
    with agent.running(driver(cellar, POWER, WATER, timeout_s=0.2)):
        until(lambda: agent.online == {POWER: True, WATER: True})
        asked = cellar.requests
        cellar.triggers()["slow"](POWER, {"seconds": 0.35})
        until(lambda: cellar.requests > asked + 8)
        cellar.triggers()["slow"](POWER, {"seconds": 0})
        seen = {name: len(agent.values(name, COUNTERS[name])) for name in (POWER, WATER)}
        until(lambda: all(len(agent.values(name, COUNTERS[name])) > count + 1 for name, count in seen.items()))
    for name in (POWER, WATER):
        values = agent.values(name, COUNTERS[name])
        assert values == sorted(set(values)), "each answer was taken once, and for its own meter"  # type: ignore[type-var]


def test_follow_up_frames_are_put_together_and_what_a_meter_lacks_is_not_asked_again(cellar: MeterBus) -> None:
    agent = Agent()
    extra = [{"identifier": "0001FF00", "metric": "tariff"}, {"identifier": "02800002", "metric": "frequency"}]
    table = {"family": "meters", "name": "line-1", "baud": 115_200, "timeout_s": 0.4} | place(cellar)
    device = {"id": POWER, "interval_s": 0.3, "extra": extra} | DEVICES[POWER]
    meters = FAMILY.make(MetersConfig.model_validate(table | {"device": [device]}))
    with agent.running(meters):
        until(lambda: len(agent.readings(POWER, "tariff-4")) >= 2)
        asked = cellar.requests
        seen = len(agent.readings(POWER, "energy-import"))
        until(lambda: len(agent.readings(POWER, "energy-import")) > seen + 1)
        assert cellar.requests - asked <= 6 * 3
    total = agent.values(POWER, "tariff-total")[0]
    assert isinstance(total, float)
    assert agent.values(POWER, "tariff-4")[0] == pytest.approx(total / 16, abs=0.01)
    assert agent.readings(POWER, "frequency") == []


def test_a_meter_is_read_at_once(cellar: MeterBus) -> None:
    agent, meters = Agent(), driver(cellar, WATER, GHOST, retry_max_s=3600)
    with agent.running(meters):
        until(lambda: agent.online == {WATER: True, GHOST: False})
        before = len(agent.readings(WATER, "volume"))
        meters.read(WATER, 10)
        assert len(agent.readings(WATER, "volume")) > before
        with pytest.raises(DeviceError, match="does not answer"):
            meters.read(GHOST, 10)
    with pytest.raises(RefusedError):
        meters.act(WATER, "valve", True, 1)


def test_a_meters_valve_is_closed_and_opened_and_read_back(cellar: MeterBus) -> None:
    table = {"family": "meters", "name": "line-1", "baud": 115_200, "timeout_s": 0.4} | place(cellar)
    devices = [{"id": name, "interval_s": 3600, "valve": name != HEAT} | DEVICES[name] for name in (WATER, GAS, HEAT)]
    agent, meters = Agent(), FAMILY.make(MetersConfig.model_validate(table | {"device": devices}))
    with agent.running(meters):
        until(lambda: len(agent.online) == 3 and all(agent.online.values()))
        for closed in (True, False):
            meters.act(WATER, "valve-closed", closed, 10)
            assert agent.values(WATER, "valve-closed")[-1] is closed
        cellar.triggers()["stuck"](WATER, {})
        with pytest.raises(DeviceError) as stuck:
            meters.act(WATER, "valve-closed", True, 0.6)
        assert stuck.value.code == "edge.driver.meters.unconfirmed"
        with pytest.raises(ProtocolError) as lacking:
            meters.act(GAS, "valve-closed", True, 10)
        assert lacking.value.code == "protocols.meters.valve-refused"
        for device, output, value in [(HEAT, "valve-closed", True), (WATER, "valve-closed", 1), (WATER, "relay", True)]:
            with pytest.raises(RefusedError):
                meters.act(device, output, value, 1)
    assert agent.values(HEAT, "valve-closed") == [], "its configuration says of no valve"
    assert agent.values(WATER, "valve-closed")[-1] is False


class FaultyValve(WaterOrGasMeter):
    """Its motor is broken: it takes the order, and tells of the fault."""

    def answer(self, frame: Frame) -> Answer | None:
        self.fault = True
        return super().answer(frame)


def test_a_valve_with_a_fault_is_named_at_once(tmp_path: Path) -> None:
    agent = Agent()
    meters = [FaultyValve(WATER, ADDRESSES[WATER], random.Random(1), order="big", valve=True)]
    bus = MeterBus(PtyLine(tmp_path / "rs485"), meters, ledger=Ledger(), rng=random.Random(1), baud=115_200)
    table = {"family": "meters", "name": "line-1", "baud": 115_200, "timeout_s": 0.4} | place(bus)
    made = FAMILY.make(MetersConfig.model_validate(table | {"device": [{"id": WATER, "valve": True} | DEVICES[WATER]]}))
    bus.start()
    try:
        with agent.running(made):
            until(lambda: agent.online.get(WATER) is True)
            with pytest.raises(DeviceError) as fault:
                made.act(WATER, "valve-closed", True, 60)
    finally:
        bus.stop()
    assert fault.value.code == "edge.driver.meters.valve-fault"
    assert agent.readings(WATER, "valve-closed")[-1].quality == "bad"


class Impostor(ElectricityMeter):
    """Answers whoever is asked, under its own address: two meters were mixed up, or a repeater is wrongly set."""

    def answer(self, frame: Frame) -> Answer | None:
        return super().answer(replace(frame, address=ADDRESSES[OLD])) if isinstance(frame, dlt645.Frame) else None


def test_another_meters_answer_is_not_taken_and_is_named(tmp_path: Path) -> None:
    agent = Agent()
    meters = [Impostor("x", ADDRESSES[OLD], random.Random(1))]
    bus = MeterBus(PtyLine(tmp_path / "rs485"), meters, ledger=Ledger(), rng=random.Random(1), baud=115_200)
    bus.start()
    try:
        with agent.running(driver(bus, POWER)):
            until(lambda: agent.online.get(POWER) is False)
    finally:
        bus.stop()
    assert agent.error_code(POWER) == "edge.driver.meters.other"
    assert ADDRESSES[OLD] in str(agent.errors[POWER])
    assert agent.taken == []
