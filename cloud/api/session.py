"""Signing in and out."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.services import COOKIE, Given, Services, SignedIn, address, now
from cloud.identity import passwords, sessions
from cloud.identity.people import Who
from cloud.storage.queries import load
from cloud.storage.views import stamp
from cloud.text import Text
from protocols.errors import RefusedError

router = APIRouter(prefix="/api/v1/session", tags=["session"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LinkToken(_Body):
    """The token of a one-time sign-in link."""

    token: Annotated[Text, Field(min_length=8, max_length=200)]


class Password(_Body):
    """A name and its password."""

    login: Annotated[Text, Field(min_length=1, max_length=63)]
    password: Annotated[Text, Field(min_length=1, max_length=1000)]


class NewPassword(_Body):
    """The password from now on."""

    password: Annotated[Text, Field(max_length=1000)]


class NewLanguage(_Body):
    """The language from now on."""

    language: Literal["zh-CN", "en"]


@router.post("/link")
def use_link(link: LinkToken, request: Request, response: Response, given: Given) -> dict[str, Any]:
    """Sign in with a one-time link."""
    _limit(given, request, None)
    moment = now()
    with given.database.transaction() as tx:
        token = sessions.use_link(tx, link.token, moment)
        who = sessions.find(tx, token, moment)
        audit.record(tx, moment, "sign-in.link", person=who.id, address=address(request))
    return _begin(given, request, response, who, token)


@router.post("")
def sign_in(known: Password, request: Request, response: Response, given: Given) -> dict[str, Any]:
    """Sign in with a password; ten tries in five minutes."""
    _limit(given, request, known.login)
    moment = now()
    try:
        person_id = sessions.known_by(given.database, known.login, known.password)
        with given.database.transaction() as tx:
            token = sessions.begin(tx, person_id, moment)
            who = sessions.find(tx, token, moment)
            audit.record(tx, moment, "sign-in.password", person=who.id, address=address(request))
    except RefusedError:
        with given.database.transaction() as tx:
            audit.record(tx, moment, "sign-in.refused", person=None, subject=known.login, address=address(request))
        raise
    given.per_login.forget(known.login)
    return _begin(given, request, response, who, token)


@router.get("")
def session(who: SignedIn, given: Given) -> dict[str, Any]:
    """Who is signed in, with which roles where."""
    return _session(given, who)


@router.delete("")
def sign_out(who: SignedIn, request: Request, response: Response, given: Given) -> dict[str, Any]:
    """Sign out."""
    with given.database.transaction() as tx:
        tx.execute(load("people")["delete_session"], {"hash": who.token_hash})
        audit.record(tx, now(), "sign-out", person=who.id, address=address(request))
    response.delete_cookie(COOKIE)
    return {}


@router.put("/password")
def set_password(new: NewPassword, who: SignedIn, request: Request, given: Given) -> dict[str, Any]:
    """Set the password; other sessions of the person end."""
    password_hash = passwords.hashed(new.password)
    with given.database.transaction() as tx:
        sessions.set_password(tx, who, password_hash)
        audit.record(tx, now(), "password.set", person=who.id, address=address(request))
    return {}


@router.put("/language")
def set_language(new: NewLanguage, who: SignedIn, given: Given) -> dict[str, Any]:
    """Set the language of pages and messages."""
    with given.database.transaction() as tx:
        tx.execute(load("people")["set_language"], {"person": who.id, "language": new.language})
    return {"language": new.language}


def _limit(given: Services, request: Request, login: str | None) -> None:
    given.per_address.take(address(request) or "", time.monotonic())
    if login is not None:
        given.per_login.take(login, time.monotonic())


def _begin(given: Services, request: Request, response: Response, who: Who, token: str) -> dict[str, Any]:
    request.state.language = who.language
    lasts = round(sessions.SESSION_LASTS.total_seconds())
    secure = given.secure or request.url.scheme == "https"
    response.set_cookie(COOKIE, token, max_age=lasts, httponly=True, samesite="strict", secure=secure)
    return _session(given, who)


def _session(given: Services, who: Who) -> dict[str, Any]:
    roles = [{"role": r.role, "place": {"id": r.place_id, "path": r.path, "name": r.name}} for r in who.roles]
    return {
        "person": who.shown(),
        "roles": roles,
        "simulation": given.simulation is not None,
        "time_zone": given.time_zone,
        "server_time": stamp(now()),
        "version": given.version,
    }
