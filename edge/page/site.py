"""What the page's server answers: the page, its style, and the same as JSON."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Final

from edge.doctor.checks import Diagnosis
from edge.doctor.words import document
from edge.page.html import render
from edge.page.server import Request, Response
from protocols.messages import LANGUAGES, Language

_FRESH_S: Final = 1.0
"""A diagnosis is made at most this often, however many look."""
_RANGE: Final = re.compile(r"\s*([A-Za-z*]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")
_SPOKEN: Final[dict[str, Language]] = {"zh": "zh-CN", "en": "en"}


class StatusSite:
    """Every method may be called from any thread."""

    def __init__(self, diagnose: Callable[[], Diagnosis], host: str) -> None:
        """`host`: the address that the server listens at."""
        self._diagnose, self._host = diagnose, host
        self._style = (files("edge.page") / "style.css").read_bytes()
        self._lock = threading.Lock()
        self._made: tuple[float, Diagnosis] | None = None

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if not is_ours(request.headers.get("host", ""), self._host):
            return Response(status=421)
        match request.path:
            case "/":
                language = spoken(request)
                page = render(self._newest(), language, everybody=not is_loopback(self._host)).encode()
                headers = (f"Content-Language: {language}", "Vary: Accept-Language")
                return Response(kind="text/html; charset=utf-8", body=page, headers=headers)
            case "/status.json":
                text = json.dumps(document(self._newest(), spoken(request)), ensure_ascii=False)
                return Response(kind="application/json", body=text.encode())
            case "/style.css":
                return Response(kind="text/css; charset=utf-8", body=self._style)
            case _:
                return Response(status=404)

    def _newest(self) -> Diagnosis:
        with self._lock:
            now = time.monotonic()
            if self._made is None or now - self._made[0] > _FRESH_S:
                self._made = now, self._diagnose()
            return self._made[1]


def spoken(request: Request) -> Language:
    """The language that ``?lang=`` names, or else the one of ours that the browser likes best (RFC 9110, 12.5.4)."""
    for language in LANGUAGES:
        if request.query == f"lang={language}":
            return language
    best: tuple[float, Language] | None = None
    for part in request.headers.get("accept-language", "")[:200].split(","):
        found = _RANGE.fullmatch(part)
        language_known = _SPOKEN.get(found[1].lower()) if found else None
        if found and language_known:
            quality = float(found[2] or 1)
            if quality > 0 and (best is None or quality > best[0]):
                best = quality, language_known
    return "en" if best is None else best[1]


def is_ours(named: str, host: str) -> bool:
    """Whether the Host header names this gateway: a foreign name that leads here is somebody's trick on a browser."""
    name = named.rpartition(":")[0] if re.search(r":\d+$", named) else named
    if name.strip("[]").lower() in {"localhost", host, socket.gethostname().lower(), f"{socket.gethostname()}.local"}:
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`, an IP address."""
    return ipaddress.ip_address(host).is_loopback
