"""What a block of the outbox holds: observations of one device and lane, compact, readable without anything else.

One byte says the form (1), then zlib over a JSON document ``{"d": device, "t": ms, "n": [metric, …], "r": [row, …]}``.
A row is ``[index of the metric, ms since t, value]``, with the quality as a fourth item unless it is good; of an event
``[-1, ms since t, kind, data, id]``. Rows keep the order in which the driver told them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from protocols.errors import StorageError
from protocols.events import Event, Observation, Reading

MAX_MESSAGE_BYTES: Final = 16 * 1024
"""A data message may have this many bytes on the wire."""
_ROOM: Final = MAX_MESSAGE_BYTES - 512
_FORM: Final = b"\x01"
_READING_BYTES: Final = 56
"""A metric on the wire at most: alias 11, timestamp 8, value 10, flags 2, quality property 25."""


def wire_size(observation: Observation) -> int:
    """An upper bound for the bytes that `observation` takes in a data message."""
    if isinstance(observation, Event):
        return _READING_BYTES + len(observation.to_json().encode())
    value = observation.value
    return _READING_BYTES + (len(value.encode()) if isinstance(value, str) else 0)


def split(observations: Sequence[Observation]) -> Iterator[list[Observation]]:
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


def pack(observations: Sequence[Observation]) -> bytes:
    """The body of a block. All of one device, at least one."""
    start = min(observation.at_ms for observation in observations)
    names: dict[str, int] = {}
    rows: list[list[object]] = []
    for item in observations:
        if isinstance(item, Event):
            rows.append([-1, item.at_ms - start, item.kind, dict(item.data), item.id])
            continue
        row: list[object] = [names.setdefault(item.metric, len(names)), item.at_ms - start, item.value]
        rows.append(row if item.quality == "good" else [*row, item.quality])
    document = {"d": observations[0].device, "t": start, "n": list(names), "r": rows}
    return _FORM + zlib.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def unpack(body: bytes) -> list[Observation]:
    """The observations of a block. Raises StorageError for a body that cannot be read."""
    try:
        if body[:1] != _FORM:
            raise ValueError(f"form {body[:1]!r}")
        document = json.loads(zlib.decompress(body[1:]))
        device, start, names = document["d"], document["t"], document["n"]
        return [_observation(device, start, names, row) for row in document["r"]]
    except (ValueError, KeyError, IndexError, TypeError, zlib.error) as error:
        raise StorageError("edge.outbox.unreadable-block", why=str(error)) from error


def _observation(device: str, start: int, names: list[str], row: list[object]) -> Observation:
    index, offset, *rest = row
    if not isinstance(index, int) or not isinstance(offset, int):
        raise TypeError("row")
    if index < 0:
        kind, data, identity = rest
        if not isinstance(kind, str) or not isinstance(data, dict) or not isinstance(identity, str):
            raise TypeError("event")
        return Event(device=device, kind=kind, at_ms=start + offset, data=data, id=identity)
    value = rest[0]
    if value is not None and not isinstance(value, int | float | str):
        raise TypeError("value")
    if len(rest) > 1:
        quality = rest[1]
        if quality not in ("uncertain", "bad"):
            raise ValueError("quality")
        return Reading(device=device, metric=names[index], value=value, at_ms=start + offset, quality=quality)
    return Reading(device=device, metric=names[index], value=value, at_ms=start + offset)
