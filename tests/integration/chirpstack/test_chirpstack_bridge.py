"""The driver and a stand-in for ChirpStack on a real broker: nothing lost, nothing twice, nobody live unasked."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.drivers.chirpstack import FAMILY, ChirpstackConfig, ChirpstackDriver
from protocols.errors import RefusedError
from simulators.hardware.chirpstack import NetworkServer, make_device
from simulators.hardware.field_client import FieldBroker
from tests.integration.modbus.agent import Agent, Ledger, until
from tests.services.brokers import Broker

MODELS = {
    "sos-1": ("WS101-SOS", "sos-button", "milesight-ws101-sos"),
    "leak-1": ("WS303", "water-leak", "milesight-ws303"),
    "window-1": ("WS301", "contact", "milesight-ws301"),
    "motion-1": ("WS202", "motion", "milesight-ws202"),
    "climate-1": ("EM300-TH", "climate", "milesight-em300-th"),
    "smoke-1": ("GS524N", "smoke", "milesight-gs524n"),
}
EUIS = {device: f"24e124000000000{number}" for number, device in enumerate(MODELS)}


@pytest.fixture(params=["iotcore", pytest.param("mosquitto", marks=pytest.mark.needs("mosquitto"))])
def broker(request: pytest.FixtureRequest) -> Broker:
    found = request.getfixturevalue(f"{request.param}_broker")
    assert isinstance(found, Broker)
    return found


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def server(broker: Broker, ledger: Ledger) -> Iterator[NetworkServer]:
    devices = [make_device(d, model, EUIS[d], random.Random(d)) for d, (model, _, _) in MODELS.items()]
    made = NetworkServer(FieldBroker(port=broker.port), devices, ledger=ledger, rng=random.Random(5))
    made.start()
    yield made
    made.stop()


def driver(broker: Broker, without: str = "", **more: Any) -> ChirpstackDriver:
    devices = [
        {"id": d, "type": kind, "codec": codec, "dev_eui": EUIS[d], **more}
        for d, (_, kind, codec) in MODELS.items()
        if d != without
    ]
    table = {"family": "chirpstack", "name": "lora-1", "host": broker.host, "port": broker.port, "device": devices}
    made = FAMILY.make(ChirpstackConfig.model_validate(table))
    assert isinstance(made, ChirpstackDriver)
    return made


def everybody_spoke(server: NetworkServer, agent: Agent, among: Callable[[str], bool] = lambda device: True) -> None:
    """Let all report until the driver has heard them: the first reports may come before it has subscribed."""
    wanted = {device: True for device in MODELS if among(device)}

    def heard() -> bool:
        server.step(0, 700.0)
        return agent.online == wanted

    until(heard)


def test_everything_that_happens_arrives_once(broker: Broker, server: NetworkServer, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(broker)):
        everybody_spoke(server, agent)
        server.triggers()["sos"]("sos-1", {})
        server.triggers()["again"]("sos-1", {})
        for name, device in [
            ("smoke", "smoke-1"),
            ("leak", "leak-1"),
            ("window-open", "window-1"),
            ("motion", "motion-1"),
        ]:
            server.triggers()[name](device, {})
        server.triggers()["smoke-clear"]("smoke-1", {})
        server.triggers()["battery"]("sos-1", {"percent": 0.0})
        until(lambda: agent.values("smoke-1", "smoke")[-2:] == [True, False])
        until(lambda: agent.values("sos-1", "battery")[-1:] == [0.0])
    assert len(agent.events("sos")) == 1 == len(ledger.values("sos-1", "sos"))
    assert agent.values("sos-1", "battery-low")[-1] is True
    assert agent.values("leak-1", "leak")[-1] is True
    assert agent.values("window-1", "contact-open")[-1] is True
    assert agent.values("motion-1", "occupancy")[-1] is True
    seen = agent.values("climate-1", "temperature")
    assert seen
    assert set(seen) <= set(ledger.values("climate-1", "temperature"))
    assert all(agent.durable), "acknowledged only after it is on the disk"
    assert agent.strangers == ()


def test_what_happens_while_the_agent_is_away_waits_for_it(
    broker: Broker, server: NetworkServer, ledger: Ledger
) -> None:
    agent = Agent()
    with agent.running(driver(broker)):
        everybody_spoke(server, agent)
    told = len(ledger.values("climate-1", "temperature"))
    server.triggers()["sos"]("sos-1", {})
    for _ in range(5):
        server.step(0, 700.0)
    until(lambda: ledger.values("sos-1", "sos") and len(ledger.values("climate-1", "temperature")) >= told + 5)
    agent.refusals = 2
    with agent.running(driver(broker)):
        wanted = ledger.values("climate-1", "temperature")[-5:]
        until(lambda: agent.events("sos") and agent.values("climate-1", "temperature")[-5:] == wanted)
    assert len(agent.events("sos")) == 1


def test_stored_but_not_acknowledged_it_is_not_told_twice(
    broker: Broker, server: NetworkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent()
    deaf = driver(broker)
    monkeypatch.setattr(deaf._session, "acknowledge", lambda message: None)
    with agent.running(deaf):
        everybody_spoke(server, agent)
        server.triggers()["sos"]("sos-1", {})
        until(lambda: agent.events("sos"))
    with agent.running(driver(broker)):
        server.triggers()["leak"]("leak-1", {})
        until(lambda: True in agent.values("leak-1", "leak"))
    assert len(agent.events("sos")) == 1


def test_who_misses_its_reports_is_lost_and_comes_back(broker: Broker, server: NetworkServer) -> None:
    agent = Agent()
    lora = driver(broker)
    with agent.running(lora):
        everybody_spoke(server, agent)
        server.triggers()["device-offline"]("leak-1", {})

        def lost() -> bool:
            # What it sent before may still be on its way.
            lora._heard_s[EUIS["leak-1"]] = time.monotonic() - 3 * 3600 - 1
            return agent.error_code("leak-1") == "edge.driver.chirpstack.silent"

        until(lost)
        until(lambda: agent.stored["available"][EUIS["leak-1"]] is False)
        assert agent.online["sos-1"]
    agent.online.clear()
    with agent.running(driver(broker)):
        until(lambda: agent.online.get("sos-1"))
        assert "leak-1" not in agent.online, "nothing is known of it until it speaks, also after a restart"
        server.triggers()["device-online"]("leak-1", {})
        until(lambda: agent.online.get("leak-1"))


def test_a_killed_broker_comes_back(broker: Broker, server: NetworkServer) -> None:
    agent = Agent()
    with agent.running(driver(broker)):
        everybody_spoke(server, agent)
        broker.kill()
        until(lambda: agent.error_code("sos-1") == "edge.driver.broker.away", 20)
        broker.start()
        everybody_spoke(server, agent)
        server.triggers()["sos"]("sos-1", {})
        until(lambda: agent.events("sos"))
    assert len(agent.events("sos")) == 1


def test_a_device_that_nobody_named_waits_for_approval(broker: Broker, server: NetworkServer) -> None:
    agent = Agent()
    with agent.running(driver(broker, without="leak-1")):
        everybody_spoke(server, agent, lambda device: device != "leak-1")
        until(lambda: len(agent.strangers) == 1)
        server.triggers()["leak"]("leak-1", {})
        server.triggers()["join"]("", {"eui": "24e124136b777777", "profile": "EM300-TH"})
        until(lambda: len(agent.strangers) == 2)
        server.triggers()["sos"]("sos-1", {})
        until(lambda: agent.events("sos"))
    leak, other = agent.strangers
    assert (leak.address, leak.type, leak.settings["codec"]) == (EUIS["leak-1"], "water-leak", "milesight-ws303")
    assert (other.model, other.type) == ("Milesight EM300-TH", "climate")
    assert "leak-1" not in {one.device for one in agent.taken}, "listed, and not live"
    stored = {row["address"]: row for row in agent.stored["strangers"]}
    assert "fPort 85" in stored[EUIS["leak-1"]]["last"], "what it said is not lost without a trace"
    agent.strangers, again = (), Agent(stored=agent.stored)
    with again.running(driver(broker)):
        until(lambda: [one.address for one in again.strangers] == ["24e124136b777777"])
    assert again.gone == [EUIS["leak-1"]], "it is in the configuration now"


def test_what_is_unreadable_or_retained_does_no_harm(broker: Broker) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="somebody")
    client.connect(broker.host, broker.port)
    client.loop_start()
    topic = f"application/1/device/{EUIS['sos-1']}/event/up"
    device = {"devEui": EUIS["sos-1"]}
    pressed = json.dumps({"deduplicationId": "1", "deviceInfo": device, "fPort": 85, "data": "/y4B"})
    client.publish(topic, pressed, qos=1, retain=True).wait_for_publish(5)
    agent, lora = Agent(), driver(broker)
    try:
        with agent.running(lora):
            until(lambda: lora._session.connected)
            for payload in ("", "no json", "[1]", "{}", pressed.replace("/y4B", "?")):
                client.publish(topic, payload, qos=1).wait_for_publish(5)
            client.publish(topic, pressed.replace('"1"', '"2"'), qos=1).wait_for_publish(5)
            until(lambda: agent.events("sos"))
    finally:
        client.disconnect()
        client.loop_stop()
    assert len(agent.events("sos")) == 1, "a retained press is history"


def test_nothing_is_written(broker: Broker) -> None:
    with pytest.raises(RefusedError):
        driver(broker).act("sos-1", "sound", True, 1)
