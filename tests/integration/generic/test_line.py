"""Lines of text over a pty and over TCP: asked and unasked, noise, slow answers, unplugged and plugged in again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.textline import FAMILY, TextlineConfig, TextlineDriver
from protocols.errors import RefusedError
from simulators.hardware.line import PtyLine
from simulators.hardware.tcp_line import TcpLine
from simulators.hardware.textline import Station, TextBus
from tests.integration.modbus.agent import Agent, Ledger, until

PATTERN = r"^T=(?P<t>-?\d+(?:\.\d+)?)F H=(?P<h>\d+)"
VALUES = [{"group": "t", "metric": "temperature", "unit": "[degF]"}, {"group": "h", "metric": "humidity"}]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(params=["pty", "tcp"])
def bus(request: pytest.FixtureRequest, tmp_path: Path, ledger: Ledger) -> Iterator[TextBus]:
    line = PtyLine(tmp_path / "line") if request.param == "pty" else TcpLine()
    stations = [Station(f"air-{n}", f"READ {n}\r\n", random.Random(n)) for n in (1, 2)]
    made = TextBus(line, stations, ledger=ledger, rng=random.Random(3), baud=115_200)
    made.start()
    yield made
    made.stop()


def driver(bus: TextBus, *, asks: bool = True, **more: Any) -> TextlineDriver:
    line = bus.line
    assert isinstance(line, TcpLine | PtyLine)
    where = {"tcp": f"127.0.0.1:{line.port}"} if isinstance(line, TcpLine) else {"port": line.path}
    devices = [
        {"id": f"air-{n}", "type": "climate", "pattern": PATTERN, "value": VALUES, "interval_s": 0.1, "silent_s": 0.5}
        | ({"request": f"READ {n}\r\n"} if asks else {})
        for n in ((1, 2) if asks else (1,))
    ]
    table = {"family": "line", "name": "line-1", "timeout_s": 0.4, "retry_max_s": 1, "device": devices} | where
    made = FAMILY.make(TextlineConfig.model_validate(table | more))
    assert isinstance(made, TextlineDriver)
    return made


def read_by(agent: Agent, ledger: Ledger, device: str = "air-1") -> bool:
    taken = ledger.values(device, "temperature")
    read = {round(float(str(value)), 6) for value in agent.values(device, "temperature")}
    return len(taken) >= 3 and set(taken) <= read


def test_who_is_asked_answers(bus: TextBus, ledger: Ledger) -> None:
    agent, text = Agent(), driver(bus)
    with agent.running(text):
        until(lambda: agent.online == {"air-1": True, "air-2": True})
        bus.step(0, 1)
        until(lambda: read_by(agent, ledger) and read_by(agent, ledger, "air-2"))
        text.read("air-1", 5)
        with pytest.raises(RefusedError):
            text.act("air-1", "sound", True, 1)
    humidity = agent.values("air-1", "humidity")
    assert all(isinstance(value, float) and 40 <= value <= 60 for value in humidity)


def test_a_dead_one_and_noise_do_not_hold_up_the_other(bus: TextBus, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(bus)):
        until(lambda: agent.online == {"air-1": True, "air-2": True})
        bus.triggers()["unit-silent"]("air-2", {})
        until(lambda: agent.error_code("air-2") == "edge.driver.line.silent" and not agent.online["air-2"])
        before = len(agent.values("air-1", "temperature"))
        until(lambda: len(agent.values("air-1", "temperature")) > before + 3)
        assert agent.online["air-1"]
        bus.triggers()["unit-back"]("air-2", {})
        until(lambda: agent.online["air-2"])
        bus.triggers()["noise"]("air-1", {"replies": 1_000_000})
        until(lambda: agent.error_code("air-1") == "edge.driver.line.other" and not agent.online["air-1"])
        bus.triggers()["noise"]("air-1", {"replies": 0})
        until(lambda: agent.online["air-1"])
        bus.triggers()["slow"]("air-1", {"seconds": 1.0})
        until(lambda: not agent.online["air-1"])
        bus.triggers()["slow"]("air-1", {"seconds": 0.0})
        until(lambda: agent.online["air-1"])
        bus.triggers()["chatter"]("air-1", {"text": "x" * 5000 + "\r\n# a comment\r\n"})
        before = len(agent.values("air-1", "temperature"))
        until(lambda: len(agent.values("air-1", "temperature")) > before)


def test_unplugged_and_plugged_in_again(bus: TextBus) -> None:
    agent = Agent()
    with agent.running(driver(bus)):
        until(lambda: agent.online == {"air-1": True, "air-2": True})
        bus.triggers()["unplug"]("air-1", {})
        until(lambda: agent.online == {"air-1": False, "air-2": False})
        assert str(agent.error_code("air-1")).endswith("-away")
        bus.triggers()["plug"]("air-1", {})
        until(lambda: agent.online == {"air-1": True, "air-2": True})


@pytest.fixture
def speaker(bus: TextBus) -> Callable[[], None]:
    """Let the first station say something, as often as it is called."""
    station = bus._stations[0]

    def speak() -> None:
        bus.step(0, 1)
        bus.line.write(station.text()[0])

    return speak


def test_who_speaks_by_itself_is_heard_and_missed(bus: TextBus, speaker: Callable[[], None]) -> None:
    agent, text = Agent(), driver(bus, asks=False)

    def heard() -> bool:
        speaker()
        return agent.online == {"air-1": True} and len(agent.values("air-1", "temperature")) > 2

    with agent.running(text):
        until(heard)
        with pytest.raises(RefusedError):
            text.read("air-1", 1)
        until(lambda: agent.error_code("air-1") == "edge.driver.line.speechless")
        bus.line.write(b"nothing that fits\r\n")
        until(heard)
        bus.triggers()["unplug"]("air-1", {})
        until(lambda: not agent.online["air-1"] and str(agent.error_code("air-1")).endswith("-away"))
        bus.triggers()["plug"]("air-1", {})
        until(heard)


def pressed(bus: TextBus, *, asks: bool) -> TextlineDriver:
    """Devices whose every line says that a button is pressed."""
    table = driver(bus, asks=asks)._config.model_dump()
    for device in table["device"]:
        device |= {"type": "button", "value": [{"group": "h", "event": "button.pressed"}]}
    made = FAMILY.make(TextlineConfig.model_validate(table))
    assert isinstance(made, TextlineDriver)
    return made


def test_what_stands_there_happened_once_when_asked(bus: TextBus, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(pressed(bus, asks=True)):
        until(lambda: len(ledger.values("air-1", "temperature")) >= 3)
    assert len([one for one in agent.events("button.pressed") if one.device == "air-1"]) == 1


def test_who_speaks_unasked_tells_with_each_line(bus: TextBus) -> None:
    agent = Agent()

    def heard() -> bool:
        bus.line.write(b"T=70F H=55\r\n")
        return len(agent.events("button.pressed")) >= 3

    with agent.running(pressed(bus, asks=False)):
        until(heard)
