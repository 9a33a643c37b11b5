"""Captured bytes as people write them down: hexadecimal digits, perhaps with marks, a label before, a note behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from protocols.errors import ProtocolError

_DIGITS: Final = frozenset("0123456789abcdefABCDEF")
_MARKS: Final = re.compile(r"0[xX]|\\x|[\s:,;\-\[\]{}()\"']|(?<=[0-9a-fA-F]{2})[hH](?![0-9a-fA-F])")
"""What stands between bytes: blanks, punctuation, ``0x``, ``\\x``, and the H of ``68H``."""
_TAIL: Final = _DIGITS | frozenset(" \t\r,;-")
_LONGEST_LABEL: Final = 200
_LEAST: Final = 4
"""So many bytes are behind a label at least."""
_WORD: Final = re.compile(r"[^\W\d_]*[^\W\d_a-fA-F][^\W\d_]+|[^\W\d_]+[^\W\d_a-fA-F]|[\[<>(（]")
"""What makes a label: a word that no digits could be, or brackets. A single wrong letter makes none: it is a slip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HexLine:
    """The bytes of line `number` (from 1); `note` is what was written beside them."""

    number: int
    data: bytes
    note: str


def hex_lines(text: str) -> Iterator[HexLine]:
    """The lines of `text` that hold bytes; ``| …`` begins a note, ``#`` a line of comment.

    Raises ProtocolError for any other, with the place of what is no digit (both from 1).
    """
    for number, line in enumerate(text.splitlines(), start=1):
        digits, _, note = line.partition("|")
        if not digits.strip() or digits.lstrip().startswith("#"):
            continue
        data = _read(digits)
        if data is None:
            label, data = _labelled(digits)
            note = note or label
        if data is None:
            raise ProtocolError("liandong.decode.not-hex", line=number, at=_slip(digits), text=digits.strip()[:20])
        yield HexLine(number=number, data=data, note=note.strip())


def _read(digits: str) -> bytes | None:
    """The bytes; None when something else is among the digits, or one is left over."""
    bare = _MARKS.sub(" ", digits)
    if not bare.strip() or not set(bare) <= _DIGITS | {" "}:
        return None
    words = bare.split()
    if any(len(word) % 2 for word in words):
        return None
    return bytes.fromhex("".join(words))


def _labelled(line: str) -> tuple[str, bytes | None]:
    """What a logger writes: a label with a word or brackets in it, then bytes until the end."""
    begin = next((place for place in range(len(line), 0, -1) if line[place - 1] not in _TAIL), 0)
    if begin < len(line) and line[begin - 1].isalnum() and not line[begin].isspace():
        begin += len(line[begin:].split(maxsplit=1)[0])  # the end of a word whose last letters are digits, too
    label, data = line[:begin], _read(line[begin:])
    if data is None or len(data) < _LEAST or not _WORD.search(label[:_LONGEST_LABEL]):
        return "", None
    return label.strip(" \t:：=>-"), data


def _slip(digits: str) -> int:
    """Where the first character is that is neither a digit nor a mark (from 1); else where a digit is left over."""
    for place, mark in enumerate(_MARKS.sub(lambda found: " " * len(found[0]), digits), start=1):
        if mark not in _DIGITS and mark != " ":
            return place
    odd = next((found for found in re.finditer(r"[0-9a-fA-F]+", digits) if len(found[0]) % 2), None)
    return odd.end() if odd else 1
