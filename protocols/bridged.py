"""What the devices behind a bridge have in common: its JSON, when one was heard, and when its battery is low."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from protocols.catalog import DEVICE_TYPES
from protocols.events import Value

BATTERY_LOW: Final = 15.0
"""Percent, for devices that do not say themselves when their battery is low."""
_LONGEST: Final = 4_000_000  # the list of a large Zigbee network, with all that its devices expose
_MOST_DOCUMENTS: Final = 50_000
_OLDEST_MS: Final = 7 * 86_400_000
_FIRST_MS: Final = 1_514_764_800_000  # 2018: no bridge that writes such times is older
_LATEST_MS: Final = 253_402_300_799_999  # the year 9999
_APART_MS: Final = 2000
"""Two clocks that agree may be as far apart as this: what lies no further ahead was heard now."""


def read_json(payload: bytes) -> Any:
    """What `payload` says. Raises ValueError, also for half a surrogate pair, which is no text; and RecursionError."""
    body = json.loads(payload)
    if b"\\u" in payload:
        json.dumps(body, ensure_ascii=False).encode()
    return body


def captured(data: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Where each message of a capture begins, its topic (empty where none stands there), and its JSON.

    JSON documents one behind the other, or an array of them, or lines as ``mosquitto_sub -v`` prints them: a topic, a
    blank, JSON. What is longer is cut.
    """
    documents = _documents(data)
    if documents is not None:
        yield from ((at, "", text) for at, text in documents)
        return
    at = 0
    for line in data.splitlines(keepends=True):
        text = line.strip()
        if text:
            topic, brace, rest = text.partition(b"{")
            yield at, topic.decode("utf-8", "replace").strip(), brace + rest[:_LONGEST]
        at += len(line)


def _documents(data: bytes) -> list[tuple[int, bytes]] | None:
    """Where each JSON object of `data` begins; None when it is not made of those, or has one on each line."""
    first, _, more = data.strip().partition(b"\n")
    if first[:1] not in (b"{", b"[") or (more and _is_json(first)):
        return None
    found: list[tuple[int, bytes]] = []
    try:
        text = data.decode()
        end = offset = 0
        while (begins := _skip(text, end, "[,]")) < len(text) and len(found) < _MOST_DOCUMENTS:
            offset += len(text[end:begins].encode())
            _, end = json.JSONDecoder().raw_decode(text, begins)
            document = text[begins:end].encode()
            found.append((offset, document))
            offset += len(document)
    except (ValueError, RecursionError):
        return None
    return found


def _skip(text: str, at: int, more: str) -> int:
    """The next place that is neither blank nor one of `more`: arrays are taken apart, however deep."""
    while at < len(text) and (text[at].isspace() or text[at] in more):
        at += 1
    return at


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def observed_at(seen: object, now_ms: int, ahead_ms: Iterable[int] = (0,), *, kept: bool = False) -> int:
    """When a device was heard, ms since 1970 UTC, by what its bridge wrote: `seen` (ISO 8601, or ms), else `now_ms`.

    `ahead_ms`: by how much our time may be ahead of the clock that wrote `seen`; what comes nearest to `now_ms` counts.
    A time that lies ahead, or more than seven days back, is a clock that is not set: then `now_ms` too. What a broker
    `kept` may be older, for its device may be silent since: so it is no news then.
    """
    if isinstance(seen, str):
        try:
            moment = datetime.fromisoformat(seen)
        except ValueError:
            return now_ms
        seen = moment.timestamp() * 1000 if moment.tzinfo is not None else None
    if isinstance(seen, bool) or not isinstance(seen, int | float) or not 0 <= seen <= _LATEST_MS:
        return now_ms
    stamps = [round(seen) + ahead for ahead in ahead_ms]
    oldest_ms = _FIRST_MS if kept else now_ms - _OLDEST_MS
    possible = [min(stamp, now_ms) for stamp in stamps if oldest_ms <= stamp <= now_ms + _APART_MS]
    return max(possible, default=now_ms)


def with_battery_low(device_type: str, metrics: Mapping[str, Value | None]) -> dict[str, Value | None]:
    """`metrics` with ``battery-low`` from ``battery`` (%), where the type has it and the device does not tell it."""
    found = dict(metrics)
    battery = found.get("battery")
    if "battery-low" in found or battery is None or isinstance(battery, str):
        return found
    if DEVICE_TYPES[device_type].metric("battery-low") is not None:
        found["battery-low"] = battery <= BATTERY_LOW
    return found
