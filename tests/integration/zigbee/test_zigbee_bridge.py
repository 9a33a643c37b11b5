"""The driver and the simulated bridge on a real broker: nothing lost, nothing twice, and a siren that obeys."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as paho
import pytest

from edge.drivers.zigbee2mqtt import FAMILY, ZigbeeConfig, ZigbeeDriver
from protocols.errors import DeviceError, RefusedError
from protocols.events import Reading
from simulators.hardware.field_client import FieldBroker
from simulators.hardware.zigbee import ZigbeeBridge, make_device
from tests.integration.modbus.agent import Agent, Ledger, until
from tests.services.brokers import Broker

DEVICES = {
    "smoke-502": "smoke",
    "siren-3": "siren",
    "valve-301": "valve",
    "leak-pump": "water-leak",
    "motion-301": "motion",
    "water-301": "water-meter",
    "sos-301": "sos-button",
}
NOON = 12 * 3_600_000


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def start_bridge(broker: Broker, ledger: Ledger) -> Iterator[Callable[[], ZigbeeBridge]]:
    started: list[ZigbeeBridge] = []

    def start() -> ZigbeeBridge:
        devices = [make_device(d, t, f"floor/{d}", random.Random(d)) for d, t in DEVICES.items()]
        bridge = ZigbeeBridge(FieldBroker(port=broker.port), devices, ledger=ledger)
        started.append(bridge)
        bridge.start()
        return bridge

    yield start
    for bridge in started:
        bridge.stop()


@pytest.fixture
def bridge(start_bridge: Callable[[], ZigbeeBridge]) -> ZigbeeBridge:
    return start_bridge()


def driver(broker: Broker, **more: Any) -> ZigbeeDriver:
    devices = [{"id": d, "type": t, "topic": f"floor/{d}"} for d, t in DEVICES.items()]
    table = {"family": "zigbee2mqtt", "name": "zigbee-1", "host": broker.host, "port": broker.port, "device": devices}
    made = FAMILY.make(ZigbeeConfig.model_validate(table | more))
    assert isinstance(made, ZigbeeDriver)
    return made


def everybody_is_there(agent: Agent) -> bool:
    return agent.online == dict.fromkeys(DEVICES, True)


def publish(client: paho.Client, name: str, payload: object, *, retain: bool = False) -> None:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    client.publish(f"zigbee2mqtt/floor/{name}", text, qos=1, retain=retain).wait_for_publish(5)


def told(agent: Agent) -> set[tuple[str, str, object]]:
    return {(o.device, o.metric, o.value) for o in list(agent.taken) if isinstance(o, Reading)}


def all_in_the_ledger_was_told(agent: Agent, ledger: Ledger) -> bool:
    volumes = ledger.values("water-301", "volume")
    return bool(volumes) and set(volumes) <= set(agent.values("water-301", "volume"))


def test_everything_that_happens_arrives_once(broker: Broker, bridge: ZigbeeBridge, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(broker)):
        until(lambda: everybody_is_there(agent))
        for name, device in [("smoke", "smoke-502"), ("leak", "leak-pump"), ("motion", "motion-301")]:
            bridge.triggers()[name](device, {})
        bridge.triggers()["sos"]("sos-301", {})
        bridge.triggers()["smoke"]("smoke-502", {"clear": True})
        for _ in range(5):
            bridge.step(NOON, 25.0)
        until(lambda: len(ledger.values("water-301", "volume")) >= 5)
        until(lambda: all_in_the_ledger_was_told(agent, ledger))
        until(lambda: ("smoke-502", "smoke", False) in told(agent))
    assert agent.values("smoke-502", "smoke")[:2] == [True, False]
    assert True in agent.values("leak-pump", "leak")
    assert True in agent.values("motion-301", "occupancy")
    assert agent.values("water-301", "volume") == ledger.values("water-301", "volume")
    assert len(agent.events("sos")) == 1 == len(ledger.values("sos-301", "sos"))
    assert all(agent.durable), "acknowledged only after it is on the disk"
    assert all(len(agent.values(d, "linkquality")) > 0 for d in DEVICES)


def test_what_happens_while_the_agent_is_away_waits_for_it(
    broker: Broker, bridge: ZigbeeBridge, ledger: Ledger
) -> None:
    agent = Agent()
    with agent.running(driver(broker)):
        until(lambda: everybody_is_there(agent))
    before = time.time_ns() // 1_000_000
    bridge.triggers()["sos"]("sos-301", {})
    for _ in range(50):
        bridge.step(NOON, 25.0)
    until(lambda: len(ledger.values("water-301", "volume")) >= 50 and ledger.values("sos-301", "sos"))
    after = time.time_ns() // 1_000_000
    with agent.running(driver(broker)):
        until(lambda: all_in_the_ledger_was_told(agent, ledger) and agent.events("sos"))
    assert agent.values("water-301", "volume") == ledger.values("water-301", "volume")
    (sos,) = agent.events("sos")
    assert before <= sos.at_ms <= after, "when it was pressed, not when it was read"


def test_a_full_outbox_loses_nothing(broker: Broker, bridge: ZigbeeBridge, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(broker)):
        until(lambda: everybody_is_there(agent))
        agent.refusals = 2
        bridge.triggers()["sos"]("sos-301", {})
        until(lambda: agent.events("sos"))
    assert agent.refusals == 0
    assert len(agent.events("sos")) == 1


def test_stopped_before_it_was_stored_it_comes_again(broker: Broker, bridge: ZigbeeBridge, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(broker)):
        until(lambda: everybody_is_there(agent))
        agent.refusals = 1_000_000
        bridge.triggers()["sos"]("sos-301", {})
        until(lambda: agent.refusals < 1_000_000)
    assert agent.events("sos") == []
    agent.refusals = 0
    with agent.running(driver(broker)):
        until(lambda: agent.events("sos"))
    assert len(agent.events("sos")) == 1


def test_stored_but_not_acknowledged_it_is_not_told_twice(
    broker: Broker, bridge: ZigbeeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent()
    deaf = driver(broker)
    monkeypatch.setattr(deaf._session, "acknowledge", lambda message: None)
    with agent.running(deaf):
        until(lambda: everybody_is_there(agent))
        bridge.triggers()["sos"]("sos-301", {})
        bridge.triggers()["smoke"]("smoke-502", {})
        until(lambda: agent.events("sos") and agent.values("smoke-502", "smoke"))
    with agent.running(driver(broker)):
        bridge.triggers()["leak"]("leak-pump", {})
        until(lambda: True in agent.values("leak-pump", "leak"))
    assert len(agent.events("sos")) == 1
    assert agent.values("smoke-502", "smoke").count(True) == 1


def test_a_killed_broker_comes_back(broker: Broker, bridge: ZigbeeBridge, ledger: Ledger) -> None:
    agent = Agent()
    with agent.running(driver(broker)):
        until(lambda: everybody_is_there(agent))
        broker.kill()
        until(lambda: agent.error_code("sos-301") == "edge.driver.broker.away", 20)
        broker.start()
        until(lambda: everybody_is_there(agent), 30)
        bridge.triggers()["sos"]("sos-301", {})
        for _ in range(5):
            bridge.step(NOON, 25.0)
        until(lambda: len(ledger.values("water-301", "volume")) >= 5 and all_in_the_ledger_was_told(agent, ledger))
        until(lambda: agent.events("sos"))
    assert len(agent.events("sos")) == 1
    volumes = agent.values("water-301", "volume")
    assert len(set(volumes)) == len(volumes)


def test_the_siren_obeys_and_confirms(broker: Broker, bridge: ZigbeeBridge) -> None:
    agent = Agent()
    zigbee = driver(broker)
    with agent.running(zigbee):
        until(lambda: everybody_is_there(agent))
        zigbee.act("siren-3", "sound", True, 5)
        until(lambda: agent.values("siren-3", "sounding")[-1:] == [True])
        agent.refusals = 2
        zigbee.act("siren-3", "sound", False, 5)
        until(lambda: agent.values("siren-3", "sounding")[-1:] == [False])
        zigbee.act("siren-3", "sound", True, 5)
        bridge.step(NOON, 601.0)
        until(lambda: agent.values("siren-3", "sounding")[-2:] == [True, False])


def test_a_siren_that_does_not_confirm(broker: Broker, bridge: ZigbeeBridge) -> None:
    agent = Agent()
    zigbee = driver(broker)
    with agent.running(zigbee):
        until(lambda: everybody_is_there(agent))
        bridge.triggers()["device-offline"]("siren-3", {})
        until(lambda: agent.error_code("siren-3") == "edge.driver.zigbee2mqtt.device-away")
        with pytest.raises(DeviceError) as silent:
            zigbee.act("siren-3", "sound", True, 0.5)
        assert silent.value.code == "edge.driver.zigbee2mqtt.not-confirmed"
        bridge.triggers()["device-online"]("siren-3", {})
        until(lambda: everybody_is_there(agent))
        zigbee.act("siren-3", "sound", True, 5)


def test_a_valve_is_closed_and_opened_and_one_that_sticks_is_told(broker: Broker, bridge: ZigbeeBridge) -> None:
    agent = Agent()
    zigbee = driver(broker)
    with agent.running(zigbee):
        until(lambda: everybody_is_there(agent))
        for closed in (True, False):
            zigbee.act("valve-301", "valve-closed", closed, 10)
            until(lambda wanted=closed: agent.values("valve-301", "valve-closed")[-1:] == [wanted])  # type: ignore[misc]
        bridge.triggers()["stuck"]("valve-301", {})
        with pytest.raises(DeviceError) as stuck:
            zigbee.act("valve-301", "valve-closed", True, 0.5)
        assert stuck.value.code == "edge.driver.zigbee2mqtt.not-confirmed"
        bridge.triggers()["stuck"]("valve-301", {"on": False})
        until(lambda: agent.values("valve-301", "valve-closed")[-1] is False)
        zigbee.read("valve-301", 10)


def test_a_valve_that_is_wired_the_other_way_round(broker: Broker, bridge: ZigbeeBridge) -> None:
    agent = Agent()
    devices = [{"id": "valve-301", "type": "valve", "topic": "floor/valve-301", "closes": "ON"}]
    zigbee = driver(broker, device=devices)
    with agent.running(zigbee):
        until(lambda: agent.online == {"valve-301": True})
        zigbee.act("valve-301", "valve-closed", True, 10)
        until(lambda: agent.values("valve-301", "valve-closed")[-1:] == [True])
    assert bridge.state()["devices"]["valve-301"]["closed"] is False, "ON opens the stand-in"


def test_another_value_ends_what_a_siren_has_not_confirmed(broker: Broker, bridge: ZigbeeBridge) -> None:
    agent = Agent()
    zigbee = driver(broker)
    with agent.running(zigbee), ThreadPoolExecutor(1) as beside:
        until(lambda: everybody_is_there(agent))
        bridge.triggers()["device-offline"]("siren-3", {})
        until(lambda: agent.error_code("siren-3") == "edge.driver.zigbee2mqtt.device-away")
        silenced = beside.submit(zigbee.act, "siren-3", "sound", False, 600)
        until(lambda: zigbee._switching.awaits(zigbee.devices[1]))
        with pytest.raises(DeviceError):
            zigbee.act("siren-3", "sound", True, 0.1)
        with pytest.raises(RefusedError):
            silenced.result(60)


def test_what_cannot_be_switched(broker: Broker) -> None:
    zigbee = driver(broker)
    for device, output, value in [
        ("smoke-502", "sound", True),
        ("siren-3", "release", True),
        ("siren-3", "sound", 5),
        ("water-301", "valve-closed", True),
    ]:
        with pytest.raises(RefusedError):
            zigbee.act(device, output, value, 1)
    with pytest.raises(DeviceError) as away:
        zigbee.act("siren-3", "sound", True, 1)
    assert away.value.code == "edge.driver.broker.away", "not connected: refused at once, never done later"


def test_a_retained_press_is_history(broker: Broker, raw: paho.Client) -> None:
    publish(raw, "sos-301", {"action": "emergency", "battery": 90}, retain=True)
    publish(raw, "smoke-502", {"smoke": True}, retain=True)
    agent = Agent()
    with agent.running(driver(broker)):
        until(lambda: agent.values("smoke-502", "smoke") == [True])
        until(lambda: agent.values("sos-301", "battery") == [90.0])
        publish(raw, "sos-301", {"action": "emergency"})
        until(lambda: agent.events("sos"))
        publish(raw, "sos-301", {"action": "emergency"})
        until(lambda: len(agent.events("sos")) == 2)
    assert len(agent.events("sos")) == 2, "two presses without last_seen are two presses"


def test_what_a_wrong_clock_dated_is_read_right_by_an_agent_that_starts_with_a_right_one(
    broker: Broker, raw: paho.Client
) -> None:
    """It waited in the broker while there was no agent; the clock was set meanwhile."""
    hour_ms = 3_600_000

    def dated(*, smoke: bool) -> dict[str, Any]:
        seen = datetime.fromtimestamp(time.time() - hour_ms / 1000, UTC)
        return {"smoke": smoke, "last_seen": seen.isoformat()}

    agent = Agent(system_late_ms=hour_ms)
    with agent.running(driver(broker)):
        publish(raw, "smoke-502", dated(smoke=True), retain=True)
        until(lambda: agent.values("smoke-502", "smoke") == [True])
    publish(raw, "smoke-502", dated(smoke=False), retain=True)
    agent.system_late_ms = 0
    with agent.running(driver(broker)):
        until(lambda: False in agent.values("smoke-502", "smoke"))
    for one in agent.readings("smoke-502", "smoke"):
        assert abs(one.at_ms - agent.now_ms()) < hour_ms / 2


def test_what_is_unreadable_or_unknown_does_no_harm(broker: Broker, raw: paho.Client) -> None:
    agent = Agent()
    zigbee = driver(broker)
    with agent.running(zigbee):
        until(lambda: zigbee._session.connected)
        for payload in ("", "no json", "[1]", "null", '{"smoke":"perhaps"}'):
            publish(raw, "smoke-502", payload)
        publish(raw, "stranger", {"smoke": True})
        publish(raw, "smoke-502", {"smoke": True})
        until(lambda: True in agent.values("smoke-502", "smoke"))
    assert [one.address for one in agent.strangers] == ["floor/stranger"]
    assert {o.device for o in agent.taken} == {"smoke-502"}


def test_the_bridge_leaves_and_returns(
    broker: Broker, bridge: ZigbeeBridge, start_bridge: Callable[[], ZigbeeBridge]
) -> None:
    agent = Agent()
    with agent.running(driver(broker)):
        until(lambda: everybody_is_there(agent))
        bridge.stop()
        until(lambda: agent.error_code("smoke-502") == "edge.driver.zigbee2mqtt.bridge-away")
        start_bridge()
        until(lambda: everybody_is_there(agent))


def test_a_broker_that_is_not_there_yet(broker: Broker, start_bridge: Callable[[], ZigbeeBridge]) -> None:
    broker.stop()
    agent = Agent()
    with agent.running(driver(broker)):
        start_bridge()
        until(lambda: agent.error_code("smoke-502") == "edge.driver.broker.away", 20)
        broker.start()
        until(lambda: everybody_is_there(agent), 30)


def test_the_bridge_counts_on_after_a_restart(
    broker: Broker, start_bridge: Callable[[], ZigbeeBridge], ledger: Ledger
) -> None:
    first = start_bridge()
    first.step(NOON, 25.0)
    until(lambda: ledger.values("water-301", "volume"))
    first.stop()
    second = start_bridge()
    second.restore(first.state())
    for _ in range(3):
        second.step(NOON, 25.0)
    until(lambda: len(ledger.values("water-301", "volume")) >= 4)
    counters = [counter for d, m, counter, _ in ledger.entries if (d, m) == ("water-301", "volume")]
    assert counters == [1, 2, 3, 4]
    volumes = ledger.values("water-301", "volume")
    assert len(set(volumes)) == 4


def test_what_listens_is_asked_and_what_sleeps_is_not(broker: Broker, bridge: ZigbeeBridge) -> None:
    agent, zigbee = Agent(), driver(broker)
    with agent.running(zigbee):
        until(lambda: everybody_is_there(agent))
        before = len(agent.readings("siren-3", "sounding"))
        zigbee.read("siren-3", 10)
        assert len(agent.readings("siren-3", "sounding")) > before
        with pytest.raises(RefusedError, match="sleeps"):
            zigbee.read("smoke-502", 10)
        bridge.triggers()["device-offline"]("siren-3", {})
        with pytest.raises(DeviceError, match="has not answered"):
            zigbee.read("siren-3", 0.5)
