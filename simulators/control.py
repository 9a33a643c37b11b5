"""The estate's control socket: one JSON object a line, asked and answered, on a Unix socket of the data directory.

``{"cmd": "list"}`` → ``{"ok": true, "triggers": [...]}``; ``{"cmd": "trigger", "name", "at", "params"}`` →
``{"ok": true, "did": {...}}``; ``{"cmd": "ping"}`` → ``{"ok": true, "devices": n}``. For the fault lab:
``{"cmd": "network", "at": cable, "do": "unplug" | "plug" | "reset" | "halve" | "limit", "delay_s", "bytes_per_s"}`` and
``{"cmd": "line", "name": hardware, "do": "unplug" | "plug" | …, "params"}`` → ``{"ok": true, "did": {...}}``.
A refusal is ``{"ok": false, "error": {"code", "params", "now"}}``; `now` is true for what may be possible later.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from protocols.errors import ConfigError, LiandongError, RefusedError, UnavailableError

LIMIT: Final = 65536
_IDLE_S: Final = 30.0

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class ControlServer:
    """Serves `handle` on a Unix socket that only this user can open."""

    def __init__(self, path: Path, handle: Handler) -> None:
        self._path = path
        self._handle = handle
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket left by a killed process is replaced."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._talk, str(self._path), limit=LIMIT)
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await asyncio.wait_for(reader.readline(), _IDLE_S):
                answer = await self._answer(line)
                writer.write(json.dumps(answer, ensure_ascii=False, default=str).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, ValueError, OSError):
            pass  # silent too long, a line over the limit, or gone
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ConfigError("simulators.control.unreadable")
            return {"ok": True, **await self._handle(request)}
        except ValueError:
            return _refusal(ConfigError("simulators.control.unreadable"))
        except LiandongError as error:
            return _refusal(error)


def ask(path: Path, request: Mapping[str, Any], timeout_s: float = 5.0) -> dict[str, Any]:
    """Ask the estate that listens at `path`.

    Raises UnavailableError when it does not answer, RefusedError for what is not possible now, ConfigError otherwise.
    """
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(timeout_s)
            line.connect(str(path))
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline(LIMIT * 4))
    except (OSError, ValueError) as error:
        raise UnavailableError("simulators.control.silent", path=path) from error
    if not answer.get("ok"):
        refusal = answer.get("error", {})
        kind = RefusedError if refusal.get("now") else ConfigError
        raise kind(refusal.get("code", "simulators.control.unreadable"), **refusal.get("params", {}))
    return dict(answer)


def _refusal(error: LiandongError) -> Mapping[str, Any]:
    params = {key: str(value) for key, value in error.params.items()}
    return {"ok": False, "error": {"code": error.code, "params": params, "now": isinstance(error, RefusedError)}}
