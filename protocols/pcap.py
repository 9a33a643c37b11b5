"""Packets out of the files that tcpdump and Wireshark write, and what their connections carried. Pure.

Source: the pcap and pcapng file formats (IETF drafts draft-ietf-opsawg-pcap and -pcapng, sections 4 and 5), and the
link types of draft-ietf-opsawg-pcaplinktype. What is cut off or not understood is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MOST_PACKETS: Final = 200_000
_MAGICS: Final = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xa1\xb2\x3c\x4d": ">",
}
_NEXT_GENERATION: Final = b"\x0a\x0d\x0d\x0a"
_ETHERNET, _COOKED, _COOKED_2 = 1, 113, 276
_RAW_IP: Final = frozenset({12, 14, 101, 228, 229})
_LOOPBACK: Final = frozenset({0, 108})
_VLAN: Final = frozenset({0x8100, 0x88A8, 0x9100})
_TCP, _UDP = 6, 17
_HOP_BY_HOP: Final = frozenset({0, 43, 60})

Ends = frozenset[tuple[bytes, int]]


@dataclass(slots=True)
class Connection:
    """What two ends said to one another, in the order of the capture; `ports` are those of both."""

    ports: frozenset[int]
    data: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class _Segment:
    ends: Ends
    source: tuple[bytes, int]
    ports: frozenset[int]
    sequence: int | None
    data: bytes


def is_capture(data: bytes) -> bool:
    """Whether `data` is such a file."""
    return data[:4] in _MAGICS or data[:4] == _NEXT_GENERATION


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The link type and the bytes of each packet."""
    found = _blocks(data) if data[:4] == _NEXT_GENERATION else _records(data)
    for count, packet in enumerate(found):
        if count >= MOST_PACKETS:
            return
        yield packet


def connections(data: bytes) -> list[Connection]:
    """Each TCP connection (and pair of UDP ends) with what it carried, without what was sent twice."""
    found: dict[Ends, Connection] = {}
    expected: dict[tuple[Ends, tuple[bytes, int]], int] = {}
    for link, packet in packets(data):
        segment = _segment(link, packet)
        if segment is None or not segment.data:
            continue
        said = segment.data
        way = (segment.ends, segment.source)
        if segment.sequence is not None:
            known = expected.get(way, segment.sequence)
            again = (known - segment.sequence) & 0xFFFFFFFF
            if 0 < again < 0x80000000:
                said = said[again:]
            if said:
                expected[way] = (segment.sequence + len(segment.data)) & 0xFFFFFFFF
        found.setdefault(segment.ends, Connection(segment.ports)).data.extend(said)
    return list(found.values())


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    order = _MAGICS.get(data[:4], "<")
    if len(data) < 24:
        return
    link = struct.unpack_from(f"{order}I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from(f"{order}I", data, at + 8)[0]
        at += 16 + size
        if at > len(data):
            return
        yield link, data[at - size : at]


def _blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    order, at = "<", 0
    links: list[int] = []
    while at + 12 <= len(data):
        if data[at : at + 4] == _NEXT_GENERATION:
            order, links = ("<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"), []
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if size < 12 or at + size > len(data):
            return
        body = data[at + 8 : at + size - 4]
        if kind == 1 and len(body) >= 2:
            links.append(struct.unpack_from(f"{order}H", body)[0])
        elif kind == 6 and len(body) >= 20:
            place, _, _, there = struct.unpack_from(f"{order}4I", body)
            if place < len(links):
                yield links[place], body[20 : 20 + there]
        elif kind == 3 and len(body) >= 4 and links:
            yield links[0], body[4:][: struct.unpack_from(f"{order}I", body)[0]]
        at += size + -size % 4


def _segment(link: int, packet: bytes) -> _Segment | None:
    """What an IP packet carries; None for what is none, or a part of one."""
    at = _ip_at(link, packet)
    if at is None or len(packet) < at + 20:
        return None
    if packet[at] >> 4 == 4:
        head, size, proto = (packet[at] & 15) * 4, int.from_bytes(packet[at + 2 : at + 4], "big"), packet[at + 9]
        if int.from_bytes(packet[at + 6 : at + 8], "big") & 0x3FFF:
            return None
        end, source, target = at + size, packet[at + 12 : at + 16], packet[at + 16 : at + 20]
        at += head
    elif packet[at] >> 4 == 6 and len(packet) >= at + 40:
        end, proto = at + 40 + int.from_bytes(packet[at + 4 : at + 6], "big"), packet[at + 6]
        source, target = packet[at + 8 : at + 24], packet[at + 24 : at + 40]
        at += 40
        while proto in _HOP_BY_HOP and len(packet) > at + 1:
            proto, at = packet[at], at + 8 + 8 * packet[at + 1]
    else:
        return None
    return _carried(packet[: max(end, at)] if end > at else packet, at, proto, source, target)


def _carried(packet: bytes, at: int, proto: int, source: bytes, target: bytes) -> _Segment | None:
    least = {_TCP: 20, _UDP: 8}.get(proto)
    if least is None or len(packet) < at + least:
        return None
    here, there = struct.unpack_from(">HH", packet, at)
    ends, ports = frozenset({(source, here), (target, there)}), frozenset({here, there})
    if proto == _UDP:
        return _Segment(ends, (source, here), ports, None, packet[at + 8 :])
    sequence, head = int.from_bytes(packet[at + 4 : at + 8], "big"), (packet[at + 12] >> 4) * 4
    return _Segment(ends, (source, here), ports, sequence, packet[at + head :])


def _ip_at(link: int, packet: bytes) -> int | None:
    """Where the IP packet begins."""
    if link == _ETHERNET:
        at = 12
        while int.from_bytes(packet[at : at + 2], "big") in _VLAN:
            at += 4
        return at + 2
    if link == _COOKED:
        return 16
    if link == _COOKED_2:
        return 20
    return 0 if link in _RAW_IP else 4 if link in _LOOPBACK else None
