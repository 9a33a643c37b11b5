"""A diagnosis on one screen of a terminal."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from edge.doctor.checks import Check, Diagnosis, Grade
from edge.doctor.words import advice, title, told
from protocols.messages import Language, sentence

MARKS: Final = {Grade.WELL: "✓", Grade.ATTENTION: "!", Grade.WRONG: "✗"}
_NAME: Final = 22
_NARROWEST: Final = 40
_WORDS: Final = re.compile(r"[!-~]+|.", re.DOTALL)
"""A word of Latin letters stays whole; of Chinese each character is one."""


def fitted(diagnosis: Diagnosis, language: Language, width: int, height: int) -> list[str]:
    """The lines for a screen of `height` lines: where they are too many, what is well stands in one row.

    The gateway's own parts go first, then lines, then devices; what wants attention is never left out.
    """
    shown = list(lines(diagnosis, language, width))
    for kept in (("device", "bus"), ("device",), ()):
        if len(shown) <= height:
            break
        shown = list(lines(_folded(diagnosis, kept, language), language, width))
    return shown


def lines(diagnosis: Diagnosis, language: Language, width: int) -> Iterator[str]:
    """The lines, at most `width` columns wide where words allow it."""
    when = datetime.fromtimestamp(diagnosis.at_ms / 1000, UTC)
    who = f"{diagnosis.group}/{diagnosis.node} {diagnosis.name}".strip()
    verdict = sentence(f"edge.doctor.all-{diagnosis.grade.word}", {}, language)
    yield f"{who} · {when:%Y-%m-%d %H:%M:%S} UTC · {verdict}"
    room = max(_NARROWEST, width) - _NAME - 3
    for check in diagnosis.checks:
        first, *more = wrapped(told(check, language), room)
        yield f"{MARKS[check.grade]} {padded(title(check, language), _NAME)} {first}"
        do = advice(check, language)
        for line in (*more, *(f"→ {line}" if n == 0 else f"  {line}" for n, line in enumerate(wrapped(do, room - 2)))):
            yield f"{' ' * (_NAME + 3)}{line}"


def _folded(diagnosis: Diagnosis, kept: Collection[str], language: Language) -> Diagnosis:
    """What is well, and not of the kinds that are `kept`, as one check at the end."""
    checks = diagnosis.checks
    fold = [one for one in checks if one.grade is Grade.WELL and one.name.partition("/")[0] not in kept]
    if not fold:
        return diagnosis
    names = sentence("edge.doctor.comma", {}, language).join(title(check, language) for check in fold)
    data = {"count": len(fold), "names": names}
    one = Check(name="folded", grade=Grade.WELL, code="edge.doctor.folded", data=data)
    return replace(diagnosis, checks=(*(check for check in checks if check not in fold), one))


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def padded(text: str, room: int) -> str:
    """`text` and spaces up to `room` columns."""
    return text + " " * (room - columns(text))


def wrapped(text: str, room: int) -> list[str]:
    """`text` in lines of `room` columns; Chinese characters take two."""
    if columns(text) == len(text):
        return textwrap.wrap(text, room)
    found, line, used = [], "", 0
    for word in _WORDS.findall(text):
        takes = columns(word)
        if used + takes > room and word not in "，。；：、）":
            found.append(line.rstrip())
            line, used = "", 0
            if word == " ":
                continue
        line, used = line + word, used + takes
    return [*found, line] if line else found
