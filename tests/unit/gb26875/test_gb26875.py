"""GB/T 26875.3: the published frame byte for byte, every object type, what makers do differently, acknowledgements."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from protocols.errors import ProtocolError
from protocols.gb26875 import (
    ACK,
    OBJECTS,
    REPLY,
    SEND,
    Frame,
    answer,
    decode_gb26875,
    encode,
    label,
    parse,
    take,
    time_bytes,
)

SEEN = (Path(__file__).parents[2] / "cases" / "gb26875" / "seen-in-the-field.txt").read_text("utf-8").splitlines()
NOW = datetime(2026, 7, 22, 18, 30, 59)  # noqa: DTZ001 - local time of a panel
TIME = time_bytes(NOW)


def seen(number: int) -> bytes:
    return bytes.fromhex(SEEN[number].partition("|")[0])


def sent(kind: int, count: int, body: bytes) -> dict[str, Any]:
    frame = Frame(sequence=7, command=SEND, time=TIME, source=0x010203040506, data=bytes([kind, count]) + body)
    document = decode_gb26875(encode(frame))
    assert document["frames"], document
    return document


def codes(document: dict[str, Any]) -> set[str]:
    return {finding["code"].rpartition(".")[2] for finding in document["findings"]}


def test_frames_from_the_field() -> None:
    good, bad = decode_gb26875(seen(0)), decode_gb26875(seen(1))
    assert good["ok"]
    (told,) = good["frames"][0]["objects"]
    assert told["system_type_name"] == "fire alarm system"
    assert (told["system_address"], told["component_type"], told["component_address"]) == (3, 0, 0x000600D9)
    assert told["state"] == ["fire"]
    assert told["text"] == "Ａ区１层呷哺走廊"
    assert told["time"] == "2020-08-01T19:18:48"
    assert good["frames"][0]["destination"] == "010203040506"
    assert codes(good) == {"test-bit"}
    assert not bad["ok"]
    errors = [finding for finding in bad["findings"] if finding["level"] == "error"]
    assert [finding["params"] for finding in errors] == [{"expected": "44", "computed": "53"}]


def test_published_bytes() -> None:
    frame = parse(seen(0))
    assert encode(frame) == seen(0)
    assert take(b"xx" + seen(0) + b"@") == (2 + len(seen(0)), frame)
    assert take(seen(0)[:40]) == (0, None)


def test_an_acknowledgement_returns_the_number_to_the_sender() -> None:
    frame = Frame(sequence=0x0201, command=SEND, time=bytes(6), source=6, destination=9, data=b"\x02\x00")
    raw = encode(answer(frame, ACK, NOW))
    assert raw.hex(" ") == ("40 40 01 02 01 01 3b 1e 12 16 07 1a 09 00 00 00 00 00 06 00 00 00 00 00 00 00 03 b9 23 23")
    assert decode_gb26875(raw)["ok"]
    assert answer(frame, REPLY, NOW, b"\x1c\x01").data == b"\x1c\x01"


COMPONENT = bytes([1, 2, 42, 5, 0, 3, 0])
FULL: dict[int, tuple[bytes, dict[str, Any]]] = {
    1: (bytes([1, 2]) + b"\x03\x01" + TIME, {"state": ["normal", "fire", "mains-fault"], "time": NOW.isoformat()}),
    2: (
        COMPONENT + b"\x05\x01" + "三层西".encode("gb18030").ljust(31, b"\0") + TIME,
        {
            "state": ["normal", "fault", "power-fault"],
            "text": "三层西",
            "component_type_name": "optical smoke detector",
        },
    ),
    3: (
        COMPONENT + b"\x03" + (-105).to_bytes(2, "little", signed=True) + TIME,
        {"values": [{"name": "temperature", "type": 3, "raw": -105, "value": -10.5, "unit": "°C"}]},
    ),
    4: (bytes([1, 2, 0b101, 9]) + TIME, {"operation": ["reset", "manual-alarm"], "operator": 9}),
    5: (bytes([1, 2, 3, 4]), {"version": "3.4"}),
    6: (bytes([1, 2, 4]) + "配置".encode("gb18030"), {"text": "配置"}),
    7: (COMPONENT + b"A".ljust(31, b"\0"), {"text": "A", "component_address": 0x00030005}),
    8: (bytes([1, 2]) + TIME, {"time": NOW.isoformat()}),
    21: (bytes([0b1100001]) + TIME, {"state": ["normal", "link-fault", "line-fault"]}),
    24: (bytes([0b100000, 1]) + TIME, {"operation": ["guard-answer"], "operator": 1}),
    25: (bytes([1, 7]), {"version": "1.7"}),
    26: (bytes([2]) + b"ok", {"text": "ok"}),
    28: (TIME, {"time": NOW.isoformat()}),
    61: (bytes([1, 2]), {"system_address": 2}),
    62: (bytes([1, 2, 5, 0, 3, 0]), {"component_address": 0x00030005}),
    63: (bytes([1, 2, 5, 0, 3, 0]), {"component_address": 0x00030005}),
    64: (bytes([1, 2, 3]) + TIME, {"count": 3, "time": NOW.isoformat()}),
    65: (bytes([1, 2]), {"system_type": 1}),
    66: (bytes([1, 2]), {"system_type": 1}),
    67: (bytes([1, 2, 5, 0, 3, 0]), {"component_address": 0x00030005}),
    68: (bytes([1, 2]), {"system_type": 1}),
    81: (bytes([0]), {"reserved": 0}),
    84: (bytes([5]) + TIME, {"count": 5}),
    85: (bytes([0]), {}),
    86: (bytes([0]), {}),
    88: (bytes([0]), {}),
    89: (bytes([0]), {}),
    90: (TIME, {"time": NOW.isoformat()}),
    91: (bytes([10]), {"within_minutes": 10}),
}


@pytest.mark.parametrize("kind", sorted(OBJECTS))
def test_every_object_type(kind: int) -> None:
    body, wanted = FULL[kind]
    for count in (1, 2):
        document = sent(kind, count, body * count)
        assert document["ok"]
        assert not document["findings"]
        (frame,) = document["frames"]
        assert frame["type_name"] == label("type", kind)
        assert frame["type_name"]
        assert len(frame["objects"]) == count
        for told in frame["objects"]:
            assert {key: told[key] for key in wanted} == wanted


def test_names_in_both_languages() -> None:
    assert label("component", 42) == "optical smoke detector"
    assert label("component", 42, "zh-CN") == "点型光电感烟火灾探测器"
    assert label("component", 200) is None


@pytest.mark.parametrize(
    ("kind", "count", "body", "code"),
    [
        (1, 2, bytes([1, 2, 1, 0]) * 2, "no-time"),
        (5, 1, bytes([1, 2, 3, 4]) + TIME, "added-time"),
        (2, 1, COMPONENT, "object-size"),
        (8, 1, bytes([1, 2]) + TIME + b"\0", "after-objects"),
        (8, 1, bytes([1, 2]) + bytes.fromhex("593018220726"), "time-decimal"),
        (8, 1, bytes([1, 2]) + b"\xff" * 6, "bad-time"),
        (130, 1, b"abc", "unknown-type"),
        (1, 1, bytes([99, 2, 1, 0]) + TIME, "system-type"),
        (3, 1, COMPONENT + b"\x63\x01\x00" + TIME, "analog-type"),
        (6, 1, bytes([1, 2, 9]) + b"ab", "object-short"),
        (7, 1, COMPONENT + b"\xff\xff\xff\xff\xff".ljust(31, b"x"), "text"),
    ],
)
def test_what_makers_do_differently(kind: int, count: int, body: bytes, code: str) -> None:
    assert code in codes(sent(kind, count, body))


def test_a_text_whose_last_character_is_cut_is_no_deviation() -> None:
    text = "一二三四五六七八九十一二三四五六".encode("gb18030")[:31]
    document = sent(7, 1, COMPONENT + text)
    assert not document["findings"]
    assert document["frames"][0]["objects"][0]["text"] == "一二三四五六七八九十一二三四五"


def test_a_length_high_byte_first_is_read_and_answered_alike() -> None:
    frame = Frame(sequence=1, command=SEND, time=TIME, data=bytes([8, 1, 1, 2]) + TIME, big_length=True)
    raw = encode(frame)
    assert raw[24:26] == b"\x00\x0a"
    assert codes(decode_gb26875(raw)) == {"length-order"}
    assert answer(parse(raw), ACK, NOW).big_length


def test_keep_alives_versions_and_commands_of_makers() -> None:
    frame = Frame(sequence=1, command=SEND, time=TIME, version=(16, 0))
    assert codes(decode_gb26875(encode(frame))) == {"heartbeat", "version"}
    assert codes(decode_gb26875(encode(Frame(sequence=1, command=200, time=TIME)))) == {"user-command"}
    assert codes(decode_gb26875(encode(Frame(sequence=1, command=7, time=TIME)))) == {"reserved-command"}


def test_what_cannot_be_written_or_read() -> None:
    for frame in (Frame(sequence=1, command=2, time=TIME, data=bytes(1025)), Frame(sequence=1, command=2, time=b"")):
        with pytest.raises(ProtocolError):
            encode(frame)
    for raw in (b"", b"@@", seen(0)[:-1]):
        with pytest.raises(ProtocolError):
            parse(raw)
