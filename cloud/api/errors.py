"""Errors as answers: `{"error": {"code", "params", "sentence"}}`, one clear sentence in the person's language."""

from __future__ import annotations

import logging
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cloud.api.services import language_of
from cloud.faults import told
from protocols.errors import ConfigError, LiandongError, ProtocolError, RefusedError, UnavailableError
from protocols.messages import Language, sentence

_LOG: Final = logging.getLogger("liandong.cloud.api")

MOST_BYTES: Final = 128 * 1024
"""A request's body: a gateway's configuration of 60,000 characters, half of them escaped; all else is far smaller."""
SHEET: Final = "/api/v1/access/import"
MOST_SHEET_BYTES: Final = 3 * 1024 * 1024
"""A spreadsheet of 20,000 people; nothing else comes near it."""

_STATUS: Final = {
    "cloud.session.none": 401,
    "cloud.session.wrong": 401,
    "cloud.session.link-used": 401,
    "cloud.forbidden": 403,
    "cloud.metrics.closed": 403,
    "cloud.request.origin": 403,
    "cloud.too-often": 429,
    "cloud.request.too-large": 413,
    "cloud.request.not-json": 415,
    "cloud.request.no-such-page": 404,
    "cloud.simulation.none": 404,
    "cloud.history.span": 422,
    "cloud.history.too-many": 422,
    "cloud.history.too-long": 422,
    "cloud.export.too-many": 422,
    "cloud.export.busy": 429,
    "cloud.note.empty": 422,
    "cloud.command.output": 422,
    "cloud.password.short": 422,
    "cloud.password.long": 422,
}
_CODES: Final = {
    400: "cloud.request.not-json",
    404: "cloud.request.no-such-page",
    405: "cloud.request.method",
    413: "cloud.request.too-large",
}
_PER_CLASS: Final[tuple[tuple[type[LiandongError], int], ...]] = (
    (RefusedError, 409),
    (UnavailableError, 503),
    (ConfigError, 422),
    (ProtocolError, 422),
)


def most_bytes(path: str) -> int:
    """Bytes that a request to `path` may have."""
    return MOST_SHEET_BYTES if path == SHEET else MOST_BYTES


def status_of(error: LiandongError) -> int:
    """The HTTP status of an error (RFC 9110, section 15)."""
    if error.code.endswith(".unknown"):
        return 404
    known = _STATUS.get(error.code)
    return known or next((status for kind, status in _PER_CLASS if isinstance(error, kind)), 500)


def body(code: str, params: dict[str, object], language: Language) -> dict[str, Any]:
    """The answer's content."""
    error = {
        "code": code,
        "params": jsonable_encoder(params, custom_encoder={Exception: str}),
        "sentence": sentence(code, params, language),
    }
    return {"error": error}


def install(app: FastAPI) -> None:
    """Let every error of `app` be answered like this."""

    @app.exception_handler(LiandongError)
    async def _known(request: Request, error: LiandongError) -> JSONResponse:
        headers = {"Retry-After": str(error.params["seconds"])} if error.code == "cloud.too-often" else None
        content = body(error.code, error.params, language_of(request))
        return JSONResponse(content, status_of(error), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        code, params = told(error.errors()[0])
        return JSONResponse(body(code, params, language_of(request)), 422)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "cloud.request.failed")
        params: dict[str, object] = {
            "path": request.url.path,
            "method": request.method,
            "most": most_bytes(request.url.path),
        }
        return JSONResponse(body(code, params, language_of(request)), error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def _unknown(request: Request, error: Exception) -> JSONResponse:
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return JSONResponse(body("cloud.request.failed", {}, language_of(request)), 500)
