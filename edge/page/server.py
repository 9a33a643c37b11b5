"""A small HTTP/1.1 server for a gateway's pages: two requests at a time, each within a bound of time and size.

Nothing can be sent to it unless it is told how much (`most_body`): the status page is only read.

No more than `WORKERS` requests are answered at once and `_WAITING` connections wait; whoever is slow loses the
connection after `_REQUEST_S`. A page of a gateway needs nothing else of HTTP, and what is not there cannot be misused.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from edge.log import Log

WORKERS: Final = 2
_WAITING: Final = 8
_REQUEST_S: Final = 3.0
_MOST_BYTES: Final = 8192
_DIGITS: Final = 9
_REBIND_S: Final = (1.0, 60.0)
_JOIN_S: Final = 5.0
_REASONS: Final = {
    200: "OK",
    303: "See Other",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}
READ_ONLY: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS: Final = (
    "Cache-Control: no-store",
    "Cross-Origin-Opener-Policy: same-origin",
    "Cross-Origin-Resource-Policy: same-origin",
    "Permissions-Policy: camera=(), geolocation=(), microphone=()",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
    "Connection: close",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for: path and query as they came, header names in lower case."""

    path: str
    query: str
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What is answered. `kind` is the content type."""

    status: int = 200
    kind: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: tuple[str, ...] = field(default=())


Site = Callable[[Request], Response]
"""Answers a request; called from several threads."""


class PageServer:
    """Listens at an address and port; where that is taken or not there (yet) it tries again, ever more seldom."""

    def __init__(
        self,
        host: str,
        port: int,
        site: Site,
        *,
        policy: str = READ_ONLY,
        most_body: int = 0,
        within_s: float = _REQUEST_S,
    ) -> None:
        """`policy`: the pages' content policy; `most_body`: bytes that a POST may bring, 0 for none at all."""
        self._host, self._port, self._site = host, port, site
        self._policy, self._most_body, self._within_s = policy, most_body, within_s
        self._log = Log("page")
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._threads = [threading.Thread(target=self._open, name="page-open", daemon=True)]

    def start(self) -> None:
        """Begin to listen, without waiting for it."""
        self._threads[0].start()

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens; None while it does not."""
        with self._lock:
            return None if self._socket is None else self._socket.getsockname()[:2]

    def close(self) -> None:
        """Stop listening and wait (bounded) for what is being answered."""
        self._stop.set()
        with self._lock:
            threads = tuple(self._threads)
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                self._socket.close()
        for thread in threads:
            if thread.is_alive():
                thread.join(_JOIN_S)

    def _open(self) -> None:
        pause, longest = _REBIND_S
        while not self._stop.is_set():
            try:
                found = self._listen()
            except OSError as error:
                self._log.warning("not-served", address=f"{self._host}:{self._port}", why=error.strerror or error)
                self._stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                pause = min(2 * pause, longest)
                continue
            with self._lock:
                if self._stop.is_set():
                    found.close()
                    return
                self._socket = found
                workers = [threading.Thread(target=self._work, name=f"page-{n}", daemon=True) for n in range(WORKERS)]
                self._threads += workers
                for worker in workers:
                    worker.start()
            self._log.info("served", address=":".join(map(str, found.getsockname()[:2])))
            return

    def _listen(self) -> socket.socket:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
        )
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(_WAITING)
        except OSError:
            found.close()
            raise
        return found

    def _work(self) -> None:
        listening = self._socket
        while listening is not None and not self._stop.is_set():
            try:
                peer, _ = listening.accept()
            except OSError:
                if self._stop.wait(0.1):  # too many open files, or the peer has gone: no reason to end
                    return
                continue
            with peer, suppress(OSError):
                self._serve(peer)

    def _serve(self, peer: socket.socket) -> None:
        deadline = time.monotonic() + self._within_s
        head = _head(peer, deadline)
        if head is None:
            return
        method, response = self._answer(head, peer, deadline)
        body = b"" if method == "HEAD" else response.body
        peer.settimeout(max(0.1, deadline - time.monotonic()))
        peer.sendall(_status_line(response, self._policy) + body)
        with suppress(OSError):
            peer.shutdown(socket.SHUT_WR)

    def _answer(self, head: bytes, peer: socket.socket, deadline: float) -> tuple[str, Response]:
        top, gap, begun = head.partition(b"\r\n\r\n")
        if not gap and len(head) >= _MOST_BYTES:
            return "GET", Response(status=431)
        try:
            method, request = _parsed(top)
        except ValueError:
            return "GET", Response(status=400)
        allowed = ("GET", "HEAD", "POST") if self._most_body else ("GET", "HEAD")
        if method not in allowed:
            return method, Response(status=405, headers=(f"Allow: {', '.join(allowed)}",))
        if method == "POST":
            size = request.headers.get("content-length", "")
            if not size.isdecimal() or len(size) > _DIGITS or int(size) > self._most_body:
                return method, Response(status=413)
            body = _body(peer, begun, int(size), deadline)
            if body is None:
                return method, Response(status=400)
            request = replace(request, body=body)
        try:
            return method, self._site(request)
        except Exception:  # noqa: BLE001 - a fault of the page must not touch the agent
            self._log.error("page-failed", trace=True)
            return method, Response(status=500)


def _body(peer: socket.socket, begun: bytes, size: int, deadline: float) -> bytes | None:
    """The `size` bytes after the empty line, of which `begun` have come; None when they did not come in time."""
    received = bytearray(begun[:size])
    while len(received) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        peer.settimeout(left)
        chunk = peer.recv(min(65536, size - len(received)))
        if not chunk:
            return None
        received += chunk
    return bytes(received)


def _head(peer: socket.socket, deadline: float) -> bytes | None:
    """The request up to its empty line, or as much as is taken; None when it did not come in time."""
    received = b""
    while b"\r\n\r\n" not in received and len(received) < _MOST_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        peer.settimeout(left)
        chunk = peer.recv(_MOST_BYTES - len(received))
        if not chunk:
            return None
        received += chunk
    return received


def _parsed(head: bytes) -> tuple[str, Request]:
    """Method and request. Raises ValueError for what is no HTTP/1."""
    first, *rest = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if not target.startswith("/") or not version.startswith("HTTP/1."):
        raise ValueError(target)
    headers = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ValueError(line)
        headers[name.lower()] = value.strip()
    path, _, query = target.partition("?")
    return method, Request(path=path, query=query, headers=headers, method=method)


def _status_line(response: Response, policy: str) -> bytes:
    lines = (
        f"HTTP/1.1 {response.status} {_REASONS[response.status]}",
        *_HEADERS,
        f"Content-Security-Policy: {policy}",
        # Without a referrer a browser does not say which page a form comes from, and forms are taken from our own only.
        f"Referrer-Policy: {'no-referrer' if policy == READ_ONLY else 'same-origin'}",
        *response.headers,
        f"Content-Type: {response.kind}",
        f"Content-Length: {len(response.body)}",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii")
