"""What captured OSDP bytes say, as plain JSON for a person: `decode_osdp`. Also reads osdpcap files.

An osdpcap file has one JSON object a line: ``timeSec``, ``timeNano``, ``io`` (in, out) and ``data`` in hexadecimal.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from protocols.capture import Report, by_line, recognised
from protocols.osdp.codes import SECURITY_BLOCKS
from protocols.osdp.packet import BROADCAST, MARK, Packet, measure, parse
from protocols.osdp.payloads import PAYLOADS


def decode_osdp(data: bytes) -> dict[str, Any]:
    """The packets in `data` (raw bytes, or an osdpcap file) with what their codes and data mean.

    See `protocols.capture`; with an osdpcap file `at` counts inside the line's data, and frames and findings carry
    `line` (from 1), frames also `time` and `io`.
    """
    if data.lstrip()[:1] != b"{":
        report = Report("osdp")
        _packets(report, data, {})
        return report.document(len(data))
    return _osdpcap(data)


def _osdpcap(data: bytes) -> dict[str, Any]:
    lines = ((number, _recorded(line)) for number, line in enumerate(BytesIO(data), start=1) if line.strip())
    return by_line("osdp", lines)


def _recorded(line: bytes) -> dict[str, Any]:
    report = Report("osdp")
    recorded = _line(line)
    if recorded is None:
        report.add("error", 0, "capture-line", size=len(line))
    else:
        body, facts = recorded
        _packets(report, body, facts)
    return report.document(len(line))


def _line(line: bytes) -> tuple[bytes, dict[str, Any]] | None:
    try:
        row = json.loads(line)
        body = bytes.fromhex(row["data"])
    except (ValueError, TypeError, KeyError, RecursionError):
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
