"""Values that go into the outbox and come out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from edge.outbox.body import Body
from edge.outbox.losses import Loss
from edge.outbox.stamp import Time, resolved
from protocols.delivery import Lane, MessageId
from protocols.errors import StorageError
from protocols.events import Observation
from protocols.rules import RuleState

Position = tuple[int, int]
"""Where sending stands in a lane: (epoch's row, first number)."""
START: Final[Position] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBlock:
    """Observations of one device that make one message, in order."""

    lane: Lane
    device: str
    observations: Sequence[Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A stored message. `position` orders it within its lane; `device` is '' for the gateway itself.

    `time`: what is known of the stamps of its observations; `offset_ms` resolves them. `fault`: it cannot be read.
    """

    id: MessageId
    device: str
    position: Position
    time: Time = "known"
    offset_ms: int | None = None
    body: Body | None = field(default=None, repr=False)
    index: int = 0
    fault: StorageError | None = None

    def read(self) -> list[Observation]:
        """Its observations, their times resolved unless `time` is ``unknown``. Raises StorageError."""
        if self.body is None:
            raise self.fault or StorageError("edge.outbox.unreadable-block", why="")
        told = self.body.read(self.index)
        if self.offset_ms is None or not self.body.messages[self.index].unresolved:
            return told
        return [replace(item, at_ms=resolved(item.at_ms, self.offset_ms)) for item in told]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRecord:
    """The state of a local rule on a device, and the indices of its actions that no device has confirmed yet."""

    rule: str
    device: str
    state: RuleState
    owed: tuple[int, ...] = ()


@dataclass(slots=True, kw_only=True)
class Commit:
    """What goes to the disk in one transaction. `told`: losses of which its events tell."""

    blocks: list[NewBlock] = field(default_factory=list)
    driver_states: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    rules: list[RuleRecord] = field(default_factory=list)
    told: list[Loss] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.blocks or self.driver_states or self.rules)
