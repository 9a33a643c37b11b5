"""Captures as tcpdump, Wireshark and libosdp write them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.modbus.explain import decode_modbus
from protocols.osdp import decode_osdp
from protocols.pcap import connections, is_capture

ASKED = bytes.fromhex("0001 0000 0006 01 03 0000 0002")
ANSWERED = bytes.fromhex("0001 0000 0007 01 03 04 000A0014")
PLC, MASTER = (b"\x0a\x00\x00\x02", 502), (b"\x0a\x00\x00\x01", 40_000)
End = tuple[bytes, int]


def tcp(source: End, target: End, sequence: int, data: bytes) -> bytes:
    head = struct.pack(">HHIIBBHHH", source[1], target[1], sequence, 0, 0x50, 0x18, 1000, 0, 0)
    size = 20 + len(head) + len(data)
    return struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0x4000, 64, 6, 0) + source[0] + target[0] + head + data


def ethernet(packet: bytes, tag: bytes = b"") -> bytes:
    """With the padding of a short frame."""
    return (bytes(12) + tag + b"\x08\x00" + packet).ljust(60, b"\x00")


def pcap(packets: list[bytes], link: int = 1, order: str = "<") -> bytes:
    head = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, link)
    return head + b"".join(struct.pack(f"{order}IIII", 5, 6, len(p), len(p)) + p for p in packets)


def pcapng(packets: list[bytes], link: int = 1) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    found = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", link, 0, 0))
    return found + b"".join(block(6, struct.pack("<5I", 0, 0, 5, len(p), len(p)) + p) for p in packets)


TALK = [
    tcp(MASTER, PLC, 100, ASKED),
    tcp(MASTER, PLC, 100, ASKED),  # sent twice
    tcp(PLC, MASTER, 900, ANSWERED[:6]),
    tcp(PLC, MASTER, 906, ANSWERED[6:]),
    tcp(MASTER, PLC, 112, b""),
]


def registers(document: dict[str, Any]) -> list[Any]:
    assert document["ok"], document["findings"]
    return [(frame["line"], frame["direction"], frame.get("registers")) for frame in document["frames"]]


@pytest.mark.parametrize(
    "capture",
    [
        pcap([ethernet(packet) for packet in TALK]),
        pcap([ethernet(packet, b"\x81\x00\x00\x05") for packet in TALK], order=">"),
        pcap(TALK, link=101),
        pcap([bytes(14) + b"\x08\x00" + packet for packet in TALK], link=113),
        pcapng([ethernet(packet) for packet in TALK]),
    ],
    ids=["ethernet", "vlan", "raw", "cooked", "pcapng"],
)
def test_modbus_in_a_capture_of_the_network(capture: bytes) -> None:
    assert is_capture(capture)
    assert registers(decode_modbus(capture)) == [(1, "request", None), (1, "reply", [10, 20])]


def test_other_connections_are_left_out_and_each_is_by_itself() -> None:
    web = tcp((b"\x0a\x00\x00\x01", 41_000), (b"\x0a\x00\x00\x09", 80), 5, b"GET / HTTP/1.1\r\n\r\n")
    other = tcp((b"\x0a\x00\x00\x03", 40_000), PLC, 7, ASKED)
    capture = pcap([ethernet(packet) for packet in [TALK[0], web, other, *TALK[2:]]])
    assert len(connections(capture)) == 3
    assert [line for line, _, _ in registers(decode_modbus(capture))] == [1, 1, 2]


def test_an_osdp_capture_of_libosdp() -> None:
    poll = bytes.fromhex("FF5300080006608 9CC".replace(" ", ""))
    document = decode_osdp(pcap([poll, poll[1:]], link=162))
    assert [(frame["line"], frame["name"]) for frame in document["frames"]] == [(1, "POLL"), (2, "POLL")]
    assert document["ok"]


@given(st.binary(max_size=300), st.sampled_from([pcap([]), pcapng([]), pcap(TALK, 101)]))
def test_no_bytes_break_the_reader(data: bytes, head: bytes) -> None:
    decode_modbus(head + data)
    decode_osdp(head + data)
