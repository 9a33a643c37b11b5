"""What one thread waits for and a driver's own thread does."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from protocols.errors import LiandongError


@dataclass(slots=True, kw_only=True, eq=False)
class Awaited:
    """Something that a driver's own thread does while another thread waits for it."""

    _done: threading.Event = field(default_factory=threading.Event, init=False)
    _error: LiandongError | None = field(default=None, init=False)

    def finish(self, error: LiandongError | None = None) -> None:
        """It was done, or `error` says why not. The first call counts."""
        if not self._done.is_set():
            self._error = error
            self._done.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether it was finished within `timeout_s`; raises what it was finished with."""
        finished = self._done.wait(timeout_s)
        if self._error is not None:
            raise self._error
        return finished
