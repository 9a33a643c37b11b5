"""What the worker has to commit: births and deaths in their order, and data messages in two queues, urgent first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from cloud.ingest.channels import Session, Table
from protocols.delivery import Lane, MessageId
from protocols.sparkplug.host import NodeKey
from protocols.sparkplug.payload import RawPayload
from protocols.sparkplug.topics import MessageType, node_topic

GROUP_MESSAGES: Final = 2_000
GROUP_BYTES: Final = 2 * 1024 * 1024
"""What one transaction takes at most. Unbatched at low load, as large as the queue at high load: no timer is needed.

Of what gateways may have on their way one transaction should take no more than a third: while it is stored the next is
opened, and the one after that arrives.
"""
GROUP_TURNS: Final = 100
"""Births and deaths that one transaction takes: a storm of births must not hold its locks for long."""
BACKLOG_BYTES: Final = 64 * 1024 * 1024
"""What may wait in memory at most. Beyond, the oldest numbered bulk is forgotten; see `Backlog.full`."""


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
    heard: bytes = b""
    """The payload's bytes as they came, where they are known."""

    @property
    def raw(self) -> bytes:
        """The payload's bytes."""
        return self.heard or self.payload.SerializeToString()

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
    """What waits for a transaction. The worker's thread alone changes it; `oldest` may be asked from any."""

    def __init__(self, *, limit: int = BACKLOG_BYTES) -> None:
        self._limit = limit
        self._turns: dict[object, Turn] = {}
        self._unread: deque[Unread] = deque(maxlen=100)
        self._urgent: deque[Message] = deque()
        self._bulk: deque[Message] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._turns) + len(self._urgent) + len(self._bulk)

    def __bool__(self) -> bool:
        return bool(self._turns or self._urgent or self._bulk or self._unread)

    @property
    def has_turns(self) -> bool:
        """Whether births or deaths wait."""
        return bool(self._turns)

    @property
    def is_urgent(self) -> bool:
        """Whether a message waits that is numbered and not bulk."""
        return any(message.id is not None for message in self._urgent)

    @property
    def has_plain(self) -> bool:
        """Whether a message waits that has no number, and so never comes again."""
        return any(message.id is None for message in self._urgent)

    @property
    def has_much_bulk(self) -> bool:
        """Whether a quarter of a group of bulk waits: less is not worth a flight yet, and does not stay so little."""
        many = len(self._bulk) >= GROUP_MESSAGES // 4 or self._bytes >= GROUP_BYTES // 4
        return bool(self._bulk) and many

    @property
    def is_pressing(self) -> bool:
        """Whether anything waits that goes before bulk."""
        return bool(self._turns or self._urgent or self._unread)

    @property
    def full(self) -> bool:
        """Whether no more can be taken: what waits would not come again if it was forgotten, or is urgent."""
        return self._bytes > self._limit and not self._bulk

    @property
    def oldest(self) -> float | None:
        """When the message that has waited longest arrived (monotonic seconds); None when none waits."""
        found = []
        for lane in (self._urgent, self._bulk):
            with suppress(IndexError):  # its only message was taken a moment ago
                found.append(lane[0].arrived)
        return min(found, default=None)

    def waiting(self, most: int) -> dict[str, float]:
        """When the oldest message of each group arrived (monotonic seconds), among `most` messages of each lane."""
        found: dict[str, float] = {}
        for message in chain(islice(self._urgent, most), islice(self._bulk, most)):
            group = message.session.node[0]
            found[group] = min(message.arrived, found.get(group, message.arrived))
        return found

    def turn(self, turn: Turn) -> None:
        """A birth or a death. They are few, and only newer ones of the same thing replace them."""
        key = turn.table.station if isinstance(turn, Born) else object()
        self._turns.pop(key, None)
        self._turns[key] = turn

    def forget_turns(self, forgets: Callable[[str], bool]) -> None:
        """Births and deaths of groups that another worker carries now: it may have heard newer ones."""
        self._turns = {key: turn for key, turn in self._turns.items() if not forgets(_group(turn))}

    def unread(self, unread: Unread) -> None:
        """Something for the poison store; a flood of it keeps the newest hundred."""
        self._unread.append(unread)

    def message(self, message: Message) -> int:
        """A data message; how many older ones had to be forgotten for it, each of which comes again."""
        lane = self._bulk if message.id is not None and message.id.lane is Lane.BULK else self._urgent
        lane.append(message)
        self._bytes += message.size
        forgotten = 0
        while self._bytes > self._limit and self._bulk and len(self) > 1:
            self._bytes -= self._bulk.popleft().size
            forgotten += 1
        return forgotten

    def take(self) -> Group:
        """The next group: births and deaths with what is urgent, in a transaction of its own; else bulk."""
        keys = list(islice(self._turns, GROUP_TURNS))
        group = Group(turns=[self._turns.pop(key) for key in keys], unread=list(self._unread))
        self._unread.clear()
        group.messages = self._some(self._urgent)
        return group or self.take_bulk()

    def take_urgent(self) -> Group:
        """Numbered urgent messages alone: they come again, whatever becomes of these."""
        plain = [message for message in self._urgent if message.id is None]
        numbered = deque(message for message in self._urgent if message.id is not None)
        group = Group(messages=self._some(numbered))
        self._urgent = deque([*numbered, *plain])
        return group

    def put_first(self, messages: Sequence[Message]) -> None:
        """What was taken as urgent and could not be stored."""
        self._urgent.extendleft(reversed(messages))
        self._bytes += sum(message.size for message in messages)

    def take_bulk(self) -> Group:
        """Bulk alone."""
        return Group(messages=self._some(self._bulk))

    def _some(self, lane: deque[Message]) -> list[Message]:
        """As many as a transaction takes."""
        found: list[Message] = []
        size = 0
        while lane and len(found) < GROUP_MESSAGES and size < GROUP_BYTES:
            message = lane.popleft()
            size += message.size
            found.append(message)
        self._bytes -= size
        return found

    def give_back(self, group: Group) -> None:
        """The group did not commit. Its messages are forgotten and will come again; births and deaths stay."""
        newer, self._turns = self._turns, {}
        for turn in (*group.turns, *newer.values()):
            self.turn(turn)


def _group(turn: Turn) -> str:
    return turn.session.node[0] if isinstance(turn, Born) else turn.node[0]
