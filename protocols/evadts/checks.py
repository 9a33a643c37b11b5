"""The checks of a whole audit: envelope, sets, record counts, G85 and totals (EVA-DTS 6.1, transaction set and G85)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.evadts.crc import crc16, swapped
from protocols.evadts.findings import Findings
from protocols.evadts.records import Record

_HEX: Final = re.compile(r"[0-9A-Fa-f]{4}\Z")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_BARE_LINE_END: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """The records of one transaction set: from ST (or what stands in its place) to before DXE or the next ST."""

    records: Sequence[Record]

    def first(self, kind: str) -> Record | None:
        return next((record for record in self.records if record.kind == kind), None)


def check(data: bytes, records: Sequence[Record], starts: Mapping[int, int], findings: Findings) -> None:
    """Note what is missing, misplaced, miscounted or damaged. `starts`: line number → byte offset of every line."""
    transmissions = _transmissions(records)
    if len(transmissions) > 1:
        findings.add("info", transmissions[1][0].line, "several-transmissions", count=len(transmissions))
    normalised = False
    for place, transmission in enumerate(transmissions):
        begin = transmission[0].line if place else 0
        end = transmissions[place + 1][0].line if place + 1 < len(transmissions) else None
        inside = [line for line in starts if line >= begin and (end is None or line < end)]
        _check_envelope(transmission, inside, findings)
        for group in _sets(transmission):
            if group.records[0].kind != "ST":
                findings.add("warning", group.records[0].line, "missing-record", record="ST")
            _check_end(group, findings)
            _check_totals(group.records, findings)
            normalised |= _check_crc(data, group, starts, findings)
    if not normalised and (match := _BARE_LINE_END.search(data)):
        findings.add("info", data.count(b"\n", 0, match.start()) + 1, "line-ends")


def _transmissions(records: Sequence[Record]) -> list[Sequence[Record]]:
    """The records from each DXS to the next; what stands before the first belongs to it."""
    begins = [0, *[place for place, record in enumerate(records) if record.kind == "DXS"][1:]]
    return [records[begin:end] for begin, end in zip(begins, [*begins[1:], len(records)], strict=True)]


def _check_envelope(records: Sequence[Record], lines: Sequence[int], findings: Findings) -> None:
    opening = next((record for record in records if record.kind == "DXS"), None)
    closing = next((record for record in records if record.kind == "DXE"), None)
    if opening is None:
        findings.add("warning", records[0].line, "missing-record", record="DXS")
    if closing is None:
        findings.add("warning", records[-1].line, "missing-record", record="DXE")
    for line in lines:
        if opening and line < opening.line:
            findings.add("warning", line, "before-dxs")
        if closing and line > closing.line:
            findings.add("warning", line, "after-dxe")


def _sets(records: Sequence[Record]) -> Iterator[_Set]:
    """The transaction sets; records without any ST between DXS and DXE count as one."""
    body = [record for record in _inside(records) if record.kind not in ("DXS", "DXE")]
    begins = [place for place, record in enumerate(body) if record.kind == "ST"] or [0]
    for begin, end in zip(begins, [*begins[1:], len(body)], strict=True):
        if body[begin:end]:
            yield _Set(records=body[begin:end])


def _inside(records: Sequence[Record]) -> Iterator[Record]:
    """What stands from DXS (or the beginning) to DXE (or the end)."""
    opened = not any(record.kind == "DXS" for record in records)
    for record in records:
        opened = opened or record.kind == "DXS"
        if opened:
            yield record
        if record.kind == "DXE":
            return


def _check_end(group: _Set, findings: Findings) -> None:
    """SE: there, counting right, with the number of its ST, and the last of its set."""
    end = group.first("SE")
    if end is None:
        findings.add("warning", group.records[-1].line, "missing-record", record="SE")
        return
    counted = group.records.index(end) + 1
    stated = end.count("records")
    if stated != counted:
        findings.add("warning", end.line, "se-count", stated=end.word("records")[:20], counted=counted)
    begin = group.records[0]
    if begin.kind == "ST" and begin.word("control") != end.word("control"):
        findings.add("warning", end.line, "se-number", st=begin.word("control")[:20], se=end.word("control")[:20])
    for record in group.records[counted:]:
        findings.add("warning", record.line, "after-se", record=record.kind)


def _check_totals(records: Sequence[Record], findings: Findings) -> None:
    """Compare the sum of PA2 with VA1 since initialisation, and see that every PA2 follows a PA1."""
    selection: str | None = None
    seen: set[str] = set()
    sums: list[Record] = []
    unnamed = [record.line for record in records if record.kind == "PA1" and not record.word("selection")]
    if unnamed:
        findings.add("warning", unnamed[0], "selection-unnamed", count=len(unnamed))
    for record in records:
        if record.kind == "PA1":
            selection = record.word("selection")
            if selection and selection in seen:
                findings.add("warning", record.line, "selection-twice", selection=selection[:20])
            seen.add(selection)
        elif record.kind == "PA2":
            if selection is None:
                findings.add("warning", record.line, "pa2-alone")
            sums.append(record)
    total = next((record for record in records if record.kind == "VA1"), None)
    if total is not None:
        _compare_totals(total, sums, findings)


def _compare_totals(total: Record, selections: Sequence[Record], findings: Findings) -> None:
    """What is not said since initialisation (many machines leave it out) disagrees with nothing."""
    said: dict[str, tuple[int, int]] = {}
    for name, number in (("count", Record.count), ("value", Record.minor)):
        stated = number(total, f"{name}-init")
        parts = [part for record in selections if (part := number(record, f"{name}-init")) is not None]
        if stated is not None and parts:
            said[name] = stated, sum(parts)
    if all(stated == added for stated, added in said.values()):
        return
    (va_count, pa_count), (va_value, pa_value) = said.get("count", ("-", "-")), said.get("value", ("-", "-"))
    findings.add(
        "warning",
        total.line,
        "totals-disagree",
        va_count=va_count,
        va_value=va_value,
        pa_count=pa_count,
        pa_value=pa_value,
    )


def _check_crc(data: bytes, group: _Set, starts: Mapping[int, int], findings: Findings) -> bool:
    """G85 against the bytes that it covers; True when it fits only with CRLF restored."""
    record = group.first("G85")
    if record is None:
        findings.add("warning", group.records[-1].line, "missing-record", record="G85")
        return False
    stated = record.word("crc")
    if not _HEX.match(stated):
        findings.add("error", record.line, "g85-unreadable", raw=stated[:20])
        return False
    covered = data[starts[group.records[0].line] : starts[record.line]]
    restored = _LINE_END.sub(b"\r\n", covered)
    as_it_is, with_crlf, expected = crc16(covered), crc16(restored), int(stated, 16)
    if expected not in (as_it_is, swapped(as_it_is), with_crlf, swapped(with_crlf)):
        findings.add(
            "error",
            record.line,
            "g85-mismatch" if as_it_is == with_crlf else "g85-mismatch-line-ends",
            expected=stated.upper(),
            computed=f"{with_crlf:04X}",
            computed_as_it_is=f"{as_it_is:04X}",
        )
        return False
    if stated != stated.upper():
        findings.add("info", record.line, "g85-lowercase", raw=stated)
    if expected not in (as_it_is, with_crlf):
        fits_as = f"{swapped(expected):04X}"
        findings.add("warning", record.line, "g85-swapped", expected=stated.upper(), computed=fits_as)
    if expected in (as_it_is, swapped(as_it_is)):
        return False
    findings.add("warning", record.line, "g85-line-ends", crc=stated.upper())
    return True
