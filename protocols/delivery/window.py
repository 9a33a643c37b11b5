"""How much an agent may have in flight: additive increase, halving on a time-out that follows the round trip."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final

from protocols.delivery.address import Lane, MessageId

START_MESSAGES: Final = 32
START_SIZE: Final = 64 * 1024
MOST_MESSAGES: Final = 256
MOST_SIZE: Final = 1024 * 1024
LEAST_SIZE: Final = 2 * 1024
_MOST_AGAIN: Final = 4 * MOST_MESSAGES

MOST_QUEUE: Final = 1.0
"""Seconds that a message may wait on the link behind what was sent before; beyond that the window shrinks again."""

FIRST_TIMEOUT: Final = 5.0
LEAST_TIMEOUT: Final = 2.0
MOST_TIMEOUT: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Flight:
    size: int
    sent_at: float
    deadline: float
    again: bool


class Window:
    """What is in flight, and whether more may go. Times are seconds of a monotonic clock, sizes bytes.

    Bulk gets at most half of the bytes, so urgent never waits behind more than half a window; a lane with nothing in
    flight may always send one message, whatever its size. What lies on the link is measured: by so much is a round trip
    longer than the shortest one.
    """

    def __init__(self, *, messages: int = START_MESSAGES, size: int = START_SIZE) -> None:
        self._start = (float(messages), float(size))
        self._messages, self._size = self._start
        self._flights: dict[MessageId, _Flight] = {}
        self._bytes = dict.fromkeys(Lane, 0)
        self._count = dict.fromkeys(Lane, 0)
        self._again: dict[MessageId, None] = {}
        self._halved_at = float("-inf")
        self._smooth: float | None = None
        self._shortest = float("inf")
        self._vary = 0.0
        self._backoff = 1.0

    @property
    def messages(self) -> int:
        """Messages that may be in flight."""
        return int(self._messages)

    @property
    def size(self) -> int:
        """Bytes that may be in flight."""
        return int(self._size)

    @property
    def timeout(self) -> float:
        """Seconds that a message sent now is waited for (RFC 6298, with a floor for coalesced acknowledgements)."""
        base = FIRST_TIMEOUT if self._smooth is None else self._smooth + 4 * self._vary
        return min(MOST_TIMEOUT, max(LEAST_TIMEOUT, base) * self._backoff)

    @property
    def in_flight(self) -> int:
        """Messages in flight."""
        return len(self._flights)

    def __contains__(self, message: MessageId) -> bool:
        return message in self._flights

    def sent_once(self, message: MessageId) -> float | None:
        """When `message` went out, if it is in flight for the first time."""
        flight = self._flights.get(message)
        return None if flight is None or flight.again else flight.sent_at

    def may_send(self, lane: Lane, size: int) -> bool:
        """Whether a message of `size` bytes of `lane` may go now."""
        if not self._count[lane]:
            return True
        if len(self._flights) >= self.messages or sum(self._bytes.values()) + size > self._size:
            return False
        return lane is Lane.URGENT or self._bytes[lane] + size <= self._size / 2

    def sent(self, message: MessageId, size: int, now: float) -> None:
        """`message` went out. Raises ValueError if it is in flight already."""
        if message in self._flights:
            raise ValueError(str(message))
        self._flights[message] = _Flight(size, now, now + self.timeout, message in self._again)
        self._bytes[message.lane] += size
        self._count[message.lane] += 1

    def acknowledged(self, message: MessageId, now: float) -> None:
        """`message` was stored. The round trip counts only for what was sent once (Karn's rule)."""
        self._again.pop(message, None)
        flight = self._take(message)
        if flight is None:
            return
        if not flight.again:
            self._measure(now - flight.sent_at)
        share = 1 / self._messages
        if self._smooth is not None and self._smooth - self._shortest > MOST_QUEUE:
            share = -share
        self._messages = min(MOST_MESSAGES, max(1.0, self._messages + share))
        self._size = min(MOST_SIZE, max(float(LEAST_SIZE), self._size + share * self._start[1] / self._start[0]))

    def expired(self, now: float) -> tuple[MessageId, ...]:
        """What was not acknowledged in time: taken out of flight, to be queued again. Halves once per loaded window."""
        late = tuple(message for message, flight in self._flights.items() if flight.deadline <= now)
        sent_since = False
        for message in late:
            flight = self._take(message)
            sent_since = sent_since or (flight is not None and flight.sent_at >= self._halved_at)
        self._remember(late)
        if sent_since:
            self._messages = max(1.0, self._messages / 2)
            self._size = max(float(LEAST_SIZE), self._size / 2)
            self._halved_at = now
            self._backoff = min(MOST_TIMEOUT, self._backoff * 2)
        return late

    def next_expiry(self) -> float | None:
        """When `expired` will next have something to tell; None with nothing in flight."""
        return min((flight.deadline for flight in self._flights.values()), default=None)

    def reset(self) -> tuple[MessageId, ...]:
        """The connection is gone: nothing is in flight any more (what was, is returned), and the window starts anew."""
        lost = tuple(self._flights)
        self._remember(lost)
        for message in lost:
            self._take(message)
        self._messages, self._size = self._start
        self._halved_at = float("-inf")
        self._shortest = float("inf")
        self._backoff = 1.0
        return lost

    def forget(self, message: MessageId) -> None:
        """`message` was deleted on the gateway: neither in flight nor ever sent again."""
        self._again.pop(message, None)
        self._take(message)

    def _remember(self, late: tuple[MessageId, ...]) -> None:
        self._again.update(dict.fromkeys(late))
        for message in islice(tuple(self._again), max(0, len(self._again) - _MOST_AGAIN)):
            del self._again[message]

    def _take(self, message: MessageId) -> _Flight | None:
        flight = self._flights.pop(message, None)
        if flight is not None:
            self._bytes[message.lane] -= flight.size
            self._count[message.lane] -= 1
        return flight

    def _measure(self, trip: float) -> None:
        self._shortest = min(self._shortest, trip)
        if self._smooth is None:
            self._smooth, self._vary = trip, trip / 2
        else:
            self._vary += (abs(self._smooth - trip) - self._vary) / 4
            self._smooth += (trip - self._smooth) / 8
        self._backoff = 1.0
