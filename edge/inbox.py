"""What the primary host writes to one metric of the gateway: a bounded queue, and a thread of its own that works on it.

Offers get a ticket that counts once, for a time, by the monotonic clock (see `protocols.downward`).
"""

from __future__ import annotations

import contextlib
import queue
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar
from uuid import UUID

from edge.log import Log
from protocols.downward import Offered, Ticketed
from protocols.errors import LiandongError, ProtocolError

MAX_WAITING: Final = 64
_RETRY_S: Final = 1.0

_Offer = TypeVar("_Offer", bound=Offered)
_Part = TypeVar("_Part", bound=Ticketed)


@dataclass(slots=True, kw_only=True)
class Expected(Generic[_Offer]):
    """What was offered, and may arrive with this ticket until a moment of the monotonic clock."""

    offer: _Offer
    until: float
    ticket: UUID = field(default_factory=uuid.uuid4)

    def fits(self, said: Ticketed, now: float) -> bool:
        """Whether `said` belongs to it, and is in time."""
        return (said.id, said.ticket) == (self.offer.id, self.ticket) and now < self.until


class Inbox(Generic[_Offer, _Part]):
    """Owns its thread. `what` it is about begins the names in the log."""

    def __init__(
        self,
        what: str,
        log: Log,
        *,
        host: str,
        read: Callable[[object], _Offer | _Part],
        offered: Callable[[_Offer], None],
        received: Callable[[_Part], None],
        between: Callable[[], float | None] = lambda: None,
    ) -> None:
        """`offered` and `received` are given what `read` makes of a message of `host`.

        `between` is called before each wait; it says for how many seconds to wait at most (None: for ever).
        """
        self._what, self._log, self._host = what, log, host
        self._parse, self._offered, self._received, self._between = read, offered, received, between
        self._waiting: queue.Queue[Callable[[], None]] = queue.Queue(MAX_WAITING)
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)

    def hear(self, value: object) -> None:
        """What a host wrote. Never blocks: with too many waiting it is dropped, and comes again."""
        self.do(lambda: self._read(value))

    def do(self, work: Callable[[], None]) -> None:
        """Work that the thread is to do in its turn. Never blocks: with too many waiting it is dropped."""
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            self._log.warning(f"{self._what}-message-dropped", limit=MAX_WAITING)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """End after the work in hand, which has 5 s; what waits is dropped. May be called by the thread itself."""
        self.stopping.set()
        with contextlib.suppress(queue.Full):  # then it is awake anyway
            self._waiting.put_nowait(lambda: None)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                work = self._waiting.get(timeout=self._between())
                if not self.stopping.is_set():
                    work()
            except queue.Empty:
                continue
            except LiandongError as error:  # the host offers again; perhaps the disk has room then
                self._log.error(f"{self._what}-failed", error=error)
                self.stopping.wait(_RETRY_S)
            except Exception:  # noqa: BLE001 - one message must not end what the gateway depends on
                self._log.error(f"{self._what}-crashed", trace=True)
                self.stopping.wait(_RETRY_S)

    def _read(self, value: object) -> None:
        try:
            said = self._parse(value)
        except ProtocolError as error:
            self._log.warning(f"{self._what}-message-refused", error=error)
            return
        if said.host != self._host:
            self._log.warning(f"{self._what}-of-another-host", host=said.host)
        elif isinstance(said, Offered):
            self._offered(said)
        else:
            self._received(said)
