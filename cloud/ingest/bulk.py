"""The messages of a group, decoded together: numbers as columns over all of them, the rest message by message.

Plain numbers of known channels are read straight from the bytes (`shapes`), without a step per metric. Whatever is not
plain (no alias, no time, a quality, a type that is not the birth's, an integer that no float holds), `decode` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.ingest import shapes
from cloud.ingest.decode import GOOD, Columns, decode
from cloud.ingest.directory import BOOLEAN, DOUBLE, FLOAT, SIGNED_AT, UNSIGNED_AT, WIDTHS, Directory
from cloud.ingest.shapes import Gathered, Read, Words
from cloud.ingest.work import Message
from cloud.storage.readings import MAX_MS

_EXACT: Final = 1 << 53
"""Beyond, a column of numbers holds only some integers."""

_PLACES: Final = 1 << 17
"""More than a message has metrics."""
_WIDTHS: Final = np.array(WIDTHS)
_INT32: Final = 4
_NOTHING: Final = Columns()

Mask = NDArray[np.bool_]


@dataclass(slots=True, kw_only=True)
class Numbers:
    """Readings that are numbers: columns of equal length, in the order of messages and of places in them.

    `message`: which of the group's; `channel`: its number in the `Directory`; `at_ms`: ms since 1970 UTC;
    `value`: NaN is unknown; `transient`: what is not kept.
    """

    message: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    place: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    channel: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    at_ms: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    value: NDArray[np.float64] = field(default_factory=lambda: np.empty(0, np.float64))
    quality: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    transient: Mask = field(default_factory=lambda: np.empty(0, np.bool_))

    def __len__(self) -> int:
        return len(self.channel)

    def at(self, rows: Mask | NDArray[np.intp]) -> Numbers:
        """Some of them."""
        return Numbers(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})


@dataclass(slots=True, kw_only=True)
class Content:
    """What the messages of a group say: the numbers of all, and of each what else there is (not its own numbers)."""

    columns: list[Columns] = field(default_factory=list)
    numbers: Numbers = field(default_factory=Numbers)

    def only(self, kept: Sequence[int]) -> Content:
        """The content of some messages, which are rising places; they are counted anew."""
        if len(kept) == len(self.columns):
            return self
        place = np.full(len(self.columns), -1, np.int32)
        place[list(kept)] = np.arange(len(kept))
        numbers = self.numbers.at(place[self.numbers.message] >= 0)
        numbers.message = place[numbers.message]
        return Content(columns=[self.columns[index] for index in kept], numbers=numbers)


def decode_all(messages: Sequence[Message | None], directory: Directory) -> Content:
    """The content of these messages; None stands for one that need not be opened. Never raises for what they say."""
    gathered, birth = Gathered(), _Births(len(messages))
    by_hand: dict[int, list[int] | None] = {}
    for index, message in enumerate(messages):
        if message is None:
            continue
        channels = message.table.numbers(directory)
        if channels and gathered.add(index, message.raw, len(message.payload.metrics)):
            birth.add(index, message.table.lowest, channels)
        else:
            by_hand[index] = None
    odd = list(gathered.odd)
    parts = []
    for read in gathered.read():
        numbers, plain = birth.explain(read, directory)
        odd += zip(read.message[~plain].tolist(), read.place[~plain].tolist(), strict=True)
        parts.append(numbers if plain.all() else numbers.at(plain))
    for index, place in sorted(odd):
        places = by_hand.setdefault(index, [])
        assert places is not None
        places.append(place)
    columns = [_NOTHING] * len(messages)
    for index, places in by_hand.items():
        message = messages[index]
        assert message is not None
        columns[index] = decode(message.payload, message.table, message.received_ms, places)
        parts.append(_numbers(columns[index], index, directory))
    return Content(columns=columns, numbers=_joined(parts))


class _Births:
    """The aliases that each message of a group is read with."""

    def __init__(self, messages: int) -> None:
        self._lowest = np.zeros(messages, np.uint64)
        self._size = np.zeros(messages, np.uint64)
        self._begin = np.zeros(messages, np.int64)
        self._begins: dict[int, int] = {}
        self._tables: list[bytes] = []
        self._length = 0

    def add(self, message: int, lowest: int, channels: bytes) -> None:
        """A message is read with these channels (int32), from alias `lowest` on."""
        size = len(channels) // _INT32
        begin = self._begins.get(id(channels))
        if begin is None:
            begin = self._begins[id(channels)] = self._length
            self._tables.append(channels)
            self._length += size
        self._lowest[message], self._size[message] = lowest, size
        self._begin[message] = begin

    def explain(self, read: Read, directory: Directory) -> tuple[Numbers, Mask]:
        """The readings that metrics are, and which of them are plain; the others mean nothing."""
        after = read.alias - self._lowest[read.message]
        plain = after < self._size[read.message]
        table = np.frombuffer(b"".join(self._tables), np.int32)
        channel = table[np.where(plain, self._begin[read.message] + after.astype(np.int64), 0)]
        plain &= (channel >= 0) & (read.at_ms > 0) & (read.at_ms <= MAX_MS)
        how = directory.how[channel]
        value = np.zeros(len(channel))
        for which in np.unique(read.which):
            rows = read.which == which
            if rows.all():
                value, fits = _values(which, read.value, how)
                plain &= fits
            else:
                value[rows], fits = _values(which, read.value[rows], how[rows])
                plain[rows] &= fits
        numbers = Numbers(
            message=read.message,
            place=read.place,
            channel=channel,
            at_ms=read.at_ms.astype(np.int64),
            value=value,
            quality=np.full(len(channel), GOOD, np.int16),
            transient=np.zeros(len(channel), np.bool_),
        )
        return numbers, plain


def _values(which: int, bits: Words, how: NDArray[np.uint8]) -> tuple[NDArray[np.float64], Mask]:
    """The numbers that a field of the message says, and which of them their channels may have."""
    if which in (shapes.DOUBLE, shapes.FLOAT):
        value = bits.view(np.float64) if which == shapes.DOUBLE else bits.astype(np.uint32).view(np.float32)
        fits = (how == (DOUBLE if which == shapes.DOUBLE else FLOAT)) & np.isfinite(value)
        return value.astype(np.float64), fits
    if which == shapes.BOOLEAN:
        return bits.astype(np.float64), (how == BOOLEAN) & (bits <= 1)
    if which not in (shapes.INT, shapes.LONG):
        return np.zeros(len(bits)), np.zeros(len(bits), np.bool_)
    return _integers(bits, how)


def _integers(bits: Words, how: NDArray[np.uint8]) -> tuple[NDArray[np.float64], Mask]:
    """Integers as `protocols.sparkplug.datatype` reads them: two's complement of the type's width, or of 32 or 64."""
    width = _WIDTHS[how & 3].astype(np.uint64)
    signed = how >= SIGNED_AT
    above = np.where(width < 64, bits >> np.minimum(width, np.uint64(63)), np.uint64(0))
    shift = np.uint64(64) - width
    number = (bits << shift).view(np.int64) >> shift.astype(np.int64)
    extended = number.view(np.uint64)
    whole = (bits == extended) | (bits == extended & np.uint64(0xFFFF_FFFF)) | (above == 0)
    value = np.where(signed, number, bits.astype(np.int64))
    fits = (how >= UNSIGNED_AT) & np.where(signed, whole, above == 0) & (np.abs(value) <= _EXACT)
    return value.astype(np.float64), fits


def _numbers(columns: Columns, message: int, directory: Directory) -> Numbers:
    """The readings of one message."""
    size = len(columns.channel)
    transient = np.zeros(size, np.bool_)
    transient[columns.transient] = True
    return Numbers(
        message=np.full(size, message, np.int32),
        place=np.array(columns.place, np.int32),
        channel=np.array([directory.number(channel) for channel in columns.channel], np.int32),
        at_ms=np.array(columns.at_ms, np.int64),
        value=np.array(columns.value, np.float64),
        quality=np.array(columns.quality, np.int16),
        transient=transient,
    )


def _joined(parts: Sequence[Numbers]) -> Numbers:
    """All of them, in the order of messages and places."""
    some = [part for part in parts if len(part)]
    if not some:
        return Numbers()
    numbers = some[0]
    if len(some) > 1:
        columns = {one.name: np.concatenate([getattr(part, one.name) for part in some]) for one in fields(Numbers)}
        numbers = Numbers(**columns)
    order = numbers.message.astype(np.int64) * _PLACES + numbers.place
    return numbers if (np.diff(order) > 0).all() else numbers.at(np.argsort(order))
