"""What happens to the devices of a real zigbee2mqtt: names change, sirens are mute, a call lasts."""

from __future__ import annotations

import json

import paho.mqtt.client as paho

from tests.integration.modbus.agent import Agent, until
from tests.integration.zigbee.test_zigbee_bridge import driver, publish
from tests.services.brokers import Broker


def test_a_device_that_is_renamed_goes_on_and_one_that_left_is_told(broker: Broker, raw: paho.Client) -> None:
    def say(topic: str, payload: object) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        raw.publish(f"zigbee2mqtt/{topic}", text, qos=1, retain=True).wait_for_publish(5)

    def row(name: str, number: int) -> dict[str, str]:
        return {"friendly_name": name, "ieee_address": f"0x00158d000000000{number}"}

    devices = [{"id": "smoke-502", "type": "smoke", "topic": "hall"}]
    say("bridge/devices", [row("hall", 1), row("kitchen", 2)])
    say("hall/availability", {"state": "online"})
    agent = Agent()
    with agent.running(driver(broker, device=devices)):
        until(lambda: agent.online == {"smoke-502": True})
        say("bridge/devices", [row("corridor", 1), row("kitchen", 2)])
        say("hall/availability", "")
        say("corridor/availability", {"state": "offline"})
        until(lambda: agent.error_code("smoke-502") == "edge.driver.zigbee2mqtt.device-away")
        say("corridor", {"smoke": True})
        until(lambda: agent.values("smoke-502", "smoke") == [True] and agent.online == {"smoke-502": True})
        say("corridor/availability", {"state": "online"})
        say("all-lamps", {"state": "ON"})
        say("kitchen/contact", "true")
        say("bridge/devices", [row("kitchen", 2)])
        until(lambda: agent.error_code("smoke-502") == "edge.driver.zigbee2mqtt.not-listed")
        assert [one.address for one in agent.strangers] == ["kitchen"]
    with agent.running(driver(broker, device=devices)):
        say("bridge/devices", [row("corridor", 1)])
        until(lambda: agent.online == {"smoke-502": True})


def test_a_siren_that_only_answers_questions_and_a_button_whose_call_is_a_state(
    broker: Broker, raw: paho.Client
) -> None:
    def answer(client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/get") and "max_duration" in json.loads(message.payload):
            client.publish("zigbee2mqtt/floor/siren-3", '{"max_duration":240}', qos=1)

    exposes = [
        {"type": "composite", "property": "warning", "access": 2},
        {"type": "numeric", "property": "max_duration", "access": 7},
    ]
    row = {"friendly_name": "floor/siren-3", "ieee_address": "0x00158d0000000003", "definition": {"exposes": exposes}}
    button = {"friendly_name": "floor/sos-301", "ieee_address": "0x00158d0000000004"}
    raw.on_message = answer
    raw.subscribe("zigbee2mqtt/floor/siren-3/+", qos=1)
    raw.publish("zigbee2mqtt/bridge/devices", json.dumps([row, button]), qos=1, retain=True).wait_for_publish(5)
    publish(raw, "siren-3", {"battery": 80}, retain=True)
    agent = Agent()
    zigbee = driver(broker)
    with agent.running(zigbee):
        until(lambda: agent.values("siren-3", "battery") == [80.0])
        zigbee.act("siren-3", "sound", True, 15)
        until(lambda: agent.values("siren-3", "sounding")[-1:] == [True])
        zigbee.act("siren-3", "sound", False, 15)
        until(lambda: agent.values("siren-3", "sounding")[-1:] == [False])
        for battery, calling in ((90, True), (89, True), (88, False), (87, True)):
            publish(raw, "sos-301", {"sos": calling, "battery": battery})
        until(lambda: agent.values("sos-301", "battery")[-1:] == [87.0])
    assert [one.data["action"] for one in agent.events("sos")] == ["sos", "sos"], "a call that lasts is one"
