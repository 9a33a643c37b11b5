"""What requests work with, and who makes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, cast

from fastapi import Depends, Request

from cloud.api.hub import Hub
from cloud.identity import sessions
from cloud.identity.limits import Limit
from cloud.identity.people import Who
from cloud.metrics import Metrics
from cloud.storage.database import Database
from cloud.storage.places import Places
from protocols.errors import RefusedError
from protocols.messages import LANGUAGES, Language

COOKIE: Final = "liandong_session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Made by the composition root; one for all requests."""

    database: Database
    places: Places
    hub: Hub
    time_zone: str
    version: str
    metrics: Metrics
    host_id: str = "liandong"
    secure: bool = False
    metrics_token: str | None = None
    simulation: Path | None = None
    working: Callable[[], Mapping[str, bool]] = dict
    """What `/healthz` tells of the other parts of the service: name, and whether it works."""
    per_login: Limit = field(default_factory=lambda: Limit(10, 300))
    per_address: Limit = field(default_factory=lambda: Limit(60, 300))
    per_person: Limit = field(default_factory=lambda: Limit(3000, 60))  # a runaway page, never a busy person


def services(request: Request) -> Services:
    """The services of the application that this request came to."""
    return cast(Services, request.app.state.services)


def signed_in(request: Request, given: Annotated[Services, Depends(services)]) -> Who:
    """Who makes the request. Raises RefusedError (`cloud.session.none`, `cloud.too-often`)."""
    token = request.cookies.get(COOKIE)
    if not token:
        raise RefusedError("cloud.session.none")
    with given.database.transaction() as tx:
        who = sessions.find(tx, token, now())
    request.state.language = who.language
    given.per_person.take(str(who.id), time.monotonic())
    return who


def now() -> datetime:
    """The time of a request, UTC."""
    return datetime.now(UTC)


def address(request: Request) -> str | None:
    """The address a request came from."""
    return request.client.host if request.client else None


def language_of(request: Request) -> Language:
    """The person's language; before sign-in what the browser asks for."""
    known = getattr(request.state, "language", None)
    if known in LANGUAGES:
        return cast(Language, known)
    asked = request.headers.get("accept-language", "").lower()
    first = asked.split(",")[0].split(";")[0].strip()
    return "en" if first.startswith("en") else "zh-CN"


Given = Annotated[Services, Depends(services)]
SignedIn = Annotated[Who, Depends(signed_in)]
