"""How a driver is asked, from another thread, to read a device at once: a bounded queue for the driver's own thread."""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass
from typing import Final

from edge.drivers.awaited import Awaited
from protocols.errors import DeviceError, LiandongError

MAX_WAITING: Final = 16


@dataclass(slots=True, kw_only=True, eq=False)
class ReadRequest(Awaited):
    """Somebody waits until `device` was read."""

    device: str


class ReadRequests:
    """`ask` is for any thread, `take` and `refuse` for the driver's own."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[ReadRequest] = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._open: set[ReadRequest] = set()

    def ask(self, device: str, timeout_s: float) -> None:
        """Wait until `device` was read, at most `timeout_s`. Raises DeviceError."""
        request = ReadRequest(device=device)
        with self._lock:
            self._open.add(request)
        try:
            self._waiting.put_nowait(request)
            if not request.wait(timeout_s):
                raise DeviceError("edge.command.not-read", device=device, timeout_s=timeout_s)
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
