"""Telemetry on its way to the disk: gathered in RAM and flushed in groups, the stated bound of what a kill may cost."""

from __future__ import annotations

from collections.abc import Iterable

from edge.outbox.body import split, wire_size
from edge.outbox.store import NewBlock
from protocols.delivery import Lane
from protocols.events import Observation


class Gather:
    """The bulk group in RAM. Due `flush_s` seconds after its first observation, or with `flush_bytes`. One thread."""

    def __init__(self, *, flush_s: float, flush_bytes: int) -> None:
        self._flush_s, self._flush_bytes = flush_s, flush_bytes
        self._held: list[Observation] = []
        self._size = 0
        self._due: float | None = None

    def __len__(self) -> int:
        return len(self._held)

    @property
    def due(self) -> float | None:
        """When the group must be flushed (monotonic seconds; 0 = it is full); None while it is empty."""
        return 0.0 if self._size >= self._flush_bytes else self._due

    def add(self, observations: Iterable[Observation], now: float) -> None:
        """Gather `observations`."""
        for observation in observations:
            self._held.append(observation)
            self._size += wire_size(observation)
        if self._held and self._due is None:
            self._due = now + self._flush_s

    def take(self) -> list[Observation]:
        """The group; a new one begins."""
        held, self._held = self._held, []
        self._size, self._due = 0, None
        return held


def blocks(lane: Lane, observations: Iterable[Observation]) -> list[NewBlock]:
    """`observations` as messages: one device each, at most 16 KB, the order within a device kept."""
    by_device: dict[str, list[Observation]] = {}
    for observation in observations:
        by_device.setdefault(observation.device, []).append(observation)
    return [
        NewBlock(lane=lane, device=device, observations=part)
        for device, group in by_device.items()
        for part in split(group)
    ]
