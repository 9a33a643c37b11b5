"""The commissioning page: what `liandong edge commission` does, for a phone beside the device.

It is served by the command, never by the agent, and only while the command runs. What changes anything is a POST from
the page itself (same origin), in the session that the code has opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs, quote

from edge.commissioning import html, sheet
from edge.commissioning.door import COOKIE, Door
from edge.commissioning.known import KnownPlaces
from edge.commissioning.photos import Photos
from edge.commissioning.sheet import Sheet
from edge.config import EdgeConfig
from edge.page.server import Request, Response
from edge.page.site import is_ours, spoken
from protocols.errors import LiandongError
from protocols.messages import Language, sentence

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Asks the agent, see `edge.commissioning.desk`. Raises LiandongError."""
_FILES: Final = {
    "/style.css": ("edge.page", "style.css", "text/css"),
    "/commission.css": ("edge.commissioning", "commission.css", "text/css"),
    "/sheet.css": ("edge.commissioning", "sheet.css", "text/css"),
    "/commission.js": ("edge.commissioning", "commission.js", "text/javascript"),
}
_SHEET_STYLE: Final = '<link rel="stylesheet" href="/sheet.css">'


class CommissioningSite:
    """Every method may be called from any thread."""

    def __init__(self, config: EdgeConfig, ask: Ask, places: KnownPlaces, door: Door, host: str) -> None:
        self._config, self._ask, self._places, self._door, self._host = config, ask, places, door, host
        self._photos = Photos(config.gateway.data)

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if not is_ours(request.headers.get("host", ""), self._host):
            return Response(status=421)
        if request.path in _FILES:
            package, name, kind = _FILES[request.path]
            return Response(kind=f"{kind}; charset=utf-8", body=(files(package) / name).read_bytes())
        if request.method == "POST" and not _same_origin(request):
            return Response(status=403)
        language = self._language(request)
        if not self._door.knows(_cookie(request, COOKIE)):
            return self._outside(request, language)
        try:
            return self._do(request, language) if request.method == "POST" else self._show(request, language)
        except LiandongError as error:
            told = sentence(error.code, error.params, language)
            return _page(html.failed(told, _back(request), language), language)

    def _outside(self, request: Request, language: Language) -> Response:
        if request.method != "POST":
            return _page(html.door(language, shut=self._door.shut, wrong=False), language)
        token = self._door.enter(_form(request).get("code", "")) if request.path == "/enter" else None
        if token is None:
            return _page(html.door(language, shut=self._door.shut, wrong=True), language)
        return _to("/", f"Set-Cookie: {COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict")

    def _show(self, request: Request, language: Language) -> Response:
        query = _query(request)
        found = self._ask({"ask": "commission"})
        ids = {row["id"]: row for row in found["devices"]}
        name = query.get("name", "")
        match request.path:
            case "/":
                return _page(html.overview(self._config, found, self._places, language), language)
            case "/device" if name in ids:
                photo = self._photos.find(name) is not None
                page = html.device(ids[name], found, self._places, language, photo=photo, said=query.get("said", ""))
                return _page(page, language)
            case "/walk":
                return _page(html.walk(found, language), language)
            case "/handover":
                made = Sheet(config=self._config, found=found, places=self._places, photos=self._photos)
                return _page(sheet.render(made, language, _SHEET_STYLE, self._photo_address), language)
            case "/photo" if name in ids and (picture := self._photos.find(name)) is not None:
                return Response(kind=picture[0], body=picture[1])
            case "/triggers":
                return _page(html.trigger(ids.get(name), language), language)
            case _:
                return Response(status=404)

    def _do(self, request: Request, language: Language) -> Response:
        query, form = _query(request), _form(request) if request.path != "/photo" else {}
        name = query.get("name", "")
        here = f"/device?name={quote(name, safe='')}"
        match request.path:
            case "/language":
                chosen = "en" if language == "zh-CN" else "zh-CN"
                return _to("/", f"Set-Cookie: language={chosen}; Path=/; HttpOnly; SameSite=Strict")
            case "/identify":
                self._ask({"ask": "commission", "identify": name})
                return _to(f"{here}&said=signalled")
            case "/place":
                wanted = {"device": name, "place": form.get("place", ""), "name": form.get("title", "")}
                self._ask({"ask": "commission", **wanted})
                return _to(f"{here}&said=placed")
            case "/photo":
                if name not in {row["id"] for row in self._ask({"ask": "commission"})["devices"]}:
                    return Response(status=404)
                self._photos.keep(name, request.body)
                return _to(f"{here}&said=kept")
            case "/walk":
                minutes = form.get("minutes", "")
                self._ask({"ask": "commission", "minutes": int(minutes) if minutes.isdecimal() else 0})
                return _to("/walk")
            case "/stop":
                self._ask({"ask": "commission", "stop": True})
                return _to("/walk")
            case _:
                return Response(status=404)

    def _photo_address(self, device: str) -> str:
        return f"/photo?name={quote(device, safe='')}" if self._photos.find(device) is not None else ""

    def _language(self, request: Request) -> Language:
        chosen = _cookie(request, "language")
        return "zh-CN" if chosen == "zh-CN" else "en" if chosen == "en" else spoken(request)


def _same_origin(request: Request) -> bool:
    """Whether the browser says that the request comes from a page of this very address."""
    return request.headers.get("origin", "") == f"http://{request.headers.get('host', '')}"


def _cookie(request: Request, name: str) -> str:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")[:2000]).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _query(request: Request) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(request.query, max_num_fields=8).items()}


def _form(request: Request) -> dict[str, str]:
    try:
        found = parse_qs(request.body.decode("utf-8"), max_num_fields=8)
    except (UnicodeDecodeError, ValueError):
        return {}
    return {key: values[-1] for key, values in found.items()}


def _back(request: Request) -> str:
    name = _query(request).get("name", "")
    return f"/device?name={quote(name, safe='')}" if name else "/"


def _page(text: str, language: Language) -> Response:
    headers = (f"Content-Language: {language}", "Vary: Accept-Language, Cookie")
    return Response(kind="text/html; charset=utf-8", body=text.encode(), headers=headers)


def _to(address: str, *headers: str) -> Response:
    return Response(status=303, headers=(f"Location: {address}", *headers))
