"""Which stored message goes next, what is in flight, and which of its values are history by now."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from edge.outbox.body import wire_size
from edge.outbox.stamp import Time, is_unresolved
from edge.outbox.store import LANES, START, Block, Outbox, Position
from edge.uplink.view import metric_of
from protocols.catalog import Datatype
from protocols.delivery import Acknowledgement, Lane, MessageId, NumberSet, Window
from protocols.delivery.numbers import MAX_NUMBER
from protocols.errors import StorageError
from protocols.events import EVENT_METRIC, MAX_EVENT_BYTES, Event, Observation, Reading
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import QUALITY_STALE, Metric

_PAGE: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message that may go now. `size` is an upper bound in bytes."""

    block: Block
    observations: tuple[Observation, ...]
    size: int


class Sending:
    """The order of sending: urgent before bulk; in a lane older epochs first, then by number. One thread.

    Bulk waits until it is known when it was observed; urgent does not.

    A lane is read from a position on; what was not confirmed in time sets that position back to the beginning.
    """

    def __init__(self, outbox: Outbox, unreadable: Callable[[Block, StorageError], None]) -> None:
        self._outbox, self._unreadable = outbox, unreadable
        self._window = Window()
        self._at: dict[Lane, Position] = dict.fromkeys(LANES, START)
        self._pages: dict[Lane, deque[Outgoing]] = {lane: deque() for lane in LANES}
        self._flying: dict[MessageId, None] = {}

    @property
    def window(self) -> Window:
        """What is in flight."""
        return self._window

    def next(self) -> Outgoing | None:
        """The message that goes next, if the window lets one go."""
        for lane in LANES:
            head = self.head(lane)
            if head is not None and self._window.may_send(lane, head.size):
                return head
        return None

    def head(self, lane: Lane) -> Outgoing | None:
        """The next message of `lane`, whether or not the window lets it go."""
        page = self._pages[lane]
        while not page and self._turn_page(lane):
            pass
        return page[0] if page else None

    def sent(self, outgoing: Outgoing, now: float) -> None:
        """It went out."""
        message = outgoing.block.id
        self._pages[message.lane].popleft()
        self._window.sent(message, outgoing.size, now)
        self._flying[message] = None

    def confirmed(self, messages: Iterable[MessageId], now: float) -> None:
        """They are stored where they should be."""
        for message in messages:
            self._window.acknowledged(message, now)
            self._flying.pop(message, None)

    def asked(self, ack: Acknowledgement) -> float:
        """The last moment at which something went out that `ack` answers and that nobody can have had before; or 0.

        Of what is sent again, also by an earlier agent, nobody knows which sending is answered.
        """
        epoch, times = self._outbox.epoch, (self._window.sent_once(m) for m in self._flying if _inside(m, ack))
        return max((at for at in times if at is not None), default=0.0) if ack.epoch == epoch else 0.0

    def hear(self, ack: Acknowledgement, now: float) -> None:
        """Obey an acknowledgement: what it has is done, what it lacks is queued again. Raises StorageError."""
        speaks = NumberSet([(ack.speaks_from, ack.speaks_to or MAX_NUMBER)])
        again = self._outbox.acknowledge(ack.epoch, ack.lane, ack.received, speaks)
        self.confirmed([message for message in self._flying if _inside(message, ack)], now)
        if again:
            self.rewind(ack.lane)
        else:
            self._pages[ack.lane] = deque(o for o in self._pages[ack.lane] if not _inside(o.block.id, ack))

    def expire(self, now: float) -> int:
        """Queue again what was not confirmed in time; how many messages these are."""
        late = self._window.expired(now)
        for message in late:
            self._flying.pop(message, None)
        for lane in {message.lane for message in late}:
            self.rewind(lane)
        return len(late)

    def rewind(self, lane: Lane) -> None:
        """Begin at the oldest message again; what is in flight is passed over."""
        self._at[lane] = START
        self._pages[lane].clear()

    def reset(self) -> None:
        """The connection is gone, and what was in flight with it."""
        self._window.reset()
        self._flying.clear()
        for lane in LANES:
            self.rewind(lane)

    def _turn_page(self, lane: Lane) -> bool:
        blocks = self._outbox.queued(lane, self._at[lane], _PAGE, unresolved=lane is Lane.URGENT)
        for block in blocks:
            self._at[lane] = block.position
            if block.id in self._window:
                continue
            try:
                observations = tuple(block.read())
            except StorageError as error:
                self._unreadable(block, error)
                continue
            size = 128 + sum(wire_size(observation) for observation in observations)
            self._pages[lane].append(Outgoing(block=block, observations=observations, size=size))
        return bool(blocks)


def _inside(message: MessageId, ack: Acknowledgement) -> bool:
    ours = message.epoch == ack.epoch and message.lane is ack.lane
    return ours and ack.received.contains(message.first, message.last)


def _marked(event: Event, time: Time) -> Event:
    """`event`, saying so itself if its time is not known: no quality belongs to it where it is stored."""
    marked = event if time == "known" else replace(event, data={**event.data, "time": time})
    return marked if len(marked.to_json()) <= MAX_EVENT_BYTES else event


class History:
    """Whether a value is older than the last one sent for its metric in this session, by order of appending."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str], tuple[Position, int]] = {}
        self._born: dict[str, tuple[Mapping[Lane, Position], Mapping[str, Reading]]] = {}

    def begin(self) -> None:
        """A new birth of the node."""
        self._sent.clear()
        self._born.clear()

    def born(self, device: str, heads: Mapping[Lane, Position], values: Mapping[str, Reading]) -> None:
        """A birth of `device` said `values`, when `heads` were the newest messages."""
        self._born[device] = heads, values

    def metrics(self, outgoing: Outgoing, datatype: Callable[[str, str], Datatype]) -> list[Metric]:
        """The values of a message as metrics, by name."""
        return [self._metric(outgoing.block, row, o, datatype) for row, o in enumerate(outgoing.observations)]

    def _metric(
        self, block: Block, row: int, observation: Observation, datatype: Callable[[str, str], Datatype]
    ) -> Metric:
        if isinstance(observation, Event):
            return Metric(
                name=EVENT_METRIC,
                datatype=DataType.STRING,
                value=_marked(observation, block.time).to_json(),
                timestamp_ms=None if is_unresolved(observation.at_ms) else observation.at_ms,
                is_historical=self._older(block, row, EVENT_METRIC, None),
            )
        historical = self._older(block, row, observation.metric, observation)
        metric = metric_of(observation, datatype(block.device, observation.metric), historical=historical)
        return metric if block.time == "known" or metric.quality is not None else replace(metric, quality=QUALITY_STALE)

    def _older(self, block: Block, row: int, metric: str, reading: Reading | None) -> bool:
        key, place = (block.device, metric), (block.position, row)
        before = self._sent.get(key)
        if before is not None and place < before:
            return True
        self._sent[key] = place
        heads, values = self._born.get(block.device, ({}, {}))
        said = values.get(metric)
        newest = heads.get(block.id.lane)
        return said is not None and newest is not None and block.position <= newest and said != reading
