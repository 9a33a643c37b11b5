"""Times of observations while nobody knows what time it is.

An agent whose clock is not set stamps with the machine's monotonic clock: ``at_ms = unresolved(monotonic ms)``. Such
a stamp is an `int` like any other, far below every real time (`is_unresolved`): differences and order within a boot are
right. The outbox stores it as it is, one column of deltas, whichever of the two kinds a stamp is; which boot of the
machine it belongs to is stored once per opening of the file (table `boot`). How it is used:

* ``Outbox(path, now_ms=…, quota=…, boot=<boot_id of the kernel>)``: this opening belongs to that boot.
* ``outbox.boots()``: every boot of which something is held, the oldest first (`Boot`): known offset or None, and the
  span of its stamps, for a policy that places it between its neighbours.
* ``outbox.set_offset(boot.row, offset_ms, estimated=False)``: wall ms = monotonic ms + offset. Set once and for good: a
  later call for the same boot changes nothing and returns False. From then on `queued` hands out resolved times.
* ``outbox.queued(lane, after, limit, unresolved=False)`` stops at the first message whose time is not known yet: it
  waits. With ``unresolved=True`` such messages are handed out with `Block.time` ``unknown`` and unresolved stamps. They
  are noted on the disk before, and stay ``unknown`` for ever: what was sent with a stamp keeps it.
* ``Block.time``: ``known``, ``estimated`` (offset with ``estimated=True``) or ``unknown``.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final, Literal

Time = Literal["known", "estimated", "unknown"]
"""What is known of the times of a message."""

_BASE: Final = -(1 << 61)
_LIMIT: Final = _BASE // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One boot of the machine. `row` orders them; `uuid` is None for what version 1 of the file held.

    `offset_ms`: wall = monotonic + offset, None as long as nobody knows. `monotonic_ms` and `wall_ms` are the first and
    last stamp of either kind in the messages that are still held, None without any.
    """

    row: int
    uuid: uuid.UUID | None
    offset_ms: int | None
    estimated: bool
    monotonic_ms: tuple[int, int] | None
    wall_ms: tuple[int, int] | None


def unresolved(monotonic_ms: int) -> int:
    """The stamp `at_ms` of an observation at `monotonic_ms` (of this boot) whose wall time is not known."""
    return _BASE + monotonic_ms


def is_unresolved(at_ms: int) -> bool:
    """Whether `at_ms` came from `unresolved`."""
    return at_ms < _LIMIT


def monotonic_of(at_ms: int) -> int:
    """The monotonic ms that `unresolved` was given."""
    return at_ms - _BASE


def resolved(at_ms: int, offset_ms: int | None) -> int:
    """`at_ms` as wall ms where that is possible, else as it is."""
    return at_ms - _BASE + offset_ms if offset_ms is not None and is_unresolved(at_ms) else at_ms
