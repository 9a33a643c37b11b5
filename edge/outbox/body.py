"""What a block of the outbox holds: the messages of one flush, or of several that were merged, as columns.

A message is a run of observations of one device, at most 16 KB on the wire, and covers one number of its lane or
more. One byte says the form: 2 = zlib, 3 = raw LZMA, over

* the length of the header (4 bytes, big-endian) and the header, JSON: ``m`` = ``[[device, numbers, rows, unresolved],
  …]``, ``n`` = ``[[metric, kind, firsts, width, steps, width], …]``, ``s`` and ``t`` = shape of the next two columns,
  ``x`` = what no column can hold;
* the column of rows, all messages one after the other: 4 × index of the metric (the number of metrics = ``x``), plus 1
  if the time is not that of the row before, plus 2 if the quality or the value is said in ``x``;
* the column of times that changed: ms since the row before, in the first row of a message since that of the message
  before;
* per metric, the first value of each device, then the steps from value to value within a device
  (`edge.outbox.columns`).

Form 1 is what version 1 of the file held: one message as JSON, zlib. Rows keep the order in which the driver told them.
"""

from __future__ import annotations

import json
import lzma
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from edge.outbox.columns import Kind, difference, from_planes, planes, total, values, whole
from edge.outbox.stamp import is_unresolved
from protocols.errors import StorageError
from protocols.events import Event, Observation, Reading, Value

MAX_MESSAGE_BYTES: Final = 16 * 1024
"""A data message may have this many bytes on the wire."""
_ROOM: Final = MAX_MESSAGE_BYTES - 512
_READING_BYTES: Final = 56
"""A metric on the wire at most: alias 11, timestamp 8, value 10, flags 2, quality property 25."""
_SMALL: Final = 8192
"""Below this LZMA gains nothing over zlib."""
_LZMA: Final = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 18, "lc": 1, "lp": 0, "pb": 0}]
_MOST: Final = 64 * 1024 * 1024
"""Bytes that no body unpacks to."""

_UNREADABLE: Final = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    RuntimeError,
    OverflowError,
    zlib.error,
    lzma.LZMAError,
)
"""What a body that is not ours may lead to: RuntimeError is a column that ends too early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A message: observations of one `device` ('' = the gateway), in order, under `numbers` numbers of its lane."""

    device: str
    numbers: int
    observations: Sequence[Observation]


def wire_size(observation: Observation) -> int:
    """An upper bound for the bytes that `observation` takes in a data message."""
    if isinstance(observation, Event):
        return _READING_BYTES + len(observation.to_json().encode())
    value = observation.value
    return _READING_BYTES + (len(value.encode()) if isinstance(value, str) else 0)


def split(observations: Iterable[Observation]) -> Iterator[list[Observation]]:
    """`observations` in parts that each fit a data message, in order."""
    part: list[Observation] = []
    size = 0
    for observation in observations:
        more = wire_size(observation)
        if part and size + more > _ROOM:
            yield part
            part, size = [], 0
        part.append(observation)
        size += more
    if part:
        yield part


def pack(parts: Sequence[Part]) -> bytes:
    """The body of a block: at least one message, none of them empty."""
    packing = _Packing()
    for part in parts:
        packing.add(part)
    document = packing.document()
    if len(document) < _SMALL:
        return b"\x02" + zlib.compress(document, 6)
    return b"\x03" + lzma.compress(document, lzma.FORMAT_RAW, filters=_LZMA)


class _Packing:
    """One document in the making."""

    def __init__(self) -> None:
        self._messages: list[list[object]] = []
        self._places: dict[str, int] = {}
        self._told: list[list[tuple[str, object]]] = []
        self._rows: list[tuple[int, int]] = []
        self._steps: list[int] = []
        self._odd: list[list[object]] = []
        self._at = 0

    def add(self, part: Part) -> None:
        """Add a message."""
        before, begin = self._at, True
        unresolved = any(is_unresolved(item.at_ms) for item in part.observations)
        self._messages.append([part.device, part.numbers, len(part.observations), int(unresolved)])
        for item in part.observations:
            moved = begin or item.at_ms != before
            if moved:
                self._steps.append(difference(item.at_ms, before))
            place, odd = self._place(part.device, item)
            self._rows.append((place, moved + 2 * odd))
            if begin:
                self._at, begin = item.at_ms, False
            before = item.at_ms

    def _place(self, device: str, item: Observation) -> tuple[int, bool]:
        if isinstance(item, Event):
            self._odd.append([item.kind, dict(item.data), item.id])
            return -1, False
        place = self._places.setdefault(item.metric, len(self._places))
        if place == len(self._told):
            self._told.append([])
        if item.value is None:
            self._odd.append([item.quality])
            return place, True
        self._told[place].append((device, item.value))
        if item.quality != "good":
            self._odd.append([item.quality, 1])
        return place, item.quality != "good"

    def document(self) -> bytes:
        """The whole."""
        columns: list[bytes] = []

        def column(numbers: Sequence[int]) -> list[int]:
            raw, width = planes(numbers)
            columns.append(raw)
            return [len(numbers), width]

        count = len(self._places)
        header: dict[str, Any] = {"m": self._messages, "n": [], "x": self._odd}
        header["s"] = column([4 * (count if place < 0 else place) + flags for place, flags in self._rows])
        header["t"] = column(self._steps)
        for name, told in zip(self._places, self._told, strict=True):
            kind, numbers = whole([value for _, value in told])
            if kind == "j":
                header["n"].append([name, kind, [value for _, value in told]])
                continue
            firsts, steps = _steps([device for device, _ in told], numbers)
            header["n"].append([name, kind, *column(firsts), *column(steps)])
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        return len(text).to_bytes(4) + text + b"".join(columns)


def _steps(devices: Sequence[str], numbers: Sequence[int]) -> tuple[list[int], list[int]]:
    """The first number of each device as a step from that of the device before, and the steps within a device."""
    last: dict[str, int] = {}
    firsts: list[int] = []
    steps: list[int] = []
    first = 0
    for device, number in zip(devices, numbers, strict=True):
        if device in last:
            steps.append(difference(number, last[device]))
        else:
            firsts.append(difference(number, first))
            first = number
        last[device] = number
    return firsts, steps


def _numbers(devices: Sequence[str], firsts: Sequence[int], steps: Sequence[int]) -> Iterator[int]:
    """What `_steps` was given. Raises IndexError for too few."""
    last: dict[str, int] = {}
    first = at = 0
    for device in devices:
        if device in last:
            number = total(last[device], steps[at])
            at += 1
        else:
            number = first = total(first, firsts[len(last)])
        last[device] = number
        yield number


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a body: `offset` is its first number counted from the first of the block."""

    device: str
    offset: int
    numbers: int
    unresolved: bool


@dataclass(slots=True)
class Body:
    """An unpacked block. `messages` in the order of their numbers; `read` makes the observations of one."""

    messages: tuple[Message, ...]
    _read: list[list[Observation]] = field(repr=False)

    @property
    def numbers(self) -> int:
        """How many numbers all messages cover."""
        return sum(message.numbers for message in self.messages)

    def read(self, index: int) -> list[Observation]:
        """The observations of one message."""
        return self._read[index]

    def parts(self) -> list[Part]:
        """Everything, as it was packed."""
        return [
            Part(device=message.device, numbers=message.numbers, observations=read)
            for message, read in zip(self.messages, self._read, strict=True)
        ]


def unpack(body: bytes) -> Body:
    """The messages of a block. Raises StorageError for a body that cannot be read."""
    try:
        if body[:1] == b"\x01":
            return _first_form(json.loads(_inflated(body[1:])))
        if body[:1] == b"\x02":
            return _Unpacking(_inflated(body[1:])).body()
        if body[:1] == b"\x03":
            decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA)
            document = decompressor.decompress(body[1:], _MOST)
            if not decompressor.eof:
                raise ValueError("truncated")
            return _Unpacking(document).body()
        raise ValueError(f"form {body[:1]!r}")
    except _UNREADABLE as error:
        raise StorageError("edge.outbox.unreadable-block", why=str(error)) from error


def _inflated(packed: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    document = decompressor.decompress(packed, _MOST)
    if not decompressor.eof:
        raise ValueError("truncated")
    return document


class _Unpacking:
    """One document being read."""

    def __init__(self, document: bytes) -> None:
        size = int.from_bytes(document[:4])
        header = json.loads(document[4 : 4 + size])
        self._document, self._at = document, 4 + size
        self._messages = [_message_of(*message) for message in header["m"]]
        self._names: list[str] = [column[0] for column in header["n"]]
        self._odd: list[list[Any]] = header["x"]
        self._rows = [divmod(row, 4) for row in self._column(*header["s"])]
        self._steps = iter(self._column(*header["t"]))
        devices = self._devices()
        self._values = [self._chain(told, *column) for told, column in zip(devices, header["n"], strict=True)]
        if self._at != len(document):
            raise ValueError("length")

    def body(self) -> Body:
        """Read everything."""
        messages: list[Message] = []
        read: list[list[Observation]] = []
        offset = start = 0
        rows, odd = iter(self._rows), iter(self._odd)
        for device, numbers, count, unresolved in self._messages:
            told = list(self._observations(device, islice(rows, count), odd, start))
            if len(told) != count:
                raise ValueError("rows")
            messages.append(Message(device=device, offset=offset, numbers=numbers, unresolved=unresolved))
            read.append(told)
            offset, start = offset + numbers, told[0].at_ms
        return Body(tuple(messages), read)

    def _observations(
        self, device: str, rows: Iterable[tuple[int, int]], odd: Iterator[list[Any]], at: int
    ) -> Iterator[Observation]:
        names, told = self._names, self._values
        for place, flags in rows:
            if flags & 1:
                at = total(at, next(self._steps))
            if place == len(names):
                kind, data, identity = next(odd, [])
                yield Event(device=device, kind=kind, at_ms=at, data=data, id=identity)
            elif flags & 2:
                quality, *good = next(odd, [])
                value = next(told[place]) if good else None
                yield Reading(device=device, metric=names[place], value=value, at_ms=at, quality=quality)
            else:
                yield Reading(device=device, metric=names[place], value=next(told[place]), at_ms=at)

    def _devices(self) -> list[list[str]]:
        """Of each metric, the device of every value, in the order of the rows."""
        found: list[list[str]] = [[] for _ in self._names]
        rows, odd = iter(self._rows), iter(self._odd)
        for device, _, count, _ in self._messages:
            for place, flags in islice(rows, count):
                said = next(odd, []) if flags & 2 or place == len(found) else [None, 1]
                if place < len(found) and len(said) > 1:
                    found[place].append(device)
        return found

    def _chain(self, devices: list[str], _name: str, kind: Kind, *shape: Any) -> Iterator[Value]:
        if kind == "j":
            return iter(shape[0])
        firsts, steps = self._column(*shape[:2]), self._column(*shape[2:])
        if len(firsts) + len(steps) != len(devices):
            raise ValueError("column")
        return iter(values(kind, list(_numbers(devices, firsts, steps))))

    def _column(self, count: int, width: int) -> list[int]:
        begin, self._at = self._at, self._at + count * width
        return from_planes(self._document[begin : self._at], count, width)


def _message_of(device: object, numbers: object, rows: object, unresolved: object) -> tuple[str, int, int, bool]:
    if isinstance(device, str) and isinstance(numbers, int) and isinstance(rows, int) and min(numbers, rows) > 0:
        return device, numbers, rows, bool(unresolved)
    raise TypeError("message")


def _first_form(document: Any) -> Body:
    """Version 1: ``{"d": device, "t": ms, "n": [metric, …], "r": [[metric or -1, ms since t, …], …]}``."""
    device, start, names = document["d"], document["t"], document["n"]
    told: list[Observation] = []
    for place, since, *rest in document["r"]:
        if place < 0:
            kind, data, identity = rest
            told.append(Event(device=device, kind=kind, at_ms=start + since, data=data, id=identity))
        else:
            value, quality = (*rest, "good")[:2]
            told.append(Reading(device=device, metric=names[place], value=value, at_ms=start + since, quality=quality))
    if not told or not isinstance(device, str):
        raise ValueError("message")
    return Body((Message(device=device, offset=0, numbers=1, unresolved=False),), [told])
