"""The pages and their files, from the package itself."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from cloud.api.services import COOKIE, Given, now
from cloud.identity import sessions
from protocols.errors import RefusedError

router = APIRouter(include_in_schema=False)

FOLDER: Final = Path(str(files("cloud"))) / "ui" / "static"
PAGES: Final = ("in", "console", "phone", "install")
_ALWAYS_ASK: Final = {"cache-control": "no-cache"}
"""Kept by the browser, and asked for by ETag: a new version shows at once, an old one costs no bytes."""


class Files(StaticFiles):
    """Static files that browsers revalidate."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or 304 when the browser has it."""
        response = await super().get_response(path, scope)
        response.headers.setdefault("cache-control", "no-cache")
        return response


@router.get("/")
def root(request: Request, given: Given) -> RedirectResponse:
    """To the page of whoever is signed in."""
    token = request.cookies.get(COOKIE)
    try:
        with given.database.transaction() as tx:
            who = sessions.find(tx, token or "", now())
    except RefusedError:
        return RedirectResponse("/in", 303, _ALWAYS_ASK)
    home = "/console" if who.console.paths else "/install" if who.configures.paths and not who.responds else "/phone"
    return RedirectResponse(home, 303, _ALWAYS_ASK)


@router.get("/in")
def sign_in() -> FileResponse:
    """Sign in; the token of a link stands behind `#` and never reaches a log."""
    return _page("in")


@router.get("/console")
def console() -> FileResponse:
    """The command centre."""
    return _page("console")


@router.get("/phone")
def phone() -> FileResponse:
    """Volunteers and grid workers."""
    return _page("phone")


@router.get("/install")
def install() -> FileResponse:
    """Installers: devices, their places, walk tests."""
    return _page("install")


@router.get("/sw.js")
def service_worker() -> FileResponse:
    """The phone's service worker: its scope is the root, so it must come from there."""
    return _file(FOLDER / "sw.js", "text/javascript")


@router.get("/manifest.webmanifest")
def manifest() -> FileResponse:
    """What makes the phone page installable."""
    return _file(FOLDER / "manifest.webmanifest", "application/manifest+json")


def mount(app: FastAPI) -> None:
    """Serve `/static`."""
    app.mount("/static", Files(directory=FOLDER, check_dir=False), name="static")


def _page(name: str) -> FileResponse:
    return _file(FOLDER / f"{name}.html", "text/html; charset=utf-8")


def _file(path: Path, media_type: str) -> FileResponse:
    if not path.is_file():
        raise RefusedError("cloud.request.no-such-page", path=path.name)
    return FileResponse(path, media_type=media_type, headers=_ALWAYS_ASK)
