"""How a driver is asked, from another thread, to read (or write) a device at once.

A bounded queue for the driver's own thread.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge.drivers.awaited import Awaited
from edge.drivers.port import DriverContext
from protocols.errors import DeviceError, LiandongError

MAX_WAITING: Final = 16


@dataclass(slots=True, kw_only=True, eq=False)
class ReadRequest(Awaited):
    """Somebody waits until `device` was read, or until `act` was done instead; it gives the seconds of an answer."""

    device: str
    act: Callable[[DriverContext], float] | None = None


class ReadRequests:
    """`ask` is for any thread, `take` and `refuse` for the driver's own."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[ReadRequest] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._open: set[ReadRequest] = set()

    def ask(
        self,
        device: str,
        timeout_s: float,
        act: Callable[[DriverContext], float] | None = None,
        late: LiandongError | None = None,
    ) -> None:
        """Wait until `device` was read, or `act` done, at most `timeout_s`.

        Raises DeviceError, and `late` when it took too long.
        """
        request = ReadRequest(device=device, act=act)
        with self._lock:
            self._open.add(request)
        try:
            self._waiting.put_nowait(request)
            if not request.wait(timeout_s):
                raise late or DeviceError("edge.command.not-read", device=device, timeout_s=timeout_s)
        except queue.Full:
            raise DeviceError("edge.command.busy", limit=MAX_WAITING) from None
        finally:
            with self._lock:
                self._open.discard(request)

    def take(self, wait_s: float = 0.0) -> ReadRequest | None:
        """The next request that somebody still waits for, waiting up to `wait_s` for one."""
        with contextlib.suppress(queue.Empty):
            request = self._waiting.get(timeout=wait_s) if wait_s > 0 else self._waiting.get_nowait()
            while request not in self._open:
                request = self._waiting.get_nowait()
            return request
        return None

    def refuse(self, error: LiandongError) -> None:
        """Nothing can be read now: whoever waits is told."""
        with self._lock:
            waiting = tuple(self._open)
        for request in waiting:
            request.finish(error)
