"""Reads an EVA-DTS audit as machines really send it: everything is kept, every deviation becomes a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final

from protocols.evadts.checks import check
from protocols.evadts.fields import RECORDS, FieldSpec
from protocols.evadts.findings import Findings
from protocols.evadts.records import Audit, Currency, Field, FieldValue, Record, currency_name

_KIND: Final = re.compile(r"[A-Z]{1,3}[0-9]{0,3}\Z")
_LINE: Final = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}\Z")
_UNSET: Final = 0xFFFF_FFFF  # what some boards write into a counter that was never used
_MAX_DECIMALS: Final = 6
_PADDING: Final = b"\x00\x1a \t"  # end-of-file marks and fill that some carriers leave behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the file: number from 1, bytes without the line end, where it begins, and its line end."""

    number: int
    start: int
    content: bytes
    ending: bytes

    @property
    def text(self) -> str:
        """The line as text: UTF-8 where it is, else one character per byte, so that nothing is lost."""
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            return self.content.decode("latin-1")


def read(data: bytes) -> Audit:
    """The audit in `data`. Never raises: a file of noise gives no records and an error finding."""
    findings = Findings()
    lines = list(_lines(data))
    parsed = [(line, _kind(line)) for line in lines]
    if not any(kind in RECORDS for _, kind in parsed):
        findings.add("error", 0, "nothing-recognised", size=len(data))
        return Audit(findings=findings.result(), stray=tuple((line.number, line.text) for line in lines))
    currency = _currency(parsed, findings)
    decoder = _Decoder(currency, findings)
    records = tuple(decoder.record(line, kind) for line, kind in parsed if kind)
    stray = tuple((line.number, line.text) for line, kind in parsed if not kind)
    for number, _ in stray:
        findings.add("warning", number, "not-a-record")
    decoder.summarise()
    check(data, records, {line.number: line.start for line in lines}, findings)
    return Audit(records=records, findings=findings.result(), stray=stray, currency=currency)


def decode_evadts(data: bytes) -> dict[str, Any]:
    """`data` as the document of ``liandong decode evadts``; its `records` are empty when nothing was recognised."""
    return read(data).to_dict()


def _lines(data: bytes) -> Iterator[Line]:
    """The lines that hold something, with the numbers that an editor shows."""
    for number, match in enumerate(_LINE.finditer(data), start=1):
        if match.group(1).strip(_PADDING):
            yield Line(number=number, start=match.start(), content=match.group(1), ending=match.group(2))


def _kind(line: Line) -> str:
    """The record kind that `line` begins with; empty when it is no record."""
    word = line.text.partition("*")[0].strip()
    return word if _KIND.match(word) else ""


def _currency(parsed: list[tuple[Line, str]], findings: Findings) -> Currency:
    """What ID4 says; it counts for the whole file, wherever it stands."""
    line = next((line for line, kind in parsed if kind == "ID4"), None)
    if line is None:
        findings.add("info", 0, "no-currency")
        return Currency()
    words = [word.strip() for word in line.text.split("*")[1:4]] + ["", "", ""]
    decimals = int(words[0]) if re.fullmatch("[0-9]", words[0]) else -1
    if not 0 <= decimals <= _MAX_DECIMALS:
        findings.add("warning", line.number, "bad-decimals", raw=words[0][:20])
        return Currency(name=currency_name(words[1], words[2]))
    return Currency(decimals=decimals, name=currency_name(words[1], words[2]))


class _Decoder:
    """Turns raw fields into values and notes those that do not fit their kind."""

    def __init__(self, currency: Currency, findings: Findings) -> None:
        self._currency = currency
        self._findings = findings
        self._unset = 0
        self._first_unset = 0

    def record(self, line: Line, kind: str) -> Record:
        text = line.text
        raw = tuple(text.split("*")[1:])
        specs = RECORDS.get(kind, ())
        fields = tuple(
            self._field(line.number, f"{kind}{place:02d}", spec, word)
            for place, (spec, word) in enumerate(zip(specs, raw, strict=False), start=1)
            if spec is not None and word.strip()
        )
        return Record(line=line.number, kind=kind, text=text, raw=raw, fields=fields, known=kind in RECORDS)

    def summarise(self) -> None:
        """Counters that were never set are one finding for the whole file."""
        if self._unset:
            self._findings.add("info", self._first_unset, "unset-counters", count=self._unset)

    def _field(self, at: int, field_id: str, spec: FieldSpec, raw: str) -> Field:
        if spec.kind in ("count", "money"):
            return self._number(at, field_id, spec, raw)
        value: FieldValue = raw.strip()
        if spec.kind == "date":
            value = self._readable(at, field_id, raw, read_date(raw))
        elif spec.kind == "time":
            value = self._readable(at, field_id, raw, read_time(raw))
        elif spec.kind == "flag":
            value = {"0": False, "1": True}.get(raw.strip())
        return Field(id=field_id, name=spec.name, raw=raw, value=value)

    def _readable(self, at: int, field_id: str, raw: str, value: str | None) -> str | None:
        if value is None and raw.strip("0 "):
            self._findings.add("info", at, "bad-date", field=field_id, raw=raw[:20])
        return value

    def _number(self, at: int, field_id: str, spec: FieldSpec, raw: str) -> Field:
        unit = self._currency.unit if spec.kind == "money" else ""
        word = raw.strip()
        if not _NUMBER.match(word):
            self._findings.add("warning", at, "bad-number", field=field_id, raw=raw[:20])
            return Field(id=field_id, name=spec.name, raw=raw, value=None, unit=unit)
        number = int(word)
        if number == _UNSET:
            self._unset += 1
            self._first_unset = self._first_unset or at
            return Field(id=field_id, name=spec.name, raw=raw, value=None, unit=unit)
        if spec.kind == "money":
            value = self._currency.value(number)
            return Field(id=field_id, name=spec.name, raw=raw, value=value, unit=unit, minor=number)
        return Field(id=field_id, name=spec.name, raw=raw, value=number)


def read_date(raw: str) -> str | None:
    """YYMMDD (of this century) or YYYYMMDD as ``YYYY-MM-DD``; None when it is no date."""
    word = raw.strip()
    if not (word.isascii() and word.isdecimal()) or len(word) not in (6, 8):
        return None
    full = word if len(word) == 8 else "20" + word
    try:
        return date(int(full[:4]), int(full[4:6]), int(full[6:])).isoformat()
    except ValueError:
        return None


def read_time(raw: str) -> str | None:
    """HHMM or HHMMSS as ``HH:MM:SS``; None when it is no time of day."""
    word = raw.strip()
    if not (word.isascii() and word.isdecimal()) or len(word) not in (4, 6):
        return None
    full = word.ljust(6, "0")
    try:
        return time(int(full[:2]), int(full[2:4]), int(full[4:])).isoformat()
    except ValueError:
        return None
