"""Before any request is handled: its size, its origin, its content type; and the headers that every answer carries."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.api.errors import body, most_bytes
from protocols.messages import Language

DRAINED_BYTES: Final = 1024 * 1024
DRAINED_S: Final = 5.0
CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})

SECURITY: Final = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "geolocation=(self), camera=(), microphone=()",
}


class Guard:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let through with a limit on the body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, scope["path"])
            await send(message)

        refusal = _refusal(scope["method"], scope["path"], headers)
        if refusal is not None:
            await _drain(receive)
            await _refuse(guarded_send, *refusal, most_bytes(scope["path"]), headers)
            return
        await self._app(scope, _limited(receive, most_bytes(scope["path"])), guarded_send)


def _refusal(method: str, path: str, headers: Headers) -> tuple[int, str] | None:
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > most_bytes(path):
        return 413, "cloud.request.too-large"
    if method not in CHANGING or not path.startswith("/api/"):
        return None
    if not _same_origin(headers):
        return 403, "cloud.request.origin"
    content = headers.get("content-type", "").partition(";")[0].strip().lower()
    carries = int(length) > 0 or "transfer-encoding" in headers
    if content != "application/json" and (content or carries):
        return 415, "cloud.request.not-json"
    return None


def _same_origin(headers: Headers) -> bool:
    """Browsers send `Origin` with every request that changes something; another site's differs from our `Host`."""
    try:
        origin = urlsplit(headers.get("origin", ""))
    except ValueError:  # no URL at all, like `http://[`
        return False
    return bool(origin.netloc) and origin.netloc.lower() == headers.get("host", "").lower()


def _limited(receive: Receive, most: int) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            if message.get("more_body", False):
                await _drain(receive)
            raise HTTPException(413)  # the application's own: it answers with a sentence
        return message

    return limited


async def _drain(receive: Receive) -> None:
    """Let a sender finish what is not too long: who is cut off in the middle of a request never reads the answer."""
    taken = 0
    with anyio.move_on_after(DRAINED_S):
        while taken < DRAINED_BYTES:
            message = await receive()
            taken += len(message.get("body", b""))
            if not message.get("more_body", False):
                return


def _add_headers(message: Message, path: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in SECURITY.items():
        headers.setdefault(name, value)
    if path.startswith("/api/"):
        headers.setdefault("cache-control", "no-store")


async def _refuse(send: Send, status: int, code: str, most: int, headers: Headers) -> None:
    language: Language = "en" if headers.get("accept-language", "").lower().startswith("en") else "zh-CN"
    content = json.dumps(body(code, {"most": most}, language), ensure_ascii=False).encode()
    head = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": content})
