"""The agent's local socket: somebody on the gateway asks how it is, or writes an output by hand.

One JSON object in, one JSON document out, on a Unix socket in the data directory that only its owner can open.
``{"ask": "status"}`` → the report of `edge.status`; ``{"ask": "act", "device", "output", "value"}`` → ``{"ok": true}``
once the device has confirmed. A refusal is ``{"ok": false, "error": {"code", "params"}}``.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from edge.log import Log
from protocols.errors import ConfigError, DeviceError, LiandongError, StorageError, UnavailableError

SOCKET: Final = "agent.sock"
ANSWER_S: Final = 15.0
_REQUEST_S: Final = 2.0
_WORKERS: Final = 3
_MAX_REQUEST: Final = 4096
_MAX_ANSWER: Final = 4 << 20

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class LocalServer:
    """Answers one request per connection, a few connections beside one another: a slow device holds up nobody else."""

    def __init__(self, data: Path, answer: Answer) -> None:
        """Listen in the directory `data`. Raises StorageError when that is not possible."""
        self._path, self._answer = data / SOCKET, answer
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._closing = threading.Event()
        try:
            self._path.unlink(missing_ok=True)
            with _short(self._path) as address:
                self._socket.bind(address)
            self._path.chmod(0o600)
            self._socket.listen(8)
        except OSError as error:
            self._socket.close()
            raise StorageError("edge.storage.unusable", file=self._path, why=error) from error
        self._workers = [threading.Thread(target=self._run, name=f"local-{n}", daemon=True) for n in range(_WORKERS)]

    def start(self) -> None:
        """Begin to answer."""
        for worker in self._workers:
            worker.start()

    def close(self) -> None:
        """Stop answering and remove the socket."""
        self._closing.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for worker in self._workers:
            if worker.is_alive():
                worker.join(ANSWER_S)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer, suppress(OSError):
                peer.settimeout(_REQUEST_S)
                peer.sendall(json.dumps(self._reply(_line(peer)), ensure_ascii=False).encode())

    def _reply(self, line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ConfigError("edge.local.unreadable")
            return self._answer(request)
        except (ValueError, RecursionError):
            return _refusal(ConfigError("edge.local.unreadable"))
        except LiandongError as error:
            return _refusal(error)
        except Exception as error:  # noqa: BLE001 - one question must not cost the thread that answers the next one
            Log("local").error("answer-crashed", trace=True)
            return _refusal(DeviceError("edge.local.crashed", why=repr(error)))


def ask(data: Path, request: Mapping[str, Any], within_s: float = ANSWER_S) -> dict[str, Any]:
    """The answer of the agent that works in `data`.

    Raises UnavailableError when none answers, DeviceError for a refusal.
    """
    received = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, _short(data / SOCKET) as address:
            client.settimeout(within_s)
            client.connect(address)
            client.sendall(json.dumps(request).encode() + b"\n")
            while len(received) < _MAX_ANSWER and (chunk := client.recv(65536)):
                received += chunk
        found = json.loads(received)
    except (OSError, ValueError) as error:
        raise UnavailableError("edge.status.no-agent", data=data) from error
    if not isinstance(found, dict):
        raise UnavailableError("edge.status.no-agent", data=data)
    refusal = found.get("error")
    if refusal:
        raise DeviceError(refusal["code"], **refusal["params"])
    return found


def _line(peer: socket.socket) -> bytes:
    """The request: up to the first line's end, or as much as was sent in time."""
    received = bytearray()
    while b"\n" not in received and len(received) < _MAX_REQUEST and (chunk := peer.recv(_MAX_REQUEST)):
        received += chunk
    return bytes(received)


def _refusal(error: LiandongError) -> Mapping[str, Any]:
    params = {key: str(value) for key, value in error.params.items()}
    return {"ok": False, "error": {"code": error.code, "params": params}}


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """An address for `path` that fits the 108 bytes of a socket's name, however deep the directory is."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
