"""`decode zigbee2mqtt`: what was seen in the field, said in the words of the catalogue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols.zigbee.explain import decode_zigbee2mqtt

FIELD = """\
{"topic": "zigbee/leak 1", "payload": {"battery": "100.00", "voltage": 3045, "linkquality": 99, "water_leak": false}}
{"topic": "zigbee2mqtt/Smoke RIGHT", "payload": {"battery": 78.43, "linkquality": 55, "smoke": false}, "src": "x"}
{"topic": "zigbee2mqtt/0xa4c1", "payload": {"action": "emergency", "battery": 100, "linkquality": 18}}
{"topic": "zigbee2mqtt/0x8471", "payload": {"action": "", "battery": null, "linkquality": 90}}
"""


def decoded(text: str) -> dict[str, Any]:
    document = decode_zigbee2mqtt(text.encode())
    json.dumps(document, allow_nan=False)
    return document


def test_messages_of_the_field() -> None:
    document = decoded(FIELD)
    leak, smoke, sos, after = document["frames"]
    assert document["ok"]
    assert (leak["name"], leak["type"], leak["values"]["leak"], leak["values"]["battery"]) == (
        "leak 1",
        "water-leak",
        False,
        100.0,
    )
    assert smoke["values"] == {"smoke": False, "battery": 78.43, "linkquality": 55.0, "battery-low": False}
    assert (sos["type"], sos["events"]) == ("sos-button", [{"kind": "sos", "action": "emergency"}])
    assert (after["type"], after["values"], after["events"]) == ("button", {"linkquality": 90.0}, [])
    codes = [finding["code"] for finding in document["findings"]]
    assert codes == ["protocols.zigbee.text", "protocols.zigbee.after"]


def test_lines_as_a_subscriber_prints_them() -> None:
    found = decoded(
        "zigbee2mqtt/Front door/availability online\n"
        'zigbee2mqtt/Front door {"contact":true}\n'
        'zigbee2mqtt/bridge/devices [{"friendly_name":"Front door","definition":{"model":"M","vendor":"V"}}]\n'
        'zigbee2mqtt/bridge/state {"state":"offline"}\n'
    )["frames"]
    assert [frame["about"] for frame in found] == ["availability", "device", "bridge-devices", "bridge-state"]
    assert (found[0]["online"], found[1]["values"], found[3]["online"]) == (True, {"contact-open": False}, False)
    assert found[2]["devices"] == [{"name": "Front door", "model": "V M", "type": ""}]


@pytest.mark.parametrize("text", ["zigbee2mqtt/a {", "zigbee2mqtt/a/availability perhaps", "\x00\xff"])
def test_what_is_no_message_is_an_error_with_its_place(text: str) -> None:
    document = decoded('zigbee2mqtt/b {"smoke":false}\n' + text)
    assert not document["ok"]
    assert document["findings"][0]["at"] == 29 + 1


def test_the_bridges_own_log() -> None:
    found = decoded(
        "info  2021-02-05 13:26:27: MQTT publish: topic 'zigbee2mqtt/hall', payload '{\"smoke\":true}'\n"
        "debug 2021-02-05 13:26:27: Received Zigbee message from 'hall', type 'commandStatusChangeNotification'\n"
        "2018-12-10 16:04:49 - info: MQTT publish, topic: 'zigbee2mqtt/cellar', payload: '{\"water_leak\":false}'\n"
        "[2024-05-01 10:00] info: \tz2m:mqtt: MQTT publish: topic 'zigbee2mqtt/hall/availability', payload 'online'\n"
        "info  2021-02-05 13:26:28: MQTT publish: topic 'homeassistant/sensor/0x1/config', payload '{\"name\":\"x\"}'\n"
    )
    assert found["ok"]
    hall, cellar, there, discovery = found["frames"]
    assert (hall["name"], hall["values"]) == ("hall", {"smoke": True})
    assert (cellar["name"], cellar["values"]) == ("cellar", {"leak": False})
    assert (there["name"], there["online"], discovery["about"]) == ("hall", True, "other")


def test_the_files_that_the_bridge_keeps() -> None:
    state = {"0x00158d0001d64498": {"smoke": False}, "0x00158d0001d64499": {"contact": True}}
    found = decoded(json.dumps(state, indent=1))["frames"]
    assert [(one["name"], one["type"]) for one in found] == [
        ("0x00158d0001d64498", "smoke"),
        ("0x00158d0001d64499", "contact"),
    ]
    rows = [{"friendly_name": "hall", "definition": {"exposes": [{"property": "smoke", "type": "binary"}]}}]
    (devices,) = decoded(json.dumps(rows, indent=1))["frames"]
    assert devices["devices"] == [{"name": "hall", "model": "", "type": "smoke"}]
    many = json.dumps([rows[0] | {"friendly_name": f"hall {number}"} for number in range(3000)])
    (large,) = decoded(f"zigbee2mqtt/bridge/devices {many}\n")["frames"]
    assert len(large["devices"]) == 3000
    messages = [{"topic": "zigbee2mqtt/a", "payload": {"smoke": True}}, {"topic": "zigbee2mqtt/b", "payload": "{}"}]
    assert [one["name"] for one in decoded(json.dumps(messages, indent=1))["frames"]] == ["a", "b"]
