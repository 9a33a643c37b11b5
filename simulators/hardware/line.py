"""A serial line without a cable: a pty whose other end has a stable path, as ``/dev/serial/by-id`` gives."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from pathlib import Path


class PtyLine:
    """The hardware's end of a serial line; the driver opens `path`, a symbolic link to the pty.

    `unplug` is what pulling a USB adapter does: the driver's file fails and the path is gone; `plug` makes a new one.
    The slave stays open here, so that a driver that closes it does not hang the line up.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._master = -1
        self._slave = -1
        self.echoes = False
        """Whether the adapter gives back what the driver sends, as one does whose receiver is never off."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.name

    @property
    def plugged(self) -> bool:
        """Whether the line has a path that can be opened."""
        return self._master >= 0

    def plug(self) -> None:
        """Open the pty and place its path; does nothing when it is plugged."""
        with self._lock:
            if self._master >= 0:
                return
            self._master, self._slave = pty.openpty()
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._remove_link()
            self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """Close both ends and remove the path; does nothing when it is not plugged."""
        with self._lock:
            if self._master < 0:
                return
            self._remove_link()
            os.close(self._slave)
            os.close(self._master)
            self._master = self._slave = -1

    def read(self, size: int = 4096, timeout_s: float = 0.0) -> bytes:
        """At most `size` bytes; waits up to `timeout_s` for the first. Empty when none come or nothing is plugged."""
        master = self._master
        if master < 0:
            return b""
        try:
            ready, _, _ = select.select([master], [], [], timeout_s)
            data = os.read(master, size) if ready else b""
            if self.echoes:
                os.write(master, data)
            return data
        except (OSError, ValueError):
            return b""

    def write(self, data: bytes) -> int:
        """Send what fits now; the count that was sent: 0 when nothing is plugged."""
        master = self._master
        if master < 0:
            return 0
        try:
            return os.write(master, data)
        except OSError:
            return 0

    def _remove_link(self) -> None:
        if self.path.is_symlink():
            self.path.unlink()
