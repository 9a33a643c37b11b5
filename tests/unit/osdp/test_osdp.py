"""OSDP: a published capture, published packets byte for byte, what common commands and replies say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols.errors import ProtocolError
from protocols.osdp import COMMANDS, REPLIES, Packet, decode_osdp, encode, parse

CAPTURE = (Path(__file__).parents[2] / "cases" / "osdp" / "sia_1-poll-cycle.osdpcap").read_bytes()


def code(name: str, *, reply: bool) -> int:
    return next(number for number, known in (REPLIES if reply else COMMANDS).items() if known == name)


def says(name: str, data: str, *, reply: bool) -> dict[str, Any]:
    raw = encode(Packet(address=1, reply=reply, sequence=2, code=code(name, reply=reply), data=bytes.fromhex(data)))
    document = decode_osdp(b"\xff" + raw)
    assert document["ok"]
    (frame,) = document["frames"]
    assert (frame["name"], frame["at"], frame["raw"]) == (name, 1, raw.hex().upper())
    told = frame["says"]
    assert isinstance(told, dict)
    return told


def test_a_capture_of_sixteen_packets() -> None:
    document = decode_osdp(CAPTURE)
    assert document["ok"]
    assert not document["findings"]
    frames = document["frames"]
    assert [frame["line"] for frame in frames] == list(range(1, 17))
    assert [frame["name"] for frame in frames[:4]] == ["POLL", "LSTATR", "POLL", "ACK"]
    assert frames[0]["time"] == "2023-08-27T20:23:06.033907+00:00"
    assert {frame["io"] for frame in frames} == {"in", "out"}
    assert frames[1]["says"] == {"tamper": False, "power_fault": True}
    for frame in frames:
        assert encode(parse(bytes.fromhex(frame["raw"]))).hex().upper() == frame["raw"]


def test_a_changed_bit_is_an_error_with_both_checks() -> None:
    document = decode_osdp(CAPTURE.replace(b"60 eb aa", b"61 eb aa", 1))
    assert not document["ok"]
    (finding,) = document["findings"]
    assert (finding["line"], finding["at"]) == (1, 7)
    assert finding["params"] == {"expected": "AAEB", "computed": "BACA"}
    assert document["frames"][0]["ok"] is False


def test_published_bytes() -> None:
    poll = Packet(address=0, reply=False, sequence=0, code=0x60)
    assert encode(poll).hex() == "530008000460ebaa"
    status = Packet(address=0, reply=True, sequence=0, code=0x48, data=b"\x00\x01")
    assert encode(status).hex() == "53800a00044800010fa1"
    summed = encode(Packet(address=0, reply=False, sequence=0, code=0x60, crc=False))
    assert summed.hex() == "53000700006046"
    assert sum(summed) & 0xFF == 0
    assert decode_osdp(summed)["frames"][0]["check"] == "sum"


def test_a_card_is_read_as_wiegand() -> None:
    assert says("RAW", "00 00 1A00 95181CC0", reply=True) == {
        "reader": 0,
        "bits": 26,
        "card_raw": "95181CC0",
        "card": "H10301:42:12345",
        "format": "H10301",
        "facility": 42,
        "number": 12345,
    }
    assert says("RAW", "00 00 FF00 95", reply=True)["card"] is None


@pytest.mark.parametrize(
    ("name", "data", "reply", "wanted"),
    [
        ("NAK", "04", True, {"reason": "unexpected-sequence"}),
        ("KEYPAD", "00 05 31323334 0D", True, {"keys": "1234#", "count": 5}),
        ("FMT", "00 01 05 3132333435", True, {"direction": "forward", "text": "12345"}),
        ("PDID", "5C2623 01 02 D2040000 010203", True, {"vendor": "5C2623", "serial": 1234, "firmware": "1.2.3"}),
        (
            "PDCAP",
            "040201 090101",
            True,
            {
                "capabilities": [
                    {"name": "led", "level": 2, "count": 1},
                    {"name": "secure-channel", "level": 1, "count": 1},
                ]
            },
        ),
        ("ISTATR", "000100", True, {"inputs": [0, 1, 0]}),
        ("COM", "05 80250000", True, {"new_address": 5, "baud": 9600}),
        ("BUZ", "00 02 02 01 03", False, {"tone": "default", "on_s": 0.2, "off_s": 0.1, "times": 3}),
        ("OUT", "00 05 3200", False, {"outputs": [{"output": 0, "action": 5, "for_s": 5.0}]}),
        ("TEXT", "00 01 00 01 01 02 4849", False, {"text": "HI"}),
        ("KEYSET", "01 10 00112233", False, {"key_type": 1, "key_bytes": 16}),
        ("KEEPACTIVE", "E803", False, {"milliseconds": 1000}),
        ("MFG", "5C2623 01", False, {"vendor": "5C2623", "body": "01"}),
    ],
)
def test_what_payloads_say(name: str, data: str, reply: bool, wanted: dict[str, Any]) -> None:
    told = says(name, data, reply=reply)
    assert {key: told[key] for key in wanted} == wanted


def test_leds() -> None:
    (led,) = says("LED", "00 00 02 05 05 01 00 3200 01 01 00 02 02", reply=False)["leds"]
    assert led["temporary"] == {"action": "set", "on_s": 0.5, "off_s": 0.5, "on": "red", "off": "off", "for_s": 5.0}
    assert led["permanent"] == {"on_s": 0.1, "off_s": 0.0, "on": "green", "off": "green"}


def test_a_secure_packet_keeps_its_secrets() -> None:
    packet = Packet(
        address=1,
        reply=False,
        sequence=3,
        code=0x69,
        data=bytes(16),
        security=b"\x17",
        mac=b"\xaa\xbb\xcc\xdd",
    )
    (frame,) = decode_osdp(encode(packet))["frames"]
    assert frame["security"] == {"type": "17", "name": "SCS_17 command, MAC and encryption", "encrypted": True}
    assert frame["data"] == "00" * 16
    assert "says" not in frame
    assert parse(encode(packet)).mac == packet.mac


def test_lines_that_are_no_record() -> None:
    document = decode_osdp(CAPTURE.splitlines()[0] + b"\n{not json\n" + b'{"data": "zz"}\n{"data": 3}\n')
    assert not document["ok"]
    assert [finding["line"] for finding in document["findings"]] == [2, 3, 4]
    assert len(document["frames"]) == 1


def record(data: str, io: str = "trace") -> str:
    return json.dumps({"timeSec": "1689599213", "timeNano": "141793300", "io": io, "data": data})


def test_records_with_hyphens_and_packets_in_parts() -> None:
    poll, identity = "FF-53-00-08-00-06-60-89-CC", "53 80 14 00 06 45 00 0E E3 10 10 00 00 74 97 23 06 06 1B 88"
    parts = [identity[:17], identity[18:35], identity[36:]]
    lines = [record(poll, "output"), *(record(part, "input") for part in parts), record(poll, "output")]
    document = decode_osdp("\n".join(lines).encode())
    assert document["ok"]
    assert [(frame["line"], frame["name"]) for frame in document["frames"]] == [(1, "POLL"), (2, "PDID"), (5, "POLL")]
    cut = decode_osdp("\n".join([record(parts[0]), record(poll), record(parts[0])]).encode())
    assert [frame["name"] for frame in cut["frames"]] == ["POLL"]
    assert [(finding["line"], finding["code"]) for finding in cut["findings"]] == [
        (1, "protocols.capture.cut-short"),
        (3, "protocols.capture.cut-short"),
    ]


def test_letters_that_look_like_a_start_are_noise() -> None:
    document = decode_osdp(b"SOME TEXT WITH MANY S IN IT, SUCH AS SSSSSSSSS")
    assert not document["frames"]
    assert document["findings"][0]["at"] == 0


def test_what_cannot_be_written_or_read() -> None:
    with pytest.raises(ProtocolError):
        encode(Packet(address=1, reply=False, sequence=0, code=0x60, data=bytes(1440)))
    with pytest.raises(ProtocolError):
        parse(b"\x53")
