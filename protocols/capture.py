"""What captured bytes of a line say: frames cut out of noise, and findings. Shared by the explainers of the protocols.

An explainer is ``decode_<kind>(data) -> {"kind", "ok", "findings": [{"level", "at", "what", …}], "frames": [...]}``:
`ok` means no finding of level error, `at` counts bytes from 0. Nothing raises for bytes of any kind; time and memory
grow with the number of bytes only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from protocols.messages import Language, sentence

Frame = TypeVar("Frame")
Level = Literal["info", "warning", "error"]

# A file of noise must not become a report of a million lines: this many findings of one code are kept one by one.
MAX_PER_CODE: Final = 50
# Nor one of control characters a list that fills the memory: what comes after this many frames is not read.
MAX_FRAMES: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A deviation at byte `at`; `code` names its sentence (``protocols.capture.noise``), which takes `params`."""

    level: Level
    at: int
    code: str
    params: dict[str, object] = field(default_factory=dict)

    def what(self, language: Language = "en") -> str:
        """The sentence that a person reads."""
        return sentence(self.code, {"at": self.at, **self.params}, language)

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``liandong decode``: level, at, what, and the code with its parameters."""
        return {"level": self.level, "at": self.at, "what": self.what(), "code": self.code, "params": self.params}


class Report:
    """Collects the frames and findings of one capture."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.frames: list[dict[str, Any]] = []
        self.errors = 0
        self._kept: list[Finding] = []
        self._seen: Counter[str] = Counter()

    def add(self, level: Level, at: int, code: str, **params: object) -> None:
        """Note a deviation at byte `at`. `code` without a dot is one of the kind's own, ``capture.…`` a shared one."""
        full = f"protocols.{code}" if "." in code else f"protocols.{self.kind}.{code}"
        self.errors += level == "error"
        self._seen[full] += 1
        if self._seen[full] <= MAX_PER_CODE:
            self._kept.append(Finding(level=level, at=at, code=full, params=params))

    def full(self, at: int) -> bool:
        """True when no further frame is taken; the first time it is, a finding says from which byte `at` on."""
        if len(self.frames) < MAX_FRAMES:
            return False
        self.add("warning", at, "capture.too-many", limit=MAX_FRAMES)
        return True

    def check_sum(self, at: int, said: int, computed: int, digits: int = 2) -> None:
        """Note a failed check sum when `said` is not `computed`; both are written with `digits` hexadecimal digits."""
        if said != computed:
            expected, fits = f"{said:0{digits}X}", f"{computed:0{digits}X}"
            self.add("error", at, "capture.check-sum", expected=expected, computed=fits)

    def document(self, size: int) -> dict[str, Any]:
        """The finished document for a capture of `size` bytes."""
        if not self.frames and not self.errors:
            self.add("error", 0, "capture.nothing", size=size)
        more = [
            Finding(level="info", at=0, code="protocols.capture.more", params={"code": code, "more": n - MAX_PER_CODE})
            for code, n in self._seen.items()
            if n > MAX_PER_CODE
        ]
        findings = [*sorted(self._kept, key=lambda finding: finding.at), *more]
        return {
            "kind": self.kind,
            "ok": not self.errors,
            "findings": [finding.to_dict() for finding in findings],
            "frames": self.frames,
        }


def by_line(kind: str, lines: Iterable[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """One document out of those of single lines (numbered from 1): frames and findings carry `line`.

    `at` counts inside the line. At most `MAX_PER_CODE` findings of a code are kept.
    """
    frames: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    seen: Counter[str] = Counter()
    ok = True
    for line, document in lines:
        if len(frames) >= MAX_FRAMES:
            params: dict[str, object] = {"limit": MAX_FRAMES}
            many = Finding(level="warning", at=0, code="protocols.capture.too-many", params=params)
            findings.append({"line": line} | many.to_dict())
            break
        ok = ok and document["ok"]
        frames += [{"line": line} | frame for frame in document["frames"]]
        for found in document["findings"]:
            seen[found["code"]] += 1
            if seen[found["code"]] <= MAX_PER_CODE:
                findings.append({"line": line} | found)
    for code, count in seen.items():
        if count > MAX_PER_CODE:
            rest: dict[str, object] = {"code": code, "more": count - MAX_PER_CODE}
            findings.append(Finding(level="info", at=0, code="protocols.capture.more", params=rest).to_dict())
    return {"kind": kind, "ok": ok, "findings": findings, "frames": frames}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of a capture from byte `at`: a frame, noise (`wanted` 0), or a frame cut short (`wanted` > len)."""

    at: int
    data: bytes
    wanted: int = 0

    @property
    def whole(self) -> bool:
        """True for a complete frame."""
        return self.wanted == len(self.data) > 0


Measure = Callable[[bytes, int], int]
"""``measure(data, at)``: the length of the frame that begins at `at`, which may end behind the data; 0 = none does."""


def pieces(data: bytes, measure: Measure, filler: bytes = b"") -> Iterator[Piece]:
    """Cut `data` into frames and what lies between them, without stretches that hold `filler` bytes only.

    Every byte is looked at once as a beginning, so the time is linear when `measure` is bounded.
    """
    at = loose = 0
    short: tuple[int, int] | None = None
    while at < len(data):
        size = measure(data, at)
        if size and at + size <= len(data):
            yield from _between(data, loose, at, None, filler)
            yield Piece(at=at, data=data[at : at + size], wanted=size)
            at = loose = at + size
            short = None
            continue
        if size and short is None:
            short = (at, size)
        at += 1
    yield from _between(data, loose, len(data), short, filler)


def _between(data: bytes, start: int, end: int, short: tuple[int, int] | None, filler: bytes) -> Iterator[Piece]:
    stop = end if short is None else short[0]
    if data[start:stop].strip(filler):
        lead = (stop - start) - len(data[start:stop].lstrip(filler)) if filler else 0
        yield Piece(at=start + lead, data=data[start + lead : stop])
    if short is not None:
        yield Piece(at=short[0], data=data[short[0] : end], wanted=short[1])


def note_rest(report: Report, piece: Piece) -> None:
    """The finding for a `piece` that is no whole frame. Noise beside frames is a warning; a cut frame is an error."""
    if piece.wanted:
        report.add("error", piece.at, "capture.cut-short", wanted=piece.wanted, there=len(piece.data))
    else:
        report.add("warning", piece.at, "capture.noise", size=len(piece.data), first=piece.data[:8].hex(" ").upper())


def take_frame(buffer: bytes, measure: Measure, parse: Callable[[bytes], Frame]) -> tuple[int, Frame | None]:
    """The first frame in what a line gave so far, and how many bytes are done with; noise before it is skipped.

    ``(used, None)`` means that more is needed and `used` bytes belong to no frame. What `measure` calls a frame is
    given to `parse`, a wrong check sum and all.
    """
    for at in range(len(buffer)):
        size = measure(buffer, at)
        if size and at + size <= len(buffer):
            return at + size, parse(buffer[at : at + size])
        if size:
            return at, None
    return len(buffer), None


def explained(
    kind: str, data: bytes, measure: Measure, tell: Callable[[Report, Piece], dict[str, Any]], filler: bytes = b""
) -> dict[str, Any]:
    """The document for `data`: each frame as `tell` says it, with its place, its bytes, and whether it is in order."""
    report = Report(kind)
    for piece in recognised(report, data, measure, filler):
        errors = report.errors
        told = tell(report, piece)
        place = {"at": piece.at, "raw": piece.data.hex().upper(), "ok": report.errors == errors}
        report.frames.append(place | told)
    return report.document(len(data))


def recognised(report: Report, data: bytes, measure: Measure, filler: bytes = b"") -> Iterator[Piece]:
    """The whole frames of `data`; what lies between them goes to `report`. Noise alone is an error with its place."""
    return taken(report, data, pieces(data, measure, filler))


def taken(report: Report, data: bytes, cut: Iterable[Piece]) -> Iterator[Piece]:
    """The whole frames among the pieces that `data` was `cut` into, as `recognised` does."""
    rest: list[Piece] = []
    found = False
    for piece in cut:
        if piece.whole:
            if report.full(piece.at):
                break
            found = True
            yield piece
        elif piece.wanted or len(rest) <= MAX_PER_CODE:
            rest.append(piece)
    for piece in rest:
        if found or piece.wanted:
            note_rest(report, piece)
        else:
            first = piece.data[:8].hex(" ").upper()
            report.add("error", piece.at, "capture.no-frame", size=len(data), first=first)


def bcd(data: bytes) -> int | None:
    """The number whose decimal digits `data` (high byte first) holds, two a byte; None when a digit is above 9."""
    text = data.hex()
    return int(text) if text.isdecimal() else None


def scaled(number: int, decimals: int) -> int | float:
    """`number` with its last `decimals` digits behind the point."""
    return round(number / 10**decimals, decimals) if decimals else number
