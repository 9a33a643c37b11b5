"""What captured OSDP bytes say, as plain JSON for a person: `decode_osdp`. Also reads osdpcap files.

An osdpcap file has one JSON object a line: ``timeSec``, ``timeNano``, ``io`` (input, output, trace; in, out) and
``data``, the bytes of the wire in hexadecimal with blanks or hyphens between them, mostly but not always one packet a
line (SIA's libosdp-conformance, "osdpcap-format"; OSDP.Net writes hyphens).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Final

from protocols.capture import Report, by_line, recognised
from protocols.osdp.codes import SECURITY_BLOCKS
from protocols.osdp.packet import BROADCAST, MARK, Packet, measure, parse
from protocols.osdp.payloads import PAYLOADS
from protocols.pcap import is_capture, packets

Facts = dict[str, Any]
_LONGEST_REST: Final = 1440


def decode_osdp(data: bytes) -> dict[str, Any]:
    """The packets in `data` (raw bytes, an osdpcap or a pcap file) with what their codes and data mean.

    See `protocols.capture`; with an osdpcap file `at` counts inside the line's data, and frames and findings carry
    `line` (from 1), frames also `time` and `io`; with a pcap file, as libosdp writes it, `line` is the packet.
    """
    if is_capture(data):
        return by_line("osdp", enumerate((_said(packet, {}) for _, packet in packets(data)), start=1))
    if data.lstrip()[:1] != b"{":
        report = Report("osdp")
        _packets(report, data, {})
        return report.document(len(data))
    return _osdpcap(data)


def _osdpcap(data: bytes) -> dict[str, Any]:
    lines = ((number, line) for number, line in enumerate(BytesIO(data), start=1) if line.strip())
    return by_line("osdp", _joined(lines))


def _joined(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """What each line says; a packet that goes on in the next line of its direction stands where it began."""
    open_in: dict[str, tuple[int, bytes, Facts]] = {}
    for number, line in lines:
        recorded = _line(line)
        if recorded is None:
            report = Report("osdp")
            report.add("error", 0, "capture-line", size=len(line))
            yield number, report.document(len(line))
            continue
        body, facts = recorded
        way = str(facts["io"])
        began = open_in.pop(way, None)
        if began is not None:
            whole = began[1] + body
            size = _ends_at(whole)
            if not size and not _ends_at(body) and _unfinished(whole):
                open_in[way] = (began[0], whole, began[2])
                continue
            yield began[0], _said(whole[:size] or began[1], began[2])
            body = whole[size:] if size else body
        if _unfinished(body):
            open_in[way] = (number, body, facts)
        elif body:
            yield number, _said(body, facts)
    for number, body, facts in open_in.values():
        yield number, _said(body, facts)


def _ends_at(data: bytes) -> int:
    """Where the one packet ends that `data` begins with; 0 when it begins with none, or not with a whole one."""
    start = len(data) - len(data.lstrip(bytes([MARK])))
    size = measure(data, start) if start < len(data) else 0
    return start + size if size and start + size <= len(data) and parse(data[start : start + size]).fits else 0


def _unfinished(body: bytes) -> bool:
    start = len(body) - len(body.lstrip(bytes([MARK])))
    return start < len(body) and len(body) < start + measure(body, start) <= len(body) + _LONGEST_REST


def _said(body: bytes, facts: Facts) -> dict[str, Any]:
    report = Report("osdp")
    _packets(report, body, facts)
    return report.document(len(body))


def _line(line: bytes) -> tuple[bytes, Facts] | None:
    try:
        row = json.loads(line)
        body = bytes.fromhex(row["data"].replace("-", " "))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return body, {"time": _time(row), "io": row.get("io")}


def _time(row: dict[str, Any]) -> str | None:
    try:
        whole = datetime.fromtimestamp(int(row["timeSec"]), UTC)
        return whole.replace(microsecond=int(row["timeNano"]) // 1000).isoformat(timespec="microseconds")
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        return None


def _packets(report: Report, data: bytes, facts: dict[str, Any]) -> None:
    for piece in recognised(report, data, measure, bytes([MARK])):
        errors = report.errors
        packet = parse(piece.data)
        size = 2 if packet.crc else 1
        report.check_sum(piece.at + len(piece.data) - size, packet.said or 0, packet.computed, 2 * size)
        told = _packet(report, piece.at, packet)
        place = {"at": piece.at, "raw": piece.data.hex().upper(), "ok": report.errors == errors}
        report.frames.append(place | facts | told)


def _packet(report: Report, at: int, packet: Packet) -> dict[str, Any]:
    told: dict[str, Any] = {
        "address": packet.address,
        "broadcast": packet.address == BROADCAST,
        "direction": "reply" if packet.reply else "command",
        "sequence": packet.sequence,
        "check": "crc" if packet.crc else "sum",
        "more": packet.more,
        "code": f"{packet.code:02X}",
        "name": packet.name,
        "data": packet.data.hex().upper(),
    }
    if packet.security is not None:
        kind = packet.security[0] if packet.security else 0
        told["security"] = {"type": f"{kind:02X}", "name": SECURITY_BLOCKS.get(kind), "encrypted": packet.encrypted}
    if packet.name is None:
        report.add("warning", at + 5, "code", number=f"{packet.code:02X}")
        return told
    if packet.encrypted or packet.name not in PAYLOADS:
        return told
    least, read = PAYLOADS[packet.name]
    if len(packet.data) < least:
        report.add("warning", at + 6, "data-short", name=packet.name, size=len(packet.data), wanted=least)
        return told
    return told | {"says": read(packet.data)}
