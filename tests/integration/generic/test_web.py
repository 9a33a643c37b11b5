"""Devices over HTTP: read, and every way in which such a box can misbehave; a dead one never holds up another."""

from __future__ import annotations

import random
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.web import FAMILY, WebConfig, WebDriver
from protocols.errors import RefusedError
from simulators.hardware.web import WebSensor
from tests.integration.modbus.agent import Agent, Ledger, until

VALUES = [
    {"pointer": "/sensors/0/temperature", "metric": "temperature", "scale": 0.1},
    {"pointer": "/sensors/0/humidity", "metric": "humidity"},
]
CERTIFICATE = Path(__file__).parents[2] / "cases" / "web" / "device.pem"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def sensor(ledger: Ledger) -> Iterator[WebSensor]:
    made = WebSensor("air", ledger=ledger, rng=random.Random(1))
    made.start()
    yield made
    made.stop()


def driver(*sensors: WebSensor, scheme: str = "http", **more: Any) -> WebDriver:
    devices = [
        {
            "id": one.devices[0],
            "type": "climate",
            "url": f"{scheme}://127.0.0.1:{one.port}/status.json",
            "interval_s": 1,
            "timeout_s": 0.5,
            "most_bytes": 10_000,
            "value": VALUES,
        }
        | more
        for one in sensors
    ]
    table = {"family": "http", "name": "web-1", "retry_max_s": 1, "device": devices}
    made = FAMILY.make(WebConfig.model_validate(table))
    assert isinstance(made, WebDriver)
    return made


def test_json_and_text(sensor: WebSensor, ledger: Ledger, tmp_path: Path) -> None:
    agent, web = Agent(), driver(sensor)
    with agent.running(web):
        until(lambda: agent.online == {"air": True})
        for _ in range(3):
            sensor.step(0, 1)
            web.read("air", 10)
        with pytest.raises(RefusedError):
            web.act("air", "sound", True, 1)
    assert agent.values("air", "temperature")[: len(ledger.entries)] == ledger.values("air", "temperature")
    assert agent.values("air", "humidity")[0] == 48.5
    (tmp_path / "word").write_text("secret\n", encoding="utf-8")
    text = [{"pattern": r"temperature: (?P<value>[\d.]+) C", "metric": "temperature"}]
    url = f"http://127.0.0.1:{sensor.port}/status.txt"
    again = Agent()
    with again.running(driver(sensor, url=url, value=text, username="me", password_file=tmp_path / "word")):
        until(lambda: again.values("air", "temperature"))
    assert sensor.asked[-1] == "Basic bWU6c2VjcmV0"


def test_whatever_is_wrong_is_told_and_gets_well_again(sensor: WebSensor) -> None:
    other = WebSensor("other", ledger=Ledger(), rng=random.Random(2))
    other.start()
    agent = Agent()
    try:
        with agent.running(driver(sensor, other)):
            until(lambda: agent.online == {"air": True, "other": True})
            for mode, code in {
                "redirects": "redirect",
                "refuses": "status",
                "garbled": "not-json",
                "large": "too-large",
                "silent": "slow",
                "drips": "slow",
            }.items():
                sensor.triggers()["behave"]("air", {"mode": mode})
                until(lambda code=code: agent.error_code("air") == f"edge.driver.http.{code}")  # type: ignore[misc]
            assert agent.online["other"]
            sensor.triggers()["behave"]("air", {"mode": "well"})
            until(lambda: agent.online["air"] and agent.error_code("air") is None)
            sensor.triggers()["unplug"]("air", {})
            until(lambda: agent.error_code("air") == "edge.driver.http.away" and not agent.online["air"])
            sensor.triggers()["plug"]("air", {})
            until(lambda: agent.online["air"])
    finally:
        other.stop()


def test_a_value_that_is_not_there(sensor: WebSensor) -> None:
    agent = Agent()
    with agent.running(driver(sensor, value=[{"pointer": "/elsewhere", "metric": "temperature"}])):
        until(lambda: agent.error_code("air") == "edge.driver.http.nothing")


def test_certificates_are_verified(ledger: Ledger) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    sensor = WebSensor("air", ledger=ledger, rng=random.Random(1), tls=context)
    sensor.start()
    stranger, known = Agent(), Agent()
    try:
        with stranger.running(driver(sensor, scheme="https")):
            until(lambda: stranger.error_code("air") == "edge.driver.http.away")
        with known.running(driver(sensor, scheme="https", ca_file=CERTIFICATE)):
            until(lambda: known.values("air", "temperature"))
    finally:
        sensor.stop()


@pytest.mark.parametrize(
    ("more", "code"), [({"token_file": "token"}, "token"), ({"url": f"http://{'a' * 70}.local/"}, "away")]
)
def test_what_cannot_be_sent_is_told_and_ends_no_driver(
    sensor: WebSensor, tmp_path: Path, more: dict[str, Any], code: str
) -> None:
    (tmp_path / "token").write_text("one\ntwo", encoding="utf-8")
    agent, wrong = Agent(), more | ({"token_file": tmp_path / "token"} if "token_file" in more else {})
    with agent.running(driver(sensor, **wrong)):
        until(lambda: agent.error_code("air") == f"edge.driver.http.{code}")
    assert sensor.asked == []


def test_a_token_as_an_editor_of_windows_writes_it(sensor: WebSensor, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\ufeffsecret\r\n", encoding="utf-8")
    agent = Agent()
    with agent.running(driver(sensor, token_file=tmp_path / "token")):
        until(lambda: agent.online == {"air": True})
    assert sensor.asked[-1] == "Bearer secret"


def test_what_stands_there_happened_once(sensor: WebSensor) -> None:
    agent = Agent()
    lid = [{"pointer": "/lid", "event": "button.pressed", "on": ["shut"]}]
    with agent.running(web := driver(sensor, type="button", value=lid)):
        for _ in range(3):
            web.read("air", 10)
    assert len(agent.events("button.pressed")) == 1
