"""Sentences for pages, health, and a readable form of the OpenAPI document without any script from outside."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hmac import compare_digest
from html import escape
from importlib.resources import files
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from psycopg.rows import DictRow

from cloud.api.services import COOKIE, Given, Services, signed_in
from cloud.api.shared import Shared
from cloud.storage import delivery, workers
from cloud.storage.queries import load
from protocols.errors import LiandongError, RefusedError
from protocols.messages import LANGUAGES, Language, catalogue, flatten

router = APIRouter()

_HANDED_ON: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""What proxies add (RFC 7239; RFC 9110, section 7.6.3; the others by custom)."""


@router.get("/api/v1/i18n/{language}", tags=["session"])
def sentences(language: str, response: Response) -> dict[str, str]:
    """All sentences of the cloud and of its pages: flat `{code: sentence}`."""
    found = next((known for known in LANGUAGES if known == language), None)
    if found is None:
        raise RefusedError("cloud.language.unknown", language=language)
    response.headers["cache-control"] = "no-cache"
    return _sentences(found)


@cache
def _sentences(language: Language) -> dict[str, str]:
    whole = dict(catalogue("protocols", language)) | dict(catalogue("cloud", language))
    path = files("cloud") / "ui" / "locale" / f"{language}.toml"
    if path.is_file():
        whole |= flatten(tomllib.loads(path.read_text("utf-8")))
    return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """What the parts of the service and the database say of themselves: `ok`, what is told, and each worker."""

    ok: bool
    told: Mapping[str, Any]
    workers: Sequence[Mapping[str, Any]] = ()


def standing(given: Services) -> Stand:
    """Ask them."""
    parts = dict(given.working())
    broker, in_time = parts.pop("broker", True), parts.pop("in_time", True)
    try:
        row = _standing(given)
        ingesting, uncarried = _ingesting(given)
    except LiandongError as error:
        return Stand(ok=False, told={"database": error.code, "parts": parts, "warnings": []})
    told: dict[str, Any] = {name: row[name] for name in ("late_timers", "failing_timers", "unjudged")}
    wanted = {"broker": not broker, "late": not in_time, "timers": told["failing_timers"], "unjudged": told["unjudged"]}
    wanted |= {"uncarried": uncarried > 0}
    warnings = [name for name, wants in wanted.items() if wants]
    told |= {"database": "ok", "parts": parts | {"broker": broker}, "warnings": warnings, "uncarried": uncarried}
    told |= {"workers": workers.summary(ingesting)}
    return Stand(ok=told["late_timers"] == 0 and all(parts.values()), told=told, workers=ingesting)


@router.get("/healthz", tags=["system"])
async def health(request: Request, given: Given) -> JSONResponse:
    """200 while the database answers, every thread lives, and timers are dealt with in time.

    `warnings` name what does not stop the service and still wants somebody to look: `broker` away, `late` (what arrives
    waits too long for the database), `timers` that fail and are tried again, messages `unjudged` within a day (an alarm
    may be missing), groups `uncarried` (no worker listens to them). `workers` are all that ingest, in this process, in
    others and on other hosts: how many, how many of them are well, their groups, and how long the oldest message of all
    has waited. `each` of them, with names of hosts and groups, is told to administrators only. At most half a second
    old: whoever asks at the same time has the same answer.
    """
    shared: Shared[Stand] = request.app.state.standing
    stand = await shared.get()
    answer = {"ok": stand.ok, **stand.told}
    if COOKIE in request.cookies and await run_in_threadpool(_administers, request, given):
        answer["workers"] = stand.told["workers"] | {"each": stand.workers}
    return JSONResponse(answer, 200 if stand.ok else 503)


@router.get("/metrics", tags=["system"], include_in_schema=False)
def metrics(request: Request, given: Given) -> Response:
    """For Prometheus. It names hosts and groups, so what a proxy hands on from anywhere needs the token."""
    if not (_may_watch(request, given) or _administers(request, given)):
        raise RefusedError("cloud.metrics.closed")
    given.metrics.stream_clients.set(given.hub.clients)
    try:
        given.metrics.stands(_standing(given))
        with given.database.transaction() as tx:
            given.metrics.delivers(delivery.standing(tx))
            given.metrics.share(*workers.standing(tx, given.host_id))
    except LiandongError:
        given.metrics.stands(None)
    return Response(given.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _standing(given: Services) -> DictRow:
    with given.database.transaction() as tx:
        row = tx.one(load("health")["standing"])
    assert row is not None
    return row


def _may_watch(request: Request, given: Services) -> bool:
    """Whether the token is shown; without one, whether the request came here directly."""
    if given.metrics_token is None:
        return not any(header in request.headers for header in _HANDED_ON)
    shown = request.headers.get("authorization", "").removeprefix("Bearer ")
    return compare_digest(shown.encode(), given.metrics_token.encode())


def _administers(request: Request, given: Services) -> bool:
    """Whether an administrator is signed in where this comes from; nobody has to be."""
    if COOKIE not in request.cookies:
        return False
    try:
        return any(role.role == "administrator" for role in signed_in(request, given).roles)
    except LiandongError:
        return False


def _ingesting(given: Services) -> tuple[list[dict[str, Any]], int]:
    """Who carries how many groups, and which of them lag; how many nobody carries."""
    with given.database.transaction() as tx:
        rows, uncarried = workers.standing(tx, given.host_id)
    return [workers.told(row) for row in rows if row["alive"]], uncarried


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """The operations of the API, from its OpenAPI document."""
    return HTMLResponse(_page(request.app.openapi()))


@router.get("/docs.css", include_in_schema=False)
def docs_style() -> Response:
    """How `/docs` looks: the content security policy allows no style within the page."""
    return Response((files("cloud.api") / "docs.css").read_text("utf-8"), media_type="text/css")


def _page(document: dict[str, Any]) -> str:
    operations = [
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = [_schema(name, schema) for name, schema in document.get("components", {}).get("schemas", {}).items()]
    title = escape(document["info"]["title"])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{title}</title><link rel="stylesheet" href="/docs.css">'
        f"<h1>{title} {document['info']['version']}</h1>"
        '<p>Machine-readable: <a href="/openapi.json">/openapi.json</a></p>'
        f"{''.join(operations)}<h2>Schemas</h2>{''.join(schemas)}</html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(p['name'])}</code> in {escape(p['in'])}{', required' if p.get('required') else ''}</li>"
        for p in operation.get("parameters", [])
    )
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    body = f"<p>Body: {_type(content)}</p>" if content else ""
    about = escape(operation.get("description", operation.get("summary", "")))
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{about}</p>"
        f"{f'<ul>{parameters}</ul>' if parameters else ''}{body}</section>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<li><code>{escape(key)}</code>: {_type(value)} {escape(value.get('description', ''))}</li>"
        for key, value in schema.get("properties", {}).items()
    )
    about = escape(schema.get("description", ""))
    return f'<section id="{escape(name)}"><h3>{escape(name)}</h3><p>{about}</p><ul>{rows}</ul></section>'


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    return escape(schema.get("format") or schema.get("type", "any"))
