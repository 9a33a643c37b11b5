"""What a bridge dated by a clock that was turned, and its gateway by one that was not: near enough. Pure.

On a real machine both have the same clock. The lab turns those of two processes, a moment apart, and by fractions of a
millisecond that no stamp carries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from liandong.lab.interrupted import Cause, Interruption
from liandong.lab.stored import STATES, Content, Key, Row

DATED_MS: Final = 5000
"""How far the time of a value may be from when it was shown, where the device does not tell it exactly."""
_TURNING_MS: Final = 1000


def turned(device: str, at_ms: int, content: Content, interruptions: Iterable[Interruption]) -> bool:
    """Whether the clock of the device's gateway was turned then."""
    gateway = content.gateway_of.get(device)
    return any(
        one.cause is Cause.TURNED
        and one.gateway == gateway
        and one.from_ms - _TURNING_MS <= at_ms <= one.to_ms + _TURNING_MS
        for one in interruptions
    )


def turning(device: str, at_ms: int, content: Content, interruptions: Iterable[Interruption]) -> bool:
    """Whether the clock of the device's gateway was just being turned: there or back."""
    gateway = content.gateway_of.get(device)
    edges = [
        edge
        for one in interruptions
        if one.cause is Cause.TURNED and one.gateway == gateway
        for edge in (one.from_ms, one.to_ms)
    ]
    return any(abs(at_ms - edge) <= _TURNING_MS for edge in edges)


def read_anew(device: str, at_ms: int, content: Content, interruptions: Sequence[Interruption]) -> bool:
    """Whether a later agent may have read it, which never saw the clock that dated it and takes its arrival."""
    gateway = content.gateway_of.get(device)
    mine = [one for one in interruptions if one.gateway == gateway]
    return any(
        turn.from_ms - _TURNING_MS <= at_ms <= turn.to_ms + _TURNING_MS
        and any(one.cause is Cause.KILLED and turn.from_ms <= one.to_ms <= turn.to_ms + _TURNING_MS for one in mine)
        for turn in mine
        if turn.cause is Cause.TURNED
    )


def redated(content: Content, expected: Collection[Key], interruptions: Sequence[Interruption]) -> Content:
    """`content`, its rows of turned clocks under the nearest key that lacks one, at most `DATED_MS` away."""
    there = {row.key for row in content.rows}
    lacking: dict[Key, list[Key]] = defaultdict(list)
    for key in expected:
        if key[1] in (*STATES, "sos") and key not in there and turned(str(key[0]), _at(key), content, interruptions):
            lacking[key[:-1]].append(key)
    return replace(content, rows=[_nearest(row, expected, lacking) for row in content.rows])


def _nearest(row: Row, expected: Collection[Key], lacking: dict[Key, list[Key]]) -> Row:
    if row.key in expected:
        return row
    near = [key for key in lacking.get(row.key[:-1], ()) if abs(_at(key) - row.at_ms) <= DATED_MS]
    if not near:
        return row
    key = min(near, key=lambda key: abs(_at(key) - row.at_ms))
    lacking[key[:-1]].remove(key)
    return replace(row, key=key)


def _at(key: Key) -> int:
    at_ms = key[-1]
    assert isinstance(at_ms, int)
    return at_ms
