"""What a scan finds on simulated lines, and that drivers run by what it proposes: meters, collisions, Modbus, TCP."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.meters import FAMILY as METERS
from edge.drivers.meters import MetersConfig
from edge.drivers.modbus import FAMILY as MODBUS
from edge.drivers.modbus import ModbusConfig
from edge.scan import mbus as scan_mbus
from edge.scan import meters
from edge.scan.findings import KINDS, Budget, Found, Kind, Refused
from edge.scan.ports import refusal
from edge.scan.proposal import Place, toml
from edge.scan.search import search
from simulators.hardware.line import PtyLine
from simulators.hardware.meters import ElectricityMeter, HeatMeter, MbusMeter, Meter, MeterBus, WaterOrGasMeter
from simulators.hardware.modbus import ModbusBus, PowerMeter, RelayBoard, Slave, Thermometer
from simulators.hardware.tcp_line import TcpLine
from tests.integration.modbus.agent import Agent, Ledger, until

METER_KINDS: tuple[Kind, ...] = ("dlt645", "cjt188", "mbus")
FIRST: Sequence[int] = range(1, 9)


@contextmanager
def on_line(line: PtyLine | TcpLine, *hung: Meter) -> Iterator[str]:
    """The meters on the line, as a scan is told of it."""
    bus = MeterBus(line, hung, ledger=Ledger(), rng=random.Random(3), baud=115_200)
    bus.start()
    try:
        yield str(line.path) if isinstance(line, PtyLine) else f"127.0.0.1:{line.port}"
    finally:
        bus.stop()


@pytest.fixture(params=["pty", "tcp"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> PtyLine | TcpLine:
    return PtyLine(tmp_path / "rs485") if request.param == "pty" else TcpLine()


def scan(
    port: str, kinds: Sequence[Kind] = KINDS, addresses: Sequence[int] = FIRST, seconds: float = 60
) -> tuple[list[Found], list[Refused]]:
    told = list(search([port], kinds, addresses, {}, Budget(seconds)))
    return [one for one in told if isinstance(one, Found)], [one for one in told if isinstance(one, Refused)]


def drivers(found: Sequence[Found]) -> list[dict[str, Any]]:
    text = toml(found, Place(group="estate", node="gw"), "en")
    rows = tomllib.loads(text)["driver"]
    assert isinstance(rows, list)
    return rows


def power(address: str, edition: Any = "2007") -> ElectricityMeter:
    return ElectricityMeter(address, address, random.Random(1), edition)


def mbus(number: str, primary: int = 1) -> MbusMeter:
    return MbusMeter(number, primary, number, random.Random(1))


def addresses_of(found: Sequence[Found]) -> list[int | str | None]:
    return [one.address for one in found]


def test_one_meter_of_each_protocol_is_found_and_the_proposal_reads_them(line: PtyLine | TcpLine) -> None:
    water = WaterOrGasMeter("w", "00012345678901", random.Random(1), order="big")
    with on_line(line, power("000012345678"), water, mbus("12345678", 7)) as port:
        found, refused = scan(port, METER_KINDS)
        assert refused == []
        assert [(one.kind, one.address, one.type) for one in found] == [
            ("dlt645", "000012345678", "power-meter"),
            ("cjt188", "00012345678901", "water-meter"),
            ("mbus", "12345678", "heat-meter"),
        ]
        (table,) = drivers(found)
        agent = Agent()
        with agent.running(METERS.make(MetersConfig.model_validate(table))):
            until(lambda: agent.online == {"power-meter-1": True, "water-meter-1": True, "heat-meter-1": True}, 30)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: HeatMeter("h", "00012345678903", random.Random(1)), ("cjt188", "heat-meter", "")),
        (lambda: power("000000004711", "1997"), ("dlt645", "power-meter", "1997")),
    ],
)
def test_what_a_meter_is_is_seen(tmp_path: Path, make: Callable[[], Meter], kind: tuple[str, str, str]) -> None:
    with on_line(PtyLine(tmp_path / "line"), make()) as port:
        (found,), _ = scan(port, METER_KINDS)
    assert (found.kind, found.type, found.edition) == kind
    (device,) = drivers([found])[0]["device"]
    assert device["address"] == found.address


def test_electricity_meters_that_answer_at_once_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "_WAIT_S", 0.04)  # simulated meters are quick, and there are a hundred pairs of digits
    numbers = ["000056780203", "000000000907"]
    with on_line(PtyLine(tmp_path / "line"), *map(power, numbers)) as port:
        quick = scan(port, ["dlt645"], seconds=0.0)
        found, refused = scan(port, ["dlt645"])
    assert quick == ([], []), "no time, no question"
    assert sorted(map(str, addresses_of(found))) == sorted(numbers)
    assert refused == []


def test_mbus_meters_that_answer_at_once_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_mbus, "_BITS", 0)
    numbers = ["12345678", "12940000", "87654321"]
    hung = [mbus(number, primary) for primary, number in enumerate(numbers)]
    with on_line(PtyLine(tmp_path / "line"), *hung) as port:
        found, refused = scan(port, ["mbus"])
    assert addresses_of(found) == numbers, "and nobody a second time by primary address"
    assert refused == []
    assert {one.manufacturer for one in found} == {"KAM"}


class OldMbusMeter(MbusMeter):
    """Knows nothing of selection."""

    def _select(self, secondary: bytes) -> None:
        self._selected = False


def test_an_mbus_meter_without_selection_is_found_by_its_primary_address(tmp_path: Path) -> None:
    old = OldMbusMeter("old", 5, "11223344", random.Random(1))
    with on_line(PtyLine(tmp_path / "line"), old, mbus("12345678", 6)) as port:
        found, _ = scan(port, ["mbus"])
        assert addresses_of(found) == ["12345678", "5"]
        (table,) = drivers(found)
    assert [device["address"] for device in table["device"]] == ["12345678", "5"]


def test_what_cannot_be_told_apart_is_said(tmp_path: Path) -> None:
    waters = [WaterOrGasMeter(str(n), f"0001234567890{n}", random.Random(n)) for n in (1, 2)]
    with on_line(PtyLine(tmp_path / "line"), *waters) as port:
        found, refused = scan(port, ["cjt188"], seconds=2)
    assert found == []
    assert "edge.scan.several" in {one.code for one in refused}


@contextmanager
def modbus(framing: Any, line: TcpLine | PtyLine, *units: Slave) -> Iterator[str]:
    bus = ModbusBus(line, units, ledger=Ledger(), rng=random.Random(3), baud=115_200, framing=framing)
    bus.start()
    try:
        yield str(line.path) if isinstance(line, PtyLine) else f"127.0.0.1:{line.port}"
    finally:
        bus.stop()


def units() -> list[Slave]:
    relays = RelayBoard("r", 5, random.Random(1))
    return [PowerMeter("m", 2, random.Random(1)), Thermometer("t", 4, random.Random(1)), relays]


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
def test_modbus_behind_a_tcp_port_is_found_and_the_proposal_reads_it(framing: str) -> None:
    with modbus(framing, TcpLine(), *units()) as port:
        found, refused = scan(port, addresses=range(1, 6))
        assert refused == []
        assert [(one.address, one.model, one.framing) for one in found] == [
            (2, "eastron-sdm120", framing),
            (4, "xy-md02", framing),
            (5, "waveshare-relay-8", framing),
        ]
        (table,) = drivers(found)
        assert (table["tcp"], table["framing"]) == (port, framing)
        agent = Agent()
        with agent.running(MODBUS.make(ModbusConfig.model_validate(table))):
            until(lambda: agent.online == {"power-meter-1": True, "cold-chain-1": True, "relay-1": True}, 30)


def test_a_device_that_answers_to_every_unit_is_told_once() -> None:
    meter = PowerMeter("m", 1, random.Random(1))
    bus = ModbusBus(TcpLine(), [meter], ledger=Ledger(), rng=random.Random(3), baud=115_200, framing="tcp")
    bus._slaves = dict.fromkeys(range(256), meter)
    bus.start()
    try:
        assert isinstance(bus.line, TcpLine)
        found, _ = scan(f"127.0.0.1:{bus.line.port}", addresses=range(256))
    finally:
        bus.stop()
    assert [(one.address, one.model) for one in found] == [(1, "eastron-sdm120")]


def test_a_host_that_is_not_there_is_told() -> None:
    server = TcpLine()
    server.plug()
    port = f"127.0.0.1:{server.port}"
    server.unplug()
    found, refused = scan(port)
    assert found == []
    assert [one.code for one in refused] == ["edge.scan.port-unusable"]


def test_a_line_that_the_agent_holds_is_left_alone() -> None:
    told = list(search(["10.0.0.1:502"], KINDS, FIRST, {"10.0.0.1:502": "plant-room"}, Budget(5)))
    assert [one.code for one in told if isinstance(one, Refused)] == ["edge.scan.held-by-agent"]


def test_a_line_is_known_by_any_way_to_write_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "line").symlink_to("/dev/null")
    agents = {str((tmp_path / "line").resolve()): "bus-1"}
    monkeypatch.chdir(tmp_path)
    for name in ("line", "./line", str(tmp_path / "line"), "/dev/null"):
        refused = refusal(name, agents)
        assert refused is not None
        assert refused.code == "edge.scan.held-by-agent"
