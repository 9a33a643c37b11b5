"""Data by aliases that no birth has explained yet: they wait for the birth that was asked for, bounded.

Only data without a number wait here; a numbered message that is not acknowledged comes again by itself. What waits too
long, or for what there is no room, is given back by `overdue` and belongs into the poison store.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from protocols.sparkplug.host import NodeKey
from protocols.sparkplug.payload import RawPayload
from protocols.sparkplug.topics import MessageType, node_topic

WAIT_S: Final = 60.0
"""How long data wait for a birth; a rebirth is asked for at once, and again after ten seconds and more."""
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_PER_NODE: Final = 256 * 1024
"""Bytes that wait at most, of all nodes and of one: a flood of one does not push out the others."""
MOST_TOO_LATE: Final = 100
"""What waits for `overdue` at most: of a flood the newest are kept, as the worker keeps the newest it cannot read."""
AT_ONCE: Final = 50
"""What `overdue` gives back at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A data message of a node (`device` '') or a device, or what of it nobody could explain."""

    node: NodeKey
    device: str
    kind: MessageType
    payload: RawPayload
    size: int
    since: float

    @property
    def topic(self) -> str:
        """Where it came from."""
        return node_topic(self.node[0], self.kind, self.node[1], self.device or None)


class WaitingRoom:
    """Single-threaded: the worker's thread."""

    def __init__(self) -> None:
        self._waiting: dict[NodeKey, deque[Waiting]] = {}
        self._bytes: dict[NodeKey, int] = {}
        self._too_late: deque[Waiting] = deque(maxlen=MOST_TOO_LATE)

    def keep(self, waiting: Waiting) -> None:
        """Another one; the oldest ones of its node, or of the node with most, go if there is no room."""
        self._waiting.setdefault(waiting.node, deque()).append(waiting)
        self._bytes[waiting.node] = self._bytes.get(waiting.node, 0) + waiting.size
        while self._bytes.get(waiting.node, 0) > MOST_PER_NODE:
            self._too_late.append(self._first(waiting.node))
        while sum(self._bytes.values()) > MOST_BYTES:
            self._too_late.append(self._first(max(self._bytes, key=self._bytes.__getitem__)))

    def born(self, node: NodeKey, device: str) -> list[Waiting]:
        """What a birth explains now, the oldest first."""
        everything = self._waiting.pop(node, deque())
        self._bytes.pop(node, None)
        rest = deque(one for one in everything if one.device != device)
        if rest:
            self._waiting[node], self._bytes[node] = rest, sum(one.size for one in rest)
        return [one for one in everything if one.device == device]

    def overdue(self, at: float) -> list[Waiting]:
        """What nobody explained in time, and what had to make room; at most `AT_ONCE` of it."""
        for node in list(self._waiting):
            while node in self._waiting and at - self._waiting[node][0].since >= WAIT_S:
                self._too_late.append(self._first(node))
        return [self._too_late.popleft() for _ in range(min(AT_ONCE, len(self._too_late)))]

    def _first(self, node: NodeKey) -> Waiting:
        first = self._waiting[node].popleft()
        self._bytes[node] -= first.size
        if not self._waiting[node]:
            del self._waiting[node], self._bytes[node]
        return first
