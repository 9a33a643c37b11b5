"""What a reader has to say about a file that it could read anyway."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from protocols.messages import Language, sentence

Level = Literal["info", "warning", "error"]

# A file of noise must not become a report of a million lines: this many findings of one code are kept one by one.
MAX_PER_CODE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A deviation from the standard at line `at` (from 1; 0 = the whole file).

    `code` is the last part of ``protocols.evadts.<code>``, whose sentence takes `params`.
    """

    level: Level
    at: int
    code: str
    params: dict[str, object] = field(default_factory=dict)

    def what(self, language: Language = "en") -> str:
        """The sentence that a person reads."""
        return sentence(f"protocols.evadts.{self.code}", self.params, language)

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``liandong decode``: level, at, what, and the code with its parameters."""
        return {"level": self.level, "at": self.at, "what": self.what(), "code": self.code, "params": self.params}


class Findings:
    """Collects findings, at most `MAX_PER_CODE` of each code; the rest are counted."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._seen: Counter[str] = Counter()

    def add(self, level: Level, at: int, code: str, **params: object) -> None:
        """Note a deviation at line `at`."""
        self._seen[code] += 1
        if self._seen[code] <= MAX_PER_CODE:
            self._kept.append(Finding(level=level, at=at, code=code, params=params))

    def result(self) -> tuple[Finding, ...]:
        """All findings in the order of the lines; what was only counted comes last."""
        more = [
            Finding(level="info", at=0, code="more-of-the-same", params={"code": code, "more": seen - MAX_PER_CODE})
            for code, seen in self._seen.items()
            if seen > MAX_PER_CODE
        ]
        return (*sorted(self._kept, key=lambda finding: finding.at), *more)
