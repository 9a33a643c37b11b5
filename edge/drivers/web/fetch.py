"""One GET, bounded in time and size: no redirects, certificates are verified, and what drips is cut off."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge.drivers.web.config import WebDevice, without_secrets
from protocols.errors import DeviceError

_CHUNK: Final = 16_384
_SAID: Final = 200
"""Characters of what a device says that go into an error: a line of an answer may have 64 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The body of an answer of status 200, and the seconds from connecting to its last byte."""

    body: bytes
    took_s: float


class Fetch:
    """Asks one device. Used by one thread; each question has a connection of its own."""

    def __init__(self, device: WebDevice) -> None:
        self._device = device
        self._parts = urlsplit(device.url)
        self._path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")

    def get(self) -> Answer:
        """Raises DeviceError for a device that does not answer in time, or says anything but 200."""
        began = time.monotonic()
        deadline = began + self._device.timeout_s
        connection = self._connection()
        guard: threading.Timer | None = None
        try:
            connection.connect()
            guard = threading.Timer(max(0.01, deadline - time.monotonic()), _cut, [connection.sock])
            guard.daemon = True
            guard.start()
            connection.request("GET", self._path, headers=self._headers())
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise self._refused(response)
            body = self._body(response)
        except (OSError, http.client.HTTPException, UnicodeError) as error:  # UnicodeError: what is no host name
            if time.monotonic() >= deadline:
                raise self._error("slow", seconds=self._device.timeout_s) from error
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise self._error("away", why=why[:_SAID]) from error
        finally:
            if guard is not None:
                guard.cancel()
            connection.close()
        if time.monotonic() >= deadline:
            raise self._error("slow", seconds=self._device.timeout_s)
        return Answer(body=body, took_s=time.monotonic() - began)

    def _connection(self) -> http.client.HTTPConnection:
        host, port, limit_s = self._parts.hostname or "", self._parts.port, self._device.timeout_s
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=limit_s)
        ca_file = self._device.ca_file
        try:
            trust = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise DeviceError("edge.driver.http.file", file=ca_file, why=error) from error
        return http.client.HTTPSConnection(host, port, timeout=limit_s, context=trust)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json, text/*;q=0.8", "Connection": "close"}
        device = self._device
        if device.token_file is not None:
            token = _secret(device.token_file)
            if not (token.isascii() and token.isprintable()):
                raise self._error("token", file=device.token_file)  # without the token itself
            headers["Authorization"] = f"Bearer {token}"
        elif device.username is not None and device.password_file is not None:
            pair = f"{device.username}:{_secret(device.password_file)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
        return headers

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        body = b""
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > self._device.most_bytes:
                raise self._error("too-large", limit=self._device.most_bytes)
        return body

    def _refused(self, response: http.client.HTTPResponse) -> DeviceError:
        """A redirect is not followed: who asks a device in the cellar must not end up elsewhere."""
        if 300 <= response.status < 400:
            to = without_secrets(response.headers["Location"] or "-")[:_SAID]
            return self._error("redirect", status=response.status, to=to)
        return self._error("status", status=response.status)

    def _error(self, reason: str, **params: object) -> DeviceError:
        return DeviceError(f"edge.driver.http.{reason}", device=self._device.id, url=self._device.where, **params)


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _secret(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceError("edge.driver.http.file", file=file, why=error) from error
