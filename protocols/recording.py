"""A recorded line: what went over it, which way and when, as text that a person and ``liandong decode --hex`` read.

One burst a line: its bytes in hexadecimal, ``|``, seconds since the recording began, and the way: ``to`` the device,
``from`` it, or ``line`` when a listener could not tell. ``#`` begins a line of comment; the first says what this is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from protocols.errors import ConfigError

Way = Literal["to", "from", "line"]
WAYS: Final[tuple[Way, ...]] = get_args(Way)
MOST_BURSTS: Final = 200_000
"""A recording with more is not read: so many fit into what ``liandong decode`` takes."""
MOST_BYTES: Final = 65_536
"""A burst with more is written as several."""
_MARK: Final = "# liandong recording 1"
_NOTE_PARTS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Bytes that came without a pause. `at_s`: seconds from the beginning of the recording to the first of them."""

    at_s: float
    way: Way
    data: bytes

    def line(self) -> str:
        """The line of the file, without its end."""
        return f"{self.data.hex(' ').upper()} | {self.at_s:.4f} {self.way}"


def head(about: str) -> str:
    """The first line. `about`: when it began, and on which line; control characters become blanks."""
    return f"{_MARK} · {''.join(one if one.isprintable() else ' ' for one in about)}"


def read(text: str) -> list[Burst]:
    """The bursts of a recording, in order. Raises ConfigError that names the line (from 1) and what is wrong there."""
    if not text.lstrip("\ufeff").startswith(_MARK):
        raise ConfigError("protocols.recording.foreign", mark=_MARK)
    found: list[Burst] = []
    for burst in _bursts(text.splitlines()):
        if len(found) >= MOST_BURSTS:
            raise ConfigError("protocols.recording.too-many", limit=MOST_BURSTS)
        found.append(burst)
    return found


def _bursts(lines: Iterable[str]) -> Iterator[Burst]:
    before_s = 0.0
    for number, line in enumerate(lines, start=1):
        digits, _, note = line.partition("|")
        if not digits.strip() or digits.lstrip("\ufeff ").startswith("#"):
            continue
        burst = _burst(number, digits, note.split())
        if burst.at_s < before_s:
            raise ConfigError("protocols.recording.backwards", line=number, at=burst.at_s, before=before_s)
        before_s = burst.at_s
        yield burst


def _burst(number: int, digits: str, note: list[str]) -> Burst:
    try:
        data = bytes.fromhex(digits)
        at_s = float(note[0])
        way = next(way for way in WAYS if way == note[1])
    except (ValueError, IndexError, StopIteration) as error:
        raise ConfigError("protocols.recording.line", line=number, ways=", ".join(WAYS)) from error
    if len(note) != _NOTE_PARTS or not data or not 0 <= at_s < float("inf"):
        raise ConfigError("protocols.recording.line", line=number, ways=", ".join(WAYS))
    return Burst(at_s=at_s, way=way, data=data)


class Bursts:
    """Puts bytes that come piece by piece together into bursts: a pause or the other way ends one."""

    def __init__(self, pause_s: float) -> None:
        """`pause_s`: how long nothing comes before a burst counts as ended."""
        self._pause_s = pause_s
        self._open: tuple[float, Way, bytearray] | None = None
        self._last_s = 0.0

    def add(self, at_s: float, way: Way, data: bytes) -> Iterator[Burst]:
        """Take `data`, which was heard at `at_s`; what ended before it."""
        if self._open is not None and (self._open[1] != way or len(self._open[2]) + len(data) > MOST_BYTES):
            yield from self.end()
        yield from self.pause(at_s)
        if self._open is None:
            self._open = at_s, way, bytearray()
        self._open[2].extend(data)
        self._last_s = at_s

    def pause(self, at_s: float) -> Iterator[Burst]:
        """Nothing was heard until `at_s`: the burst that has ended by then."""
        if self._open is not None and at_s - self._last_s >= self._pause_s:
            yield from self.end()

    def end(self) -> Iterator[Burst]:
        """What is left."""
        if self._open is not None:
            at_s, way, data = self._open
            self._open = None
            yield Burst(at_s=at_s, way=way, data=bytes(data))
