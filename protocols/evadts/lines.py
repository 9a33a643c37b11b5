"""The lines of an audit as it was found: out of a captured DEX line, out of UTF-16, in whatever characters, with noise.

Machines send ASCII, and other characters between carets (EVA-DTS 6.2, 2.3.2.1: ``^D7^``). In the field they also send
the characters of their country as they are.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.evadts.dex.frames import Block, Decoder
from protocols.evadts.fields import RECORDS
from protocols.evadts.findings import Findings

_LINE: Final = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|\Z)")
_KIND: Final = re.compile(r"[A-Za-z]{1,3}[0-9]{0,3}\Z")
_NUMBERED: Final = re.compile(r"(ST|SE)-[0-9]{1,4}\Z", re.IGNORECASE)  # some Italian machines number their sets
_OPENING: Final = re.compile(rb"(?<![0-9A-Za-z])DXS\*", re.IGNORECASE)
_RECORD: Final = re.compile(rb"^[A-Z]{1,3}[0-9]{0,3}\*", re.MULTILINE)
_PADDING: Final = b"\x00\x1a \t"  # end-of-file marks and fill that some carriers leave behind
_DLE_STX: Final = b"\x10\x02"
_ESCAPES: Final = re.compile(r"(?:\^[0-9A-Fa-f]{2}\^)+")
_FOREIGN: Final = re.compile(rb"[\x80-\xff]+")
_HANZI: Final = re.compile(rb"(?:[\xa1-\xa9\xb0-\xf7][\xa1-\xfe])+\Z")  # GB 2312
_YO: Final = b"\xa8\xb8"  # the letters of cp1251 that stand apart
_SURE: Final = 12
_CYRILLIC: Final = frozenset({"RUB", "BYN", "UAH", "KZT", "BGN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the file: number from 1, bytes without the line end, where it begins, and the record kind or ''."""

    number: int
    start: int
    content: bytes
    kind: str


def plain(data: bytes, findings: Findings) -> bytes:
    """The text in `data`: what the blocks of a captured DEX line carry, and UTF-8 instead of UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and data.count(0) * 3 > len(data):
        findings.add("warning", 0, "utf-16")
        data = data.decode("utf-16", "replace").encode("utf-8")
    if _DLE_STX not in data:
        return data
    bodies: list[bytes] = []
    for token in Decoder().feed(data):
        if isinstance(token, Block) and token.head == "STX" and token.body not in bodies[-1:]:
            bodies.append(token.body)
    text = b"".join(bodies)
    if not _RECORD.search(text):
        return data  # nothing but what looks like a frame among other bytes
    findings.add("warning", 0, "link-framing", blocks=len(bodies))
    return text


def lines(data: bytes, findings: Findings) -> Iterator[Line]:
    """The lines that hold something, with the numbers that an editor shows. What stands before DXS is a line apart."""
    for number, match in enumerate(_LINE.finditer(data), start=1):
        content, start = match.group(1), match.start()
        if number == 1 and content.startswith(codecs.BOM_UTF8):
            content, start = content[len(codecs.BOM_UTF8) :], len(codecs.BOM_UTF8)
        if not content.strip(_PADDING):
            continue
        kind = _kind(content)
        opening = None if kind else _OPENING.search(content)
        if opening is None:
            yield Line(number=number, start=start, content=content, kind=kind)
            continue
        findings.add("warning", number, "text-before-record", record="DXS")
        at = opening.start()
        yield Line(number=number, start=start, content=content[:at], kind="")
        yield Line(number=number, start=start + at, content=content[at:], kind="DXS")


def _kind(content: bytes) -> str:
    """The record kind that a line begins with, in capitals; empty when it is no record."""
    word = content.partition(b"*")[0].strip(_PADDING).decode("latin-1")
    if numbered := _NUMBERED.match(word):
        return numbered.group(1).upper()
    if not _KIND.match(word):
        return ""
    kind = word.upper()
    return kind if word == kind or kind in RECORDS else ""


def charset(contents: Sequence[bytes], currency: str | None) -> str:
    """The codec that reads every line: UTF-8, else the one that the currency suggests, else one character per byte."""
    whole = b"\n".join(contents)
    escaped = b"\n".join(
        bytes.fromhex(run.decode("ascii").replace("^", "")) for run in re.findall(_ESCAPES.pattern.encode(), whole)
    )
    runs = _FOREIGN.findall(whole) + _FOREIGN.findall(escaped)
    if all(_reads(run, "utf-8") for run in runs):
        return "utf-8"
    if all(_reads(run, "cp1251") for run in runs) and (currency in _CYRILLIC or _is_cyrillic(runs)):
        return "cp1251"
    return "gb18030" if all(_HANZI.match(run) for run in runs) else "latin-1"


def _is_cyrillic(runs: Sequence[bytes]) -> bool:
    """Words of nothing but Cyrillic letters, more of them than Chinese characters would look like by chance."""
    letters = b"".join(runs)
    words = all(byte >= 0xC0 or byte in _YO for byte in letters) and len(letters) >= 2 * len(runs)
    return words and (len(letters) >= _SURE or any(not _HANZI.match(run) for run in runs))


def _reads(run: bytes, codec: str) -> bool:
    try:
        run.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def unescaped(word: str, codec: str) -> str:
    """`word` with the characters that stand between carets."""
    if "^" not in word:
        return word
    return _ESCAPES.sub(lambda match: _characters(match.group(), codec), word)


def _characters(escapes: str, codec: str) -> str:
    data = bytes.fromhex(escapes.replace("^", ""))
    return data.decode(codec if _reads(data, codec) else "latin-1")
