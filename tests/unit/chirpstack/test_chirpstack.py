"""ChirpStack's events and the payloads of its devices, as they stand in the makers' documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.catalog import DEVICE_TYPES
from protocols.chirpstack import (
    CODECS,
    OBJECT,
    LoraEvent,
    ObjectPick,
    Topic,
    decode_chirpstack,
    guess,
    read_event,
    read_topic,
    status,
    type_of,
    uplink,
)
from protocols.chirpstack.codecs import decode
from protocols.chirpstack.events import KINDS, EventKind
from protocols.errors import ProtocolError
from protocols.events import Event, Reading

CASES = Path(__file__).parents[2] / "cases" / "chirpstack"
PAYLOADS = [json.loads(line) for line in (CASES / "payloads.jsonl").read_text("utf-8").splitlines()]
EVENTS = [json.loads(line) for line in (CASES / "events.jsonl").read_text("utf-8").splitlines()]
EUI = "24e124535c378901"


def event(index: int) -> LoraEvent:
    row = EVENTS[index]
    topic = read_topic("", row["topic"])
    assert topic is not None
    return read_event(topic.kind, json.dumps(row["payload"]).encode(), row["topic"])


def of(codec: str, data: bytes, port: int = 85) -> LoraEvent:
    return LoraEvent(kind="up", dev_eui=EUI, port=port, data=data)


@pytest.mark.parametrize("case", PAYLOADS, ids=[f"{row['codec']} {row['data']}" for row in PAYLOADS])
def test_payloads(case: dict[str, Any]) -> None:
    data, codec = bytes.fromhex(case["data"]), case["codec"]
    told = uplink("d", type_of(codec), codec, (), of(codec, data), 5)
    assert {one.metric: one.value for one in told if isinstance(one, Reading)} == case["metrics"]
    assert [[one.kind, one.data["press"]] for one in told if isinstance(one, Event)] == case["events"]
    found = decode(codec, 85, data)
    assert [code for _, code, _ in found.findings] == case.get("findings", [])
    assert found.about == case.get("about", {})
    assert all(one.at_ms == 5 for one in told)


def test_every_codec_has_a_case_and_its_metrics_are_the_catalogues() -> None:
    assert {row["codec"] for row in PAYLOADS} >= set(CODECS) - {OBJECT, "milesight-ws203", "milesight-em320-th"} - {
        "milesight-em300-zld"
    }
    for row in PAYLOADS:
        kind = DEVICE_TYPES[type_of(row["codec"])]
        assert all(kind.metric(name) is not None for name in row["metrics"])


def test_an_uplink() -> None:
    up = event(0)
    assert (up.dev_eui, up.port, up.count, up.data) == (EUI, 85, 5, b"\xff\x2e\x01")
    assert (up.rssi, up.snr) == (-90, 0.0), "the gateway that heard it best; its snr of 0 was left out"
    assert guess(up) == "milesight-ws101-sos"
    told = uplink("sos", "sos-button", "milesight-ws101-sos", (), up, 7)
    assert [one.kind for one in told if isinstance(one, Event)] == ["sos"]
    assert [(one.metric, one.value) for one in told if isinstance(one, Reading)] == [("linkquality", 128)]


@pytest.mark.parametrize(
    ("gateways", "heard"),
    [
        ([{"rssi": -90}, {"snr": 9.5}], (-90, 0.0)),
        ([{"rssi": -90, "snr": -3}, {"rssi": -80, "snr": 2.5}, {"rssi": 0, "snr": 9}, {"rssi": 5000}], (-80, 2.5)),
        ([{"snr": 9.5}, {"rssi": "-70"}, "x"], (None, None)),
    ],
)
def test_a_radio_gateway_that_gives_no_rssi_has_not_heard_it_best(
    gateways: list[object], heard: tuple[int | None, float | None]
) -> None:
    said = read_event("up", json.dumps({"deviceInfo": {"devEui": EUI}, "rxInfo": gateways}).encode())
    assert (said.rssi, said.snr) == heard


def test_what_is_left_out_has_its_default() -> None:
    empty = read_event("up", json.dumps({"deviceInfo": {"devEui": EUI}}).encode())
    assert (empty.port, empty.data, empty.object, empty.rssi) == (0, b"", {}, None)
    battery = [(one.metric, one.value) for one in status("d", "sos-button", event(1), 1) if isinstance(one, Reading)]
    assert battery == [("battery", 0.0), ("battery-low", True)], "a level that is left out is an empty battery"
    for unknown in ("batteryLevelUnavailable", "externalPowerSource"):
        said = read_event("status", json.dumps({"deviceInfo": {"devEui": EUI}, unknown: True}).encode())
        assert status("d", "sos-button", said, 1) == []


def test_a_payload_on_another_port_is_not_the_makers() -> None:
    assert uplink("d", "sos-button", "milesight-ws101-sos", (), of("", b"\xff\x2e\x01", port=2), 1) == []


def test_the_object_of_chirpstacks_own_codec() -> None:
    picks = (
        ObjectPick(path="/distance", metric="level", unit="mm", scale=-1, offset=3000),
        ObjectPick(path="/state/0", metric="battery-low", on=("low",)),
        ObjectPick(path="/missing", metric="battery"),
    )
    said = LoraEvent(kind="up", dev_eui=EUI, object={"distance": "1250", "state": ["LOW"]}, rssi=-60)
    told = uplink("tank", "water-level", OBJECT, picks, said, 1)
    shown = {one.metric: (one.value, one.quality) for one in told if isinstance(one, Reading)}
    assert shown == {"level": (1.75, "good"), "battery-low": (True, "good"), "linkquality": (255, "good")}
    odd = uplink("tank", "water-level", OBJECT, picks, LoraEvent(kind="up", dev_eui=EUI, object={"distance": {}}), 1)
    assert [(one.value, one.quality) for one in odd if isinstance(one, Reading)] == [(None, "bad")]


@pytest.mark.parametrize(
    ("topic", "wanted"),
    [
        (f"application/1/device/{EUI.upper()}/event/up", Topic("1", EUI, "up")),
        (f"eu868/application/1/device/{EUI}/event/up", None),
        (f"application/1/device/{EUI}/command/down", None),
        (f"application/1/device/{EUI}/event/elsewhere", None),
        (f"application/1/device/{EUI[1:]}/event/up", None),
        ("", None),
    ],
)
def test_topics(topic: str, wanted: Topic | None) -> None:
    assert read_topic("", topic) == wanted
    assert read_topic("eu868/", "eu868/" + topic) == wanted
    assert set(KINDS) == set(get_args(EventKind))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x0a$3ac7e3c4",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"deviceInfo": {"devEui": "x"}}',
        json.dumps({"deviceInfo": {"devEui": EUI}, "data": "!"}).encode(),
        json.dumps({"deviceInfo": {"devEui": EUI}, "data": 5}).encode(),
        json.dumps({"deviceInfo": {"devEui": EUI}, "data": "AAAA" * 100}).encode(),
    ],
)
def test_what_is_no_event_says_so(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as wrong:
        read_event("up", payload, "where")
    assert "where" in str(wrong.value)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["fPort", "fCnt", "object", "rxInfo", "batteryLevel", "time", "deduplicationId", "level"])


@given(st.dictionaries(KEYS, PLAIN, max_size=6), st.sampled_from(KINDS))
def test_no_event_breaks_the_reader(body: dict[str, Any], kind: EventKind) -> None:
    said = read_event(kind, json.dumps({"deviceInfo": {"devEui": EUI}, **body}).encode())
    uplink("d", "water-level", OBJECT, (ObjectPick(path="/a", metric="level"),), said, 1)
    status("d", "smoke", said, 1)
    json.dumps(decode_chirpstack(json.dumps(body).encode()))


@given(st.sampled_from([codec for codec in CODECS if codec != OBJECT]), st.binary(max_size=60))
def test_no_payload_breaks_a_codec(codec: str, data: bytes) -> None:
    kind = DEVICE_TYPES[type_of(codec)]
    for one in uplink("d", kind.code, codec, (), of(codec, data), 1):
        assert isinstance(one, Event) or kind.metric(one.metric) is not None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_explainer(data: bytes) -> None:
    document = decode_chirpstack(data)
    json.dumps(document)
    assert document["ok"] == (not any(found["level"] == "error" for found in document["findings"]))


def test_explained_line_by_line() -> None:
    lines = "\n".join(f"{row['topic']} {json.dumps(row['payload'])}" for row in EVENTS)
    document = decode_chirpstack(lines.encode())
    assert document["ok"]
    assert [frame["event"] for frame in document["frames"]] == ["up", "status", "join"]
    first = document["frames"][0]
    assert (first["codec"], first["events"]) == ("milesight-ws101-sos", [{"kind": "sos", "press": "short"}])
    alone = decode_chirpstack(json.dumps(EVENTS[1]["payload"], indent=1).encode())
    assert [frame["event"] for frame in alone["frames"]] == ["status"], "by its fields, where no topic says it"


OLD = {"applicationID": "2", "applicationName": "doors", "deviceName": "WS301 door", "devEUI": EUI}
"""What version 3 says of a device."""


@pytest.mark.parametrize("eui", [EUI, EUI.upper(), "JOEkU1w3iQE="])
def test_an_uplink_of_version_3(eui: str) -> None:
    heard = [{"gatewayID": "70b3d5fffe000001", "rssi": -97, "loRaSNR": 8.2}]
    more = {"rxInfo": heard, "fCnt": 261, "fPort": 85, "data": "AXVkAwAB", "objectJSON": '{"open": true}'}
    found = read_event("up", json.dumps(OLD | more | {"devEUI": eui, "publishedAt": "2021-05-01T10:00:00Z"}).encode())
    assert (found.dev_eui, found.name, found.application) == (EUI, "WS301 door", "doors")
    assert (found.rssi, found.snr, found.count, found.object) == (-97, 8.2, 261, {"open": True})
    assert (found.time, guess(found)) == ("2021-05-01T10:00:00Z", "milesight-ws301")


def test_the_other_events_of_version_3() -> None:
    refused = read_event("log", json.dumps(OLD | {"type": "OTAA", "error": "invalid MIC"}).encode())
    assert (refused.level, refused.code, refused.text) == ("ERROR", "OTAA", "invalid MIC")
    assert read_event("status", json.dumps(OLD | {"margin": 6, "batteryLevel": 75.3}).encode()).battery == 75.3
    assert read_topic("", f"application/2/device/{EUI}/rx") == Topic("2", EUI, "up")
    assert read_topic("", f"application/2/device/{EUI}/event/error") == Topic("2", EUI, "log")
    assert read_topic("", f"application/2/device/{EUI}/command/down") is None


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"downlinkId": 3, "queueItemId": "q", "gatewayId": "g"}, "txack"),
        ({"queueItemId": "q", "acknowledged": True}, "ack"),
        ({"queueItemId": "q"}, "ack"),
        ({"location": {"latitude": 1}}, "location"),
        ({"integrationName": "loracloud", "eventType": "x"}, "integration"),
        ({"level": "ERROR", "description": "no"}, "log"),
        ({"margin": 3}, "status"),
        ({"devAddr": "01020304"}, "join"),
        ({"fCnt": 5}, "up"),
    ],
)
def test_which_event_it_is_without_its_topic(more: dict[str, Any], kind: str) -> None:
    (frame,) = decode_chirpstack(json.dumps({"deviceInfo": {"devEui": EUI}} | more).encode())["frames"]
    assert frame["event"] == kind


def test_documents_one_behind_the_other_and_in_an_array() -> None:
    two = [{"deviceInfo": {"devEui": EUI}, "fCnt": 1}, {"deviceInfo": {"devEui": EUI}, "fCnt": 2}]
    behind = "\n\n".join(json.dumps(one, indent=2) for one in two).encode()
    document = decode_chirpstack(behind)
    assert [frame["fCnt"] for frame in document["frames"]] == [1, 2]
    assert document["frames"][1]["at"] == behind.index(b"{", behind.index(b"}\n\n"))
    assert [frame["fCnt"] for frame in decode_chirpstack(json.dumps(two).encode())["frames"]] == [1, 2]
    half = decode_chirpstack(behind[:-1])
    assert not half["ok"]
