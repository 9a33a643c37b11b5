"""What answers on a line, in a thread of its own."""

from __future__ import annotations

import threading
from typing import Final, Protocol

_JOIN_S: Final = 2.0


class Line(Protocol):
    """A pty or a TCP port that a master opens."""

    echoes: bool

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def plugged(self) -> bool:
        """Whether it can be opened."""

    def plug(self) -> None:
        """Make it so that it can be opened."""

    def unplug(self) -> None:
        """Cut it off."""

    def read(self, size: int = 4096, timeout_s: float = 0.0) -> bytes:
        """What the master sent; empty when nothing came within `timeout_s`."""

    def write(self, data: bytes) -> int:
        """Send what fits now; the count that was sent."""


class Served:
    """Answers on `line` between `start` and `stop`; a subclass says how, and looks at `_stop`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Plug the line in and begin to answer."""
        self._line.plug()
        self._stop.clear()
        self._thread = threading.Thread(target=self._serve, name=f"line {self._line.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the line."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            self._thread = None
        self._line.unplug()

    def _serve(self) -> None:
        """Answer until `_stop` is set."""
        raise NotImplementedError
