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
    Topic,
    observations,
    read_availability,
    read_devices,
    read_metrics,
    read_payload,
    read_topic,
    upright,
    valve_command,
    warning_command,
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
    assert json.loads(warning_command(True, 600)) == {
        "warning": {"mode": "emergency", "level": "very_high", "strobe": True, "duration": 600}
    }
    assert json.loads(warning_command(False, 600))["warning"]["mode"] == "stop"


@pytest.mark.parametrize(("closes", "opens"), [("OFF", "ON"), ("ON", "OFF"), ("CLOSE", "OPEN")])
def test_what_closes_a_valve_is_told_as_closed(closes: Closes, opens: str) -> None:
    assert json.loads(valve_command(True, closes)) == {"state": closes}
    assert json.loads(valve_command(False, closes)) == {"state": opens}
    for state, closed in ((closes, True), (opens, False)):
        assert read_metrics("valve", upright({"state": state}, closes)) == {"valve-closed": closed}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["state", "smoke", "alarm", "warning", "battery", "volume", "action", "last_seen", "contact"])


@given(st.sampled_from(TYPES), st.dictionaries(KEYS, PLAIN, max_size=6))
def test_no_payload_breaks_the_reader(device_type: str, payload: dict[str, Any]) -> None:
    at_ms = observed_at(payload.get("last_seen"), NOW)
    assert NOW - 8 * 86_400_000 < at_ms <= NOW
    observations("d", device_type, upright(payload, "ON"), at_ms=at_ms)
