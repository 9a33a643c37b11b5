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
from protocols.gb26875 import Arrived, Frame, Inbox

_CHUNK: Final = 4096
_MOST_UNSENT: Final = 16_384
_LOST_AFTER_MS: Final = 30_000
_UNKNOWN_S: Final = 3.0
_PROBE_AFTER_S: Final = 60
_PROBES: Final = ((socket.TCP_KEEPIDLE, _PROBE_AFTER_S), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
"""When a quiet connection is probed by the kernel, every how many seconds again, and how often in vain."""


class Link:
    """One connection. `panel` is the device that its last sound frame, `last`, came from.

    `asked_s`: when it was asked whether it is there and has not said anything since; `answers`: it once did.
    """

    def __init__(self, connection: socket.socket, peer: str, now_s: float) -> None:
        self.connection, self.peer, self.heard_s = connection, peer, now_s
        self.panel: str | None = None
        self.last: Frame | None = None
        self.asked_s: float | None = None
        self.answers = False
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
        """The frames that arrive within `timeout_s`; also sends what waits and drops who is not there any more."""
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
        now_s = time.monotonic()
        for link in [one for one in self._links.values() if self._is_over(one, now_s)]:
            self.drop(link)

    def quiet(self) -> list[Link]:
        """The connections that nothing came from for `idle_s`, and that were not asked meanwhile.

        Who has not said yet which panel it is, is asked soon: after a restart of ours a panel without news is silent.
        """
        now_s = time.monotonic()
        return [link for link in self._links.values() if now_s - self._spoken_s(link) > self._patience_s(link)]

    def _spoken_s(self, link: Link) -> float:
        return link.heard_s if link.asked_s is None else max(link.heard_s, link.asked_s)

    def _patience_s(self, link: Link) -> float:
        unknown = link.panel is None and link.asked_s is None
        return min(_UNKNOWN_S, self._config.idle_s) if unknown else self._config.idle_s

    def ask(self, link: Link, data: bytes) -> None:
        """Send a question that shows whether anybody is there. Who never answers one may do so: TCP still tells."""
        link.asked_s = time.monotonic()
        self.send(link, data)

    def _is_over(self, link: Link, now_s: float) -> bool:
        if link.panel is None:
            return now_s - link.heard_s > self._config.idle_s
        return link.answers and link.asked_s is not None and now_s - link.asked_s > self._config.lost_after_s

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
            for option, value in _PROBES:
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
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
            link.answers, link.asked_s = link.answers or link.asked_s is not None, None
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
