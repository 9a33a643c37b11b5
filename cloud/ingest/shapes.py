"""Metrics of many messages at once, straight from their protobuf bytes (field numbers: Sparkplug 3.0.0, chapter 6).

Metrics of data look alike: an alias, a time and a number, in fields of the same widths. So the metrics of a length are
laid under one another as rows of bytes. A row that has the tags and the varint widths of a known shape is read by
columns: no step per metric. Whatever looks otherwise is not read here, and told as such.

A varint is read little end first, seven bits a byte (Protocol Buffers, "Encoding").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

ALIAS: Final = 2
TIMESTAMP: Final = 3
INT: Final = 10
LONG: Final = 11
FLOAT: Final = 12
DOUBLE: Final = 13
BOOLEAN: Final = 14
_DATATYPE: Final = 4
_HISTORICAL: Final = 5
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_READ: Final = {
    ALIAS: _VARINT,
    TIMESTAMP: _VARINT,
    _DATATYPE: _VARINT,
    _HISTORICAL: _VARINT,
    INT: _VARINT,
    LONG: _VARINT,
    FLOAT: _FIXED32,
    DOUBLE: _FIXED64,
    BOOLEAN: _VARINT,
}
"""What a metric may hold that is read here; its type says nothing new (the birth told it)."""
_VALUES: Final = frozenset((INT, LONG, FLOAT, DOUBLE, BOOLEAN))
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_WIDEST: Final = 8
"""Bytes of a field: a word of 64 bits is what is read at once, 56 of a varint."""
_METRICS_TAG: Final = 0x12
_MOST_SHAPES: Final = 16
"""Of metrics of one length; more is no regular sender, and is read one by one."""
_LONGEST: Final = 127
"""Bytes of a metric whose length is told in one byte; longer ones are no plain numbers."""
_PAD: Final = bytes(8)
"""Behind the last row, so that eight bytes can be read from any place."""

Words = NDArray[np.uint64]
Places = NDArray[np.int32]


@dataclass(slots=True)
class Runs:
    """Stretches of metrics of one length: their bytes, and per stretch the message, the first place and how many."""

    pieces: list[bytes] = field(default_factory=list)
    message: list[int] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Read:
    """Metrics that were read, columns of equal length. `value` holds the bits of field `which` (0: not read at all)."""

    message: Places
    place: Places
    alias: Words
    at_ms: Words
    which: NDArray[np.uint8]
    value: Words


@dataclass(frozen=True, slots=True)
class Shape:
    """Where things stand in metrics of a certain form. `mask` and `pattern`: the bits that all of them share.

    `at`: field → where it begins, and how many bytes it has. `which`: the field of the value, 0 for what is not read.
    """

    mask: bytes
    pattern: bytes
    at: dict[int, tuple[int, int]]
    which: int


class Gathered:
    """The metrics of a group's messages, sorted by length."""

    def __init__(self) -> None:
        self._runs: dict[int, Runs] = {}
        self.odd: list[tuple[int, int]] = []
        """Messages and places of metrics that are too long to be looked at."""

    def add(self, message: int, raw: bytes, metrics: int) -> bool:
        """Take the `metrics` of a payload's bytes. False: these bytes cannot be walked through, nothing was taken."""
        found, odd = list[tuple[int, int, int, int]](), list[tuple[int, int]]()
        at, place, end = 0, 0, len(raw)
        while at < end:
            size = raw[at + 1] if at + 1 < end else 0
            if raw[at] == _METRICS_TAG and size <= _LONGEST:
                count = _alike(raw, at, size + 2)
                found.append((size, at, place, count))
                at, place = at + count * (size + 2), place + count
                continue
            if raw[at] == _METRICS_TAG:
                odd.append((message, place))
                place += 1
            at = _skipped(raw, at)
        if at != end or place != metrics:
            return False
        for size, begin, first, count in found:
            runs = self._runs.setdefault(size, Runs())
            runs.pieces.append(raw[begin : begin + count * (size + 2)])
            runs.message.append(message)
            runs.place.append(first)
            runs.count.append(count)
        self.odd += odd
        return True

    def read(self) -> Iterator[Read]:
        """Everything, by length; within a length in the order of messages and places."""
        for size, runs in self._runs.items():
            yield _read(size + 2, runs)


def _alike(raw: bytes, at: int, step: int) -> int:
    """How many metrics of one length follow each other."""
    if raw[at + step : at + step + 2] != raw[at : at + 2]:
        return 1
    tags, sizes = raw[at::step], raw[at + 1 :: step]
    return min(len(tags) - len(tags.lstrip(tags[:1])), len(sizes) - len(sizes.lstrip(sizes[:1])))


def _skipped(raw: bytes, at: int) -> int:
    """Where the field after this one begins; beyond the end when it makes no sense."""
    tag, end = raw[at], len(raw)
    if tag & 0x87 == _VARINT:
        at, last = at + 1, min(end, at + 11)
        while at < last:
            if raw[at] < 0x80:
                return at + 1
            at += 1
        return end + 1
    if tag & 0x87 != _DELIMITED:
        return end + 1
    if at + 1 < end and raw[at + 1] < 0x80:
        return at + 2 + raw[at + 1]
    number, at = _varint(raw, at + 1)
    return at + number


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """A varint, and where it ends; beyond the end of `raw` when it does not end."""
    number = shift = 0
    while at < len(raw) and shift < 70:
        byte = raw[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    return 0, len(raw) + 1


def _read(step: int, runs: Runs) -> Read:
    counts = np.array(runs.count)
    size = int(counts.sum())
    first = np.repeat(np.array(runs.place) - np.cumsum(counts) + counts, counts)
    found = Read(
        message=np.repeat(np.array(runs.message, np.int32), counts),
        place=(first + np.arange(size)).astype(np.int32),
        alias=np.zeros(size, np.uint64),
        at_ms=np.zeros(size, np.uint64),
        which=np.zeros(size, np.uint8),
        value=np.zeros(size, np.uint64),
    )
    buffer = b"".join((*runs.pieces, _PAD))
    left = np.ones(size, bool)
    for _ in range(_MOST_SHAPES):
        row = int(left.argmax())
        if not left[row]:
            break
        shape = shape_of(buffer[row * step : (row + 1) * step])
        if shape is None:
            left[row] = False
            continue
        alike = _fits(buffer, step, size, shape) & left
        if shape.which:
            _take(found, buffer, step, shape, alike)
        left &= ~alike
    return found


def shape_of(metric: bytes) -> Shape | None:
    """The shape of a metric, two bytes of tag and length before it; None when it makes no sense."""
    mask, pattern = bytearray(b"\xff\xff"), bytearray(metric[:2])
    at, seen, plain = 2, dict[int, tuple[int, int]](), True
    while at < len(metric):
        tag = metric[at]
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            after = _varint(metric, at + 1)[1]
            told = b"\x80" * (after - at - 1)
        elif wire in _FIXED:
            after = at + 1 + _FIXED[wire]
            told = bytes(after - at - 1)
        elif wire == _DELIMITED and at + 1 < len(metric):
            after = at + 2 + metric[at + 1]
            told = b"\xff" + bytes(after - at - 2)
        else:
            return None
        if after > len(metric):
            return None
        plain &= number not in seen and _READ.get(number) == wire and not tag & 0x80 and after - at <= _WIDEST + 1
        seen[number] = (at + 1, after - at - 1)
        mask += b"\xff" + told
        pattern += bytes([tag, *(byte & bits for byte, bits in zip(metric[at + 1 : after], told, strict=True))])
        at = after
    values = seen.keys() & _VALUES
    plain &= ALIAS in seen and TIMESTAMP in seen and len(values) == 1
    return Shape(bytes(mask), bytes(pattern), seen, values.pop() if plain else 0)


def _fits(buffer: bytes, step: int, size: int, shape: Shape) -> NDArray[np.bool_]:
    """Which rows have this shape."""
    fit = np.ones(size, bool)
    for at in range(0, step, 8):
        mask = int.from_bytes(shape.mask[at : at + 8], "little")
        pattern = int.from_bytes(shape.pattern[at : at + 8], "little")
        fit &= (_words(buffer, step, size, at) & np.uint64(mask)) == np.uint64(pattern)
    return fit


def _take(found: Read, buffer: bytes, step: int, shape: Shape, rows: NDArray[np.bool_]) -> None:
    size = len(rows)
    which = shape.which
    at, width = shape.at[which]
    if which in (FLOAT, DOUBLE):
        value = _words(buffer, step, size, at) & np.uint64((1 << 8 * width) - 1)
    else:
        value = _varints(buffer, step, size, at, width)
    alias = _varints(buffer, step, size, *shape.at[ALIAS])
    at_ms = _varints(buffer, step, size, *shape.at[TIMESTAMP])
    if rows.all():
        found.alias, found.at_ms, found.value = alias, at_ms, value
        found.which[:] = which
        return
    np.copyto(found.alias, alias, where=rows)
    np.copyto(found.at_ms, at_ms, where=rows)
    np.copyto(found.value, value, where=rows)
    found.which[rows] = which


def _words(buffer: bytes, step: int, size: int, at: int) -> Words:
    """Eight bytes from `at` of every row."""
    return np.ndarray((size,), np.dtype("<u8"), buffer, at, (step,)).astype(np.uint64)


def _varints(buffer: bytes, step: int, size: int, at: int, width: int) -> Words:
    words = _words(buffer, step, size, at)
    found = words & np.uint64(0x7F)
    for index in range(1, width):
        found |= (words >> np.uint64(index)) & np.uint64(0x7F << 7 * index)
    return found
