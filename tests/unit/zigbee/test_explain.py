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
