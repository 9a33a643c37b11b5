"""The TCP side of the server: who is connected, what arrived, what waits to be sent. One thread, nothing blocks."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Final

from edge.drivers.firepanel.config import FirePanelConfig
from protocols.errors import DeviceError
from protocols.gb26875 import Arrived, Inbox

_CHUNK: Final = 4096
_MOST_UNSENT: Final = 16_384
_LOST_AFTER_MS: Final = 30_000


class Link:
    """One connection. `panel` is the device that its last sound frame came from."""

    def __init__(self, connection: socket.socket, peer: str, now_s: float) -> None:
        self.connection, self.peer, self.heard_s = connection, peer, now_s
        self.panel: str | None = None
        self.inbox = Inbox()
        self.unsent = b""


class Links:
    """The server's socket and its connections, at most `max_connections`: a new one takes the place of the quietest."""

    def __init__(self, config: FirePanelConfig) -> None:
        self._config = config
        self._selector = selectors.DefaultSelector()
        self._server: socket.socket | None = None
        self._links: dict[socket.socket, Link] = {}

    def open(self) -> None:
        """Listen. Raises DeviceError when the address cannot be used."""
        host, port = self._config.address
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            server = socket.create_server((host, port), family=family, backlog=16)
        except (OSError, OverflowError) as error:
            raise DeviceError("edge.driver.gb26875.listen", listen=self._config.listen, why=error) from error
        server.setblocking(False)
        self._server = server
        self._selector.register(server, selectors.EVENT_READ)

    @property
    def port(self) -> int:
        """The port that is listened at."""
        assert self._server is not None
        return int(self._server.getsockname()[1])

    def close(self) -> None:
        """Close everything."""
        for link in list(self._links.values()):
            self.drop(link)
        if self._server is not None:
            self._server.close()
        self._selector.close()

    def panels(self) -> set[str]:
        """The panels that are connected."""
        return {link.panel for link in self._links.values() if link.panel is not None}

    def wait(self, timeout_s: float) -> Iterator[tuple[Link, Arrived]]:
        """The frames that arrive within `timeout_s`; also sends what waits and drops who is silent for too long."""
        for key, mask in self._selector.select(timeout_s):
            if key.fileobj is self._server:
                self._accept()
                continue
            link = self._links.get(key.fileobj)  # type: ignore[call-overload]
            if link is not None and mask & selectors.EVENT_WRITE:
                self._push(link)
            if link is not None and mask & selectors.EVENT_READ:
                for arrived in self._receive(link):
                    yield link, arrived
        silent_since = time.monotonic() - self._config.idle_s
        for link in [one for one in self._links.values() if one.heard_s < silent_since]:
            self.drop(link)

    def send(self, link: Link, data: bytes) -> None:
        """Send `data` now or when there is room; one that does not take its answers is dropped."""
        link.unsent += data
        self._push(link)
        if len(link.unsent) > _MOST_UNSENT:
            self.drop(link)

    def drop(self, link: Link) -> None:
        """Close a connection; does nothing when it is closed."""
        if self._links.pop(link.connection, None) is not None:
            self._selector.unregister(link.connection)
            link.connection.close()

    def _accept(self) -> None:
        assert self._server is not None
        try:
            connection, peer = self._server.accept()
        except OSError:
            return
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _LOST_AFTER_MS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self._links) >= self._config.max_connections:
            self.drop(min(self._links.values(), key=lambda link: (link.panel is not None, link.heard_s)))
        self._links[connection] = Link(connection, str(peer[0]), time.monotonic())
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, link: Link) -> list[Arrived]:
        try:
            data = link.connection.recv(_CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.drop(link)
            return []
        arrived = link.inbox.feed(data)
        if arrived:
            link.heard_s = time.monotonic()  # bytes that are no frame keep no connection
        return arrived

    def _push(self, link: Link) -> None:
        if link.connection not in self._links:
            return
        try:
            sent = link.connection.send(link.unsent) if link.unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.drop(link)
            return
        link.unsent = link.unsent[sent:]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.unsent else 0)
        self._selector.modify(link.connection, wanted)
