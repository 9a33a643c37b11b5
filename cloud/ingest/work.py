"""What the worker has to commit: births and deaths in their order, and data messages in two queues, urgent first."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from cloud.ingest.channels import Session, Table
from protocols.delivery import Lane, MessageId
from protocols.sparkplug.host import NodeKey
from protocols.sparkplug.payload import RawPayload
from protocols.sparkplug.topics import MessageType, node_topic

GROUP_MESSAGES: Final = 2_000
GROUP_BYTES: Final = 4 * 1024 * 1024
"""What one transaction takes at most. Unbatched at low load, as large as the queue at high load: no timer is needed."""
BACKLOG_BYTES: Final = 64 * 1024 * 1024
"""What may wait in memory at most. Beyond, the oldest bulk messages are forgotten; nobody acknowledged them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Born:
    """A node (`table.station.code` is '') or one of its devices has given birth."""

    session: Session
    table: Table
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """A node (`device` None) or one of its devices is gone. `reason`: death, or silent (no answer to a roll call)."""

    node: NodeKey
    device: str | None
    at_ms: int
    reason: str
    plain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A node has had time for all births of its sequence: devices that are not `present` are offline."""

    node: NodeKey
    present: frozenset[str]
    at_ms: int


Turn = Born | Died | Settled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Message:
    """A data message (or the birth of a plain node) with the channels that explain it. `id` is None for a plain one."""

    session: Session
    table: Table
    kind: MessageType
    payload: RawPayload
    size: int
    id: MessageId | None
    received_ms: int
    arrived: float

    @property
    def topic(self) -> str:
        """Where it came from."""
        return node_topic(self.session.node[0], self.kind, self.session.node[1], self.table.station.code or None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unread:
    """Bytes that are no payload at all, or a birth that makes no sense."""

    topic: str
    payload: bytes
    code: str
    what: str


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """What one transaction takes."""

    turns: list[Turn] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.turns or self.messages or self.unread)


class Backlog:
    """What waits for a transaction. Not thread-safe; the worker's thread alone uses this."""

    def __init__(self, *, limit: int = BACKLOG_BYTES) -> None:
        self._limit = limit
        self._turns: list[Turn] = []
        self._unread: deque[Unread] = deque(maxlen=100)
        self._urgent: deque[Message] = deque()
        self._bulk: deque[Message] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._turns) + len(self._urgent) + len(self._bulk)

    def __bool__(self) -> bool:
        return bool(self._turns or self._urgent or self._bulk or self._unread)

    def turn(self, turn: Turn) -> None:
        """A birth or a death. They are few, and only newer ones of the same thing replace them."""
        if isinstance(turn, Born):
            self._turns = [old for old in self._turns if not _replaces(turn, old)]
        self._turns.append(turn)

    def unread(self, unread: Unread) -> None:
        """Something for the poison store; a flood of it keeps the newest hundred."""
        self._unread.append(unread)

    def message(self, message: Message) -> int:
        """A data message; how many older ones had to be forgotten for it."""
        lane = self._bulk if message.id is not None and message.id.lane is Lane.BULK else self._urgent
        lane.append(message)
        self._bytes += message.size
        forgotten = 0
        while self._bytes > self._limit and len(self) > 1:
            oldest = (self._bulk or self._urgent).popleft()
            self._bytes -= oldest.size
            forgotten += 1
        return forgotten

    def take(self) -> Group:
        """The next group: every birth and death, then urgent messages, then bulk as far as there is room."""
        group = Group(turns=self._turns, unread=list(self._unread))
        self._turns = []
        self._unread.clear()
        size = 0
        for lane in (self._urgent, self._bulk):
            while lane and len(group.messages) < GROUP_MESSAGES and size < GROUP_BYTES:
                message = lane.popleft()
                size += message.size
                group.messages.append(message)
        self._bytes -= size
        return group

    def give_back(self, group: Group) -> None:
        """The group did not commit. Its messages are forgotten and will come again; births and deaths stay."""
        newer, self._turns = self._turns, group.turns
        for turn in newer:
            self.turn(turn)


def _replaces(new: Born, old: Turn) -> bool:
    return isinstance(old, Born) and old.table.station is new.table.station
