"""Reads an EVA-DTS audit as machines really send it: everything is kept, every deviation becomes a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from protocols.evadts.checks import check
from protocols.evadts.fields import RECORDS, FieldSpec
from protocols.evadts.findings import Findings
from protocols.evadts.lines import Line, charset, lines, plain, unescaped
from protocols.evadts.records import Audit, Currency, Field, FieldValue, Record, currency_name

MAX_LINES: Final = 20_000  # the longest audits of the field have some 1,500
_MAX_FIELDS: Final = 250
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}\Z")
_UNSET: Final = 0xFFFF_FFFF  # what some boards write into a counter that was never used
_MAX_DECIMALS: Final = 6
_USUAL_DECIMALS: Final = 2  # where ID401 says nothing (EVA-DTS 6.2, 2.3.2.1)
_OLD_EVENT: Final = 4  # fields of an EA2
_BILLS: Final = ("bills-reset", "bills-init")


def read(data: bytes) -> Audit:
    """The audit in `data`. Never raises: a file of noise gives no records and an error finding."""
    findings = Findings()
    text = plain(data, findings)
    found = list(islice(lines(text, findings), MAX_LINES + 1))
    if len(found) > MAX_LINES:
        findings.add("warning", found.pop().number, "too-many-lines", limit=MAX_LINES)
    if not any(line.kind in RECORDS and b"*" in line.content for line in found):
        place = len(data) - len(data.lstrip())
        first = data[place:][:8].hex(" ").upper() or "-"
        findings.add("error", 0, "nothing-recognised", size=len(data), place=place, first=first)
        return Audit(findings=findings.result(), stray=tuple(_as_text(found, "utf-8")))
    groups = [(group, _currency(group, findings)) for group in _transmissions(found)]
    codec = charset([line.content for line in found], next((money.name for _, money in groups if money.name), None))
    decoder = _Decoder(codec, findings)
    records = tuple(decoder.record(line, money) for group, money in groups for line in group if line.kind)
    stray = tuple(_as_text((line for line in found if not line.kind), codec))
    for number, _ in stray:
        findings.add("warning", number, "not-a-record")
    decoder.summarise()
    check(text, records, {line.number: line.start for line in found}, findings)
    return Audit(records=records, findings=findings.result(), stray=stray, currency=groups[0][1])


def decode_evadts(data: bytes) -> dict[str, Any]:
    """`data` as the document of ``liandong decode evadts``; its `records` are empty when nothing was recognised."""
    return read(data).to_dict()


def _as_text(found: Sequence[Line] | Iterator[Line], codec: str) -> Iterator[tuple[int, str]]:
    return ((line.number, _text(line.content, codec)) for line in found)


def _text(content: bytes, codec: str) -> str:
    """A line as text; what the codec cannot read is one character per byte, so that nothing is lost."""
    try:
        return content.decode(codec)
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _transmissions(found: Sequence[Line]) -> list[Sequence[Line]]:
    """The lines from each DXS to the next: a file may hold the audits of several machines."""
    begins = [place for place, line in enumerate(found) if line.kind == "DXS"]
    begins = [0, *begins[1:]]
    return [found[begin:end] for begin, end in zip(begins, [*begins[1:], len(found)], strict=True)]


def _currency(group: Sequence[Line], findings: Findings) -> Currency:
    """What ID4 says (IC4 in a configuration); it counts for the whole transmission, wherever it stands."""
    line = next((line for line in group if line.kind in ("ID4", "IC4")), None)
    if line is None:
        findings.add("info", group[0].number if group[0].number > 1 else 0, "no-currency", decimals=_USUAL_DECIMALS)
        return Currency(decimals=_USUAL_DECIMALS)
    words = [word.strip() for word in line.content.decode("latin-1").split("*")[1:4]] + ["", "", ""]
    if not words[0]:
        return Currency(decimals=_USUAL_DECIMALS, name=currency_name(words[1], words[2]))
    decimals = int(words[0]) if re.fullmatch("[0-9]", words[0]) else -1
    if not 0 <= decimals <= _MAX_DECIMALS:
        findings.add("warning", line.number, "bad-decimals", raw=words[0][:20])
        return Currency(name=currency_name(words[1], words[2]))
    return Currency(decimals=decimals, name=currency_name(words[1], words[2], decimals))


class _Decoder:
    """Turns raw fields into values and notes those that do not fit their kind."""

    def __init__(self, codec: str, findings: Findings) -> None:
        self._codec = codec
        self._currency = Currency()
        self._findings = findings
        self._unset = 0
        self._first_unset = 0
        if codec not in ("utf-8", "latin-1"):
            findings.add("info", 0, "charset", charset=codec)

    def record(self, line: Line, currency: Currency) -> Record:
        """The record in `line`, with money in `currency`."""
        self._currency = currency
        text = _text(line.content, self._codec)
        word, *raw = text.split("*", _MAX_FIELDS)
        if word.strip() != line.kind:
            self._findings.add("info", line.number, "odd-kind", raw=word.strip()[:20], record=line.kind)
        fields = tuple(
            self._field(line.number, f"{line.kind}{place:02d}", spec, word)
            for place, (spec, word) in enumerate(zip(_row(line.kind, raw), raw, strict=False), start=1)
            if spec is not None and word.strip()
        )
        known = line.kind in RECORDS
        record = Record(line=line.number, kind=line.kind, text=text, raw=tuple(raw), fields=fields, known=known)
        return self._bills(record) if line.kind == "CA3" else record

    def summarise(self) -> None:
        """Counters that were never set are one finding for the whole file."""
        if self._unset:
            self._findings.add("info", self._first_unset, "unset-counters", count=self._unset)

    def _bills(self, record: Record) -> Record:
        """CA3 with CA304 and CA308 in minor units: North American machines count whole units there (6.2, note 6)."""
        whole = 10 ** (self._currency.decimals or 0)
        stands = {name: record.minor(name) or 0 for name in _BILLS}
        proofs = (
            (stands["bills-reset"], record.minor("bills-in-reset")),
            (stands["bills-init"], record.minor("bills-in-init")),
            *((stands[f"bills-{since}"], _rest_of_cash(record, since)) for since in ("reset", "init")),
        )
        if whole == 1 or not any(bills and bills * whole == value for bills, value in proofs):
            return record
        self._findings.add("info", record.line, "bills-in-whole-units")
        fields = tuple(
            Field(
                id=field.id,
                name=field.name,
                raw=field.raw,
                value=Decimal(field.minor),
                unit=field.unit,
                minor=field.minor * whole,
            )
            if field.name in _BILLS and field.minor is not None
            else field
            for field in record.fields
        )
        return Record(line=record.line, kind=record.kind, text=record.text, raw=record.raw, fields=fields, known=True)

    def _field(self, at: int, field_id: str, spec: FieldSpec, raw: str) -> Field:
        if spec.kind in ("count", "money"):
            return self._number(at, field_id, spec, raw)
        value: FieldValue = unescaped(raw.strip(), self._codec)
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


def _row(kind: str, raw: Sequence[str]) -> Sequence[FieldSpec | None]:
    """The fields of `kind`. Before the standard had EA205, machines put the activity into the fourth field of four."""
    if kind == "EA2" and len(raw) == _OLD_EVENT and raw[-1].strip() in ("0", "1"):
        return RECORDS["EA2"][: _OLD_EVENT - 1] + RECORDS["EA2"][_OLD_EVENT : _OLD_EVENT + 1]
    return RECORDS.get(kind, ())


def _rest_of_cash(record: Record, since: str) -> int | None:
    """Cash in, less what went to the box and to the tubes: the bills."""
    cash, box, tubes = (record.minor(f"{name}-{since}") for name in ("in", "to-box", "to-tubes"))
    return None if cash is None else cash - (box or 0) - (tubes or 0)


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
