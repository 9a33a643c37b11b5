"""Whether the newest birth of a node was answered for everything it declared, and when it must be repeated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from protocols.delivery.address import Acknowledgement, BirthId, Lane

FIRST_PAUSE: Final = 10.0
MOST_PAUSE: Final = 600.0


class BirthWatch:
    """The agent's side of reconciliation. Times are seconds of a monotonic clock.

    It obeys `host` only: a second cloud on the same broker must not make an agent delete what the first one lacks.
    """

    def __init__(self, host: str, *, first_pause: float = FIRST_PAUSE) -> None:
        self._host = host
        self._first_pause = first_pause
        self._pause = first_pause
        self._deadline = float("inf")
        self._birth: BirthId | None = None
        self._open: dict[tuple[UUID, Lane], int] = {}
        self._other_named = False

    @property
    def answered(self) -> bool:
        """Whether everything that the newest birth declared has been answered, and nothing names another birth."""
        return self._birth is not None and not self._open and not self._other_named

    def born(self, birth: BirthId, declared: Iterable[tuple[UUID, Lane]], now: float) -> None:
        """`birth` went out and declared these epochs and lanes. Only a repetition makes the pause longer."""
        if self.must_repeat(now):
            self._pause = min(MOST_PAUSE, self._pause * 2)
        self._birth = birth
        self._open = dict.fromkeys(declared, 1)
        self._other_named = False
        self._deadline = now + self._pause

    def hear(self, ack: Acknowledgement, now: float) -> bool:
        """Whether `ack` is to be obeyed: it comes from our host and names our newest birth."""
        if ack.host != self._host or self._birth is None:
            return False
        if ack.birth != self._birth:
            self._other_named = True
            return False
        self._other_named = False
        lane = (ack.epoch, ack.lane)
        heard_up_to = self._open.get(lane)
        if heard_up_to is not None and ack.speaks_from <= heard_up_to:
            if ack.speaks_to is None:
                del self._open[lane]
            else:
                self._open[lane] = max(heard_up_to, ack.speaks_to + 1)
        if not self._open and now >= self._deadline:
            self._pause = self._first_pause
        return True

    def must_repeat(self, now: float) -> bool:
        """Whether the birth must be sent again: unanswered for its pause, or acknowledgements name another one."""
        return now >= self._deadline and self._birth is not None and not self.answered

    def disconnected(self) -> None:
        """The session is over; nothing is waited for until the next birth, whose pause is short again."""
        self._pause = self._first_pause
        self._birth = None
        self._open = {}
        self._deadline = float("inf")
