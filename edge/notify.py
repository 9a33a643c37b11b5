"""What a supervisor such as systemd is told: that the agent runs, that it still works, that it ends (sd_notify(3)).

Without ``NOTIFY_SOCKET`` in the environment all of it does nothing.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from edge.log import Log
from protocols.errors import LiandongError

_OFTEN: Final = 3
"""Signs of life within the time after which systemd gives the agent up."""
_JOIN_S: Final = 15.0


class Supervisor:
    """Who started the agent. Sends are datagrams to a local socket: they do not wait, and a lost one does no harm."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        named = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + named[1:] if named.startswith("@") else named
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        micros = environment.get("WATCHDOG_USEC", "")
        self.watchdog_s = int(micros) / 1e6 if ours and micros.isascii() and micros.isdigit() else None

    def tell(self, text: str) -> None:
        """Send assignments such as ``READY=1``."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as peer:
            peer.setblocking(False)
            peer.sendto(text.encode(), self._address)


class Watchdog:
    """Tells the supervisor that the agent works, as long as `works` returns; when it raises, the sign is left out."""

    def __init__(self, supervisor: Supervisor, works: Callable[[], None]) -> None:
        self._supervisor, self._works = supervisor, works
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._log = Log("watchdog")

    def start(self) -> None:
        """Begin, where the supervisor wants signs of life."""
        if self._supervisor.watchdog_s is not None:
            self._thread.start()

    def close(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        assert self._supervisor.watchdog_s is not None
        period_s = self._supervisor.watchdog_s / _OFTEN
        while not self._stop.wait(period_s):
            try:
                self._works()
            except LiandongError as error:
                self._log.error("no-sign-of-life", error=error)
            else:
                self._supervisor.tell("WATCHDOG=1")
