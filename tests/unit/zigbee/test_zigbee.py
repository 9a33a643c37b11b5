"""What zigbee2mqtt's topics and payloads say, with messages seen in the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.bridged import observed_at
from protocols.catalog import DEVICE_TYPES
from protocols.errors import ProtocolError
from protocols.events import Event, Reading
from protocols.zigbee import (
    TYPES,
    Closes,
    Row,
    Siren,
    Topic,
    observations,
    read_availability,
    read_devices,
    read_metrics,
    read_payload,
    read_topic,
    siren_command,
    upright,
    valve_command,
)

CASES = Path(__file__).parents[2] / "cases" / "zigbee" / "seen-in-the-field.jsonl"
SEEN = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
NOW = 1_776_500_000_000


def told(device_type: str, payload: dict[str, Any], **more: Any) -> list[tuple[str, object, str]]:
    found = observations("d", device_type, payload, at_ms=NOW, **more)
    return [(o.metric, o.value, o.quality) for o in found if isinstance(o, Reading)]


def happened(payload: dict[str, Any], **more: Any) -> list[Event]:
    return [o for o in observations("d", "sos-button", payload, at_ms=NOW, **more) if isinstance(o, Event)]


def test_a_leak_sensor_that_writes_its_battery_as_a_string() -> None:
    assert told("water-leak", SEEN[0]["payload"]) == [
        ("leak", False, "good"),
        ("battery", 100.0, "good"),
        ("linkquality", 99.0, "good"),
        ("battery-low", False, "good"),
    ]


def test_a_smoke_detector() -> None:
    assert told("smoke", SEEN[1]["payload"]) == [
        ("smoke", False, "good"),
        ("battery", 78.43, "good"),
        ("linkquality", 55.0, "good"),
        ("battery-low", False, "good"),
    ]


def test_an_sos_button_is_pressed_once() -> None:
    pressed, after = SEEN[2]["payload"], SEEN[3]["payload"]
    (event,) = happened(pressed)
    assert (event.kind, event.data, event.at_ms) == ("sos", {"action": "emergency"}, NOW)
    assert happened(after) == []
    assert told("sos-button", after) == [("linkquality", 90.0, "good")], "a battery of null says nothing"
    assert happened({"action": None}) == []


def test_a_retained_message_is_no_press() -> None:
    assert happened(SEEN[2]["payload"], retained=True) == []
    assert told("sos-button", SEEN[2]["payload"], retained=True) != []


def test_only_a_button_can_call_for_help() -> None:
    assert observations("d", "motion", {"action": "emergency"}, at_ms=NOW) == ()


def test_when_a_message_was_heard() -> None:
    heard = 1_776_440_002_000  # 2026-04-17T23:33:22+08:00
    payload = SEEN[2]["payload"]
    assert observed_at(payload["last_seen"], heard + 5000) == heard
    assert observed_at(heard, heard + 5000) == heard
    assert observed_at("2026-04-17T15:33:22.000Z", heard + 5000) == heard
    assert observed_at(payload["last_seen"], heard - 1) == heard - 1, "a time ahead of the gateway's"
    hour = 3_600_000
    assert observed_at(heard, heard + 5000, (0, -hour)) == heard, "dated before the clock stepped on"
    assert observed_at(heard + hour, heard + 5000, (0, -hour)) == heard, "dated after it"
    assert observed_at(heard, heard + 5000, (0, hour)) == heard, "dated before the clock stepped back"
    assert observed_at(heard - hour, heard + 5000, (0, hour)) == heard, "dated after it"
    assert observed_at(payload["last_seen"], heard + 8 * 86_400_000) == heard + 8 * 86_400_000, (
        "a clock that was never set"
    )
    month = 30 * 86_400_000
    assert observed_at(payload["last_seen"], heard + month, kept=True) == heard, "it may have been silent since"
    assert observed_at("1970-01-01T00:00:09Z", NOW, kept=True) == NOW
    for useless in (None, "yesterday", "2026-04-17T23:33:22", True, float("nan"), float("inf"), 10**400, [1]):
        assert observed_at(useless, NOW) == NOW


@pytest.mark.parametrize(
    ("device_type", "payload", "metrics"),
    [
        ("door", {"contact": True}, {"contact-open": False}),
        ("door", {"contact": False, "tamper": True}, {"contact-open": True, "tamper": True}),
        ("siren", {"alarm": True}, {"sounding": True}),
        ("siren", {"alarm": "OFF"}, {"sounding": False}),
        ("siren", {"warning": {"mode": "emergency"}}, {"sounding": True}),
        ("siren", {"warning": {"mode": "stop"}}, {"sounding": False}),
        ("siren", {"alarm": False, "warning": {"mode": "emergency"}}, {"sounding": False}),
        ("valve", {"state": "ON"}, {"valve-closed": False}),
        ("valve", {"state": "CLOSE"}, {"valve-closed": True}),
        ("valve", {"state": "half"}, {"valve-closed": None}),
        ("motion", {"occupancy": True, "illuminance_lux": 12}, {"occupancy": True, "illuminance": 12.0}),
        ("water-meter", {"volume": "12.345", "flow": 0}, {"volume": 12.345, "flow": 0.0}),
        ("smoke", {"smoke": "perhaps"}, {"smoke": None}),
        ("smoke", {"smoke": 1, "battery": True}, {"smoke": None, "battery": None}),
        ("smoke", {"smoke": None, "unknown": 5}, {}),
        ("smoke", {"alarm_1": True, "battery_state": "low"}, {"smoke": True, "battery-low": True}),
        ("smoke", {"smoke": False, "alarm_1": True, "battery_state": "usb"}, {"smoke": False, "battery-low": None}),
        ("smoke", {"smoke_state": "alarm"}, {"smoke": True}),
        ("contact", {"contact_alarm_1": True}, {"contact-open": True}),
        ("gas-detector", {"gas": False, "carbon_monoxide": True, "co": 80}, {"gas-alarm": True, "co": 80.0}),
        ("gas-detector", {"gas": True, "carbon_monoxide": False}, {"gas-alarm": True}),
        ("motion", {"presence": True}, {"occupancy": True}),
        ("water-meter", {"volume": "NaN"}, {"volume": None}),
    ],
)
def test_payloads(device_type: str, payload: dict[str, Any], metrics: dict[str, object]) -> None:
    assert read_metrics(device_type, payload) == metrics


def test_what_cannot_be_understood_is_bad_and_not_silent() -> None:
    assert told("smoke", {"smoke": "perhaps"}) == [("smoke", None, "bad")]


@pytest.mark.parametrize("device_type", TYPES)
def test_every_metric_is_a_row_of_the_catalogue(device_type: str) -> None:
    keys = ("state", "smoke", "tamper", "alarm", "water_leak", "occupancy", "contact")
    everything: dict[str, Any] = dict.fromkeys(keys, True)
    everything |= dict.fromkeys(("battery", "linkquality", "illuminance", "volume", "flow"), 1)
    assert all(DEVICE_TYPES[device_type].metric(name) for name in read_metrics(device_type, everything))


@pytest.mark.parametrize(
    ("topic", "meaning"),
    [
        ("z/0x847127fffe0542eb", Topic("device", "0x847127fffe0542eb")),
        ("z/Smoke RIGHT", Topic("device", "Smoke RIGHT")),
        ("z/3-1-502/smoke", Topic("device", "3-1-502/smoke")),
        ("z/3-1-502/smoke/availability", Topic("availability", "3-1-502/smoke")),
        ("z/availability", Topic("device", "availability")),
        ("z/bridge/state", Topic("bridge-state")),
        ("z/bridge/devices", Topic("bridge-devices")),
        ("z/bridge/logging", Topic("other")),
        ("z/siren-3/set", Topic("other")),
        ("z/siren-3/set/warning", Topic("other")),
        ("z/siren-3/get", Topic("other")),
        ("z/", Topic("other")),
        ("zz/siren-3", Topic("other")),
    ],
)
def test_topics(topic: str, meaning: Topic) -> None:
    assert read_topic("z", topic) == meaning


@pytest.mark.parametrize(
    ("payload", "online"),
    [(b"online", True), (b"offline", False), (b'{"state":"online"}', True), (b'{"state": "offline"}', False)],
)
def test_availability_plain_and_as_json(payload: bytes, online: bool) -> None:
    assert read_availability("t", payload) is online


@pytest.mark.parametrize("payload", [b"", b"perhaps", b"{", b'{"state": 1}', b"\xff"])
def test_availability_that_says_nothing(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_availability("t", payload)


def test_the_devices_of_the_bridge() -> None:
    rows = [{"type": "Coordinator", "friendly_name": "Coordinator"}, {"friendly_name": "a"}, {"type": "Router"}, 5]
    assert read_devices("t", json.dumps(rows).encode()) == (Row(name="a"),)
    with pytest.raises(ProtocolError):
        read_devices("t", b"{}")


def test_no_json_object() -> None:
    for payload in (b"", b"[]", b"null", b'"', b"[" * 100_000):
        with pytest.raises(ProtocolError) as wrong:
            read_payload("z/a", payload)
        assert "z/a" in str(wrong.value)


def test_the_command_for_a_siren() -> None:
    assert json.loads(siren_command(Siren(), True, 600)) == {
        "warning": {"mode": "emergency", "level": "very_high", "strobe": True, "duration": 600}
    }
    assert json.loads(siren_command(Siren(), False, 600))["warning"]["mode"] == "stop"
    by_state = Siren(key="alarm", on="ON", off="OFF", longest_s=380)
    assert json.loads(siren_command(by_state, True, 600)) == {"duration": 380, "alarm": "ON"}
    assert json.loads(siren_command(by_state, False, 600)) == {"alarm": "OFF"}
    assert json.loads(siren_command(Siren(key="alarm"), True, 600)) == {"alarm": True}


@pytest.mark.parametrize(("closes", "opens"), [("OFF", "ON"), ("ON", "OFF"), ("CLOSE", "OPEN")])
def test_what_closes_a_valve_is_told_as_closed(closes: Closes, opens: str) -> None:
    assert json.loads(valve_command(True, closes)) == {"state": closes}
    assert json.loads(valve_command(False, closes)) == {"state": opens}
    for state, closed in ((closes, True), (opens, False)):
        assert read_metrics("valve", upright({"state": state}, closes)) == {"valve-closed": closed}


def binary(name: str, access: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "binary", "property": name, "access": access, "value_on": True, "value_off": False} | more


def number(name: str, access: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "numeric", "property": name, "access": access} | more


def listed(exposes: list[dict[str, Any]], description: str = "") -> Row:
    definition = {"vendor": "V", "model": "M", "description": description, "exposes": exposes}
    row = {"friendly_name": "a", "ieee_address": "0x00158d0001d64498", "definition": definition}
    (found,) = read_devices("t", json.dumps([row]).encode())
    return found


def action(*values: str) -> dict[str, Any]:
    return {"type": "enum", "property": "action", "access": 1, "values": list(values)}


@pytest.mark.parametrize(
    ("exposes", "description", "device_type"),
    [
        ([binary("smoke"), binary("alarm", 3)], "", "smoke"),  # Tuya TS0601_smoke_5 has a siren of its own
        ([binary("smoke_alarm_1"), {"type": "composite", "property": "warning"}], "", "smoke"),  # Sunricher
        ([binary("water_leak_alarm_1"), binary("water_leak_alarm_2")], "", "water-leak"),  # BlitzWolf BW-IS9
        ([binary("gas"), binary("tamper")], "Combustible gas sensor", "gas-detector"),  # Heiman HS1CG
        ([binary("carbon_monoxide"), binary("alarm"), binary("test")], "CO alarm", "gas-detector"),  # FireAngel
        ([number("gas", unit="m³")], "Gas counter", ""),
        ([binary("presence"), number("illuminance")], "Human presence sensor", "motion"),
        ([binary("alarm"), binary("tamper")], "Door & window sensor", ""),  # IMOU ZD1-EN tells of an alarm only
        ([binary("alarm", 3), number("volume")], "", "siren"),  # Tuya TS0216: the volume is its loudness
        ([{"type": "enum", "property": "volume", "values": ["low", "high"]}], "Module for locks", ""),
        ([number("water_consumed", unit="m³")], "Ultrasonic water meter", "water-meter"),
        ([number("water_consumed", unit="L"), binary("state", 7)], "Irrigation valve", ""),
        ([binary("sos"), binary("tamper")], "Panic button", "sos-button"),  # OWON PB206
        ([action("single", "double", "hold")], "Smart emergency button", "sos-button"),  # Heiman HS1EB
        ([action("single", "double", "hold")], "Wireless switch", "button"),
        ([action("arm_all_zones", "emergency")], "Remote", "sos-button"),
    ],
)
def test_what_a_device_is_taken_for(exposes: list[dict[str, Any]], description: str, device_type: str) -> None:
    assert listed(exposes, description).type == device_type


def test_how_a_siren_is_switched_stands_in_what_it_exposes() -> None:
    warning = {"type": "composite", "property": "warning", "access": 2}
    timed = number("duration", 3, unit="s", value_max=1800)
    assert listed([warning, binary("alarm")]).siren == Siren()
    assert listed([warning, number("max_duration", 7)]).siren == Siren(tells=False, asked="max_duration")
    assert listed([warning]).siren == Siren(tells=False)
    assert listed([binary("alarm", 3), timed]).siren == Siren(key="alarm", longest_s=1800)
    by_word = binary("alarm", 3, value_on="ON", value_off="OFF")
    minutes = number("duration", 3, unit="min", value_max=60)
    assert listed([by_word, minutes]).siren == Siren(key="alarm", on="ON", off="OFF")
    assert listed([binary("smoke")]).siren is None
    assert listed([]).address == "0x00158d0001d64498"


def test_a_press_of_a_button_that_is_there_for_help_calls_for_it() -> None:
    for word in ("single", "hold", "emergency"):
        (event,) = happened({"action": word})
        assert event.data == {"action": word}
    for word in ("disarm", "arm_all_zones", "off", "release"):
        assert happened({"action": word}) == []


def test_a_call_that_lasts_is_one() -> None:
    calling = {"sos": True, "tamper": False, "battery_low": False}
    (event,) = happened(calling)
    assert event.data == {"action": "sos"}
    assert happened(calling, called=True) == []
    assert happened(calling, retained=True) == []
    assert happened({"sos": False}) == []


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "sos",
        "gas",
        "smoke_state",
        "battery_state",
        "state",
        "smoke",
        "alarm",
        "warning",
        "battery",
        "volume",
        "action",
        "last_seen",
        "contact",
    ]
)


@given(st.sampled_from(TYPES), st.dictionaries(KEYS, PLAIN, max_size=6))
def test_no_payload_breaks_the_reader(device_type: str, payload: dict[str, Any]) -> None:
    at_ms = observed_at(payload.get("last_seen"), NOW)
    assert NOW - 8 * 86_400_000 < at_ms <= NOW
    observations("d", device_type, upright(payload, "ON"), at_ms=at_ms)
