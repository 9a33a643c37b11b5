"""A serial server without its box: a TCP port on loopback whose one connection is a line."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time


class TcpLine:
    """The hardware's end of a serial server. A second master takes the line from the first, as such boxes do.

    `unplug` closes the port and the connection, as pulling its power does; `plug` opens the same port again.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        """0 = any free one; known after the first `plug`."""
        self.echoes = False
        """Whether what the master sends comes back to it."""
        self._lock = threading.Lock()
        self._server: socket.socket | None = None
        self._link: socket.socket | None = None

    @property
    def name(self) -> str:
        """Its port."""
        return f"tcp:{self.port}"

    @property
    def plugged(self) -> bool:
        """Whether a master can connect."""
        return self._server is not None

    def plug(self) -> None:
        """Listen; does nothing when it does."""
        with self._lock:
            if self._server is not None:
                return
            self._server = socket.create_server(("127.0.0.1", self.port))
            self.port = int(self._server.getsockname()[1])

    def unplug(self) -> None:
        """Close the port and what is connected."""
        with self._lock:
            for one in (self._link, self._server):
                if one is not None:
                    one.close()
            self._link = self._server = None

    def read(self, size: int = 4096, timeout_s: float = 0.0) -> bytes:
        """At most `size` bytes; waits up to `timeout_s` for the first. Empty when none come or nobody is connected."""
        end = time.monotonic() + timeout_s
        while True:
            server, link = self._server, self._link
            waited = [one for one in (server, link) if one is not None]
            if not waited:
                return b""
            try:
                ready = select.select(waited, [], [], max(0.0, end - time.monotonic()))[0]
                if server in ready:
                    self._accept()
                elif link in ready and link is not None:
                    return self._received(link, size)
                elif not ready:
                    return b""
            except (OSError, ValueError):
                return b""

    def write(self, data: bytes) -> int:
        """Send it; the count that was sent: 0 when nobody is connected."""
        link = self._link
        if link is None:
            return 0
        try:
            return link.send(data)
        except OSError:
            return 0

    def _accept(self) -> None:
        with self._lock:
            if self._server is None:
                return
            link, _ = self._server.accept()
            if self._link is not None:
                self._link.close()
            self._link = link

    def _received(self, link: socket.socket, size: int) -> bytes:
        with contextlib.suppress(OSError):
            data = link.recv(size)
            if data:
                if self.echoes:
                    link.send(data)
                return data
        with self._lock:
            if self._link is link:
                link.close()
                self._link = None
        return b""
