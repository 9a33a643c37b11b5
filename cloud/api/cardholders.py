"""Who may open which door: people with cards, hours and holidays, at places of the tree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.services import Given, SignedIn, address, now
from cloud.identity.people import Who
from cloud.registry import cardholder_csv, cardholders
from cloud.registry.cardholders import Author, Holder
from cloud.registry.commands import with_sentence
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.text import Text
from protocols.access.cardholders import Schedule
from protocols.errors import ConfigError, RefusedError

router = APIRouter(prefix="/api/v1/access", tags=["doors"])

Json = dict[str, Any]
Path = Annotated[Text, Query(max_length=500)]
Code = Annotated[Text, Field(max_length=63)]
HoursCode = Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
MOST_ROWS: Final = 200
MOST_DAYS: Final = 1000
_FORM: Final = ConfigDict(extra="forbid")


class Wanted(BaseModel):
    """Somebody at a place."""

    model_config = _FORM
    place: Annotated[Text, Field(max_length=500)]
    holder: Holder


class Switched(BaseModel):
    """On or off."""

    model_config = _FORM
    enabled: bool


class Sheet(BaseModel):
    """A CSV text; with `trial` nothing is stored."""

    model_config = _FORM
    place: Annotated[Text, Field(max_length=500)]
    text: Annotated[Text, Field(max_length=cardholder_csv.MOST_BYTES)]
    trial: bool = False


class Hours(BaseModel):
    """A schedule at a place."""

    model_config = _FORM
    place: Annotated[Text, Field(max_length=500)]
    hours: Schedule


class Days(BaseModel):
    """The holidays of a place."""

    model_config = _FORM
    place: Annotated[Text, Field(max_length=500)]
    days: Annotated[list[date], Field(max_length=MOST_DAYS)]


@router.get("/cardholders")
def listed(
    who: SignedIn,
    request: Request,
    given: Given,
    place: Path,
    text: Annotated[Text, Query(max_length=100)] = "",
    after: Annotated[Text, Query(max_length=63)] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
) -> Json:
    """People of a place and below, by their codes, cards masked; also its doors, schedules and holidays."""
    with given.database.transaction() as tx:
        here = _require(tx, who, place)
        sql, which = load("cardholders"), {"path": here["path"], "text": text, "after": after, "limit": limit + 1}
        rows = tx.fetch(sql["listed"], which)
        audit.view(
            tx, now(), "cardholders.view", person=who.id, subject=place, place=here["id"], address=address(request)
        )
        counted = tx.one(sql["counted"], which)
        days = tx.fetch(sql["holidays"], {"place_id": here["id"]})
        return {
            "rows": [cardholders.shown(row) for row in rows[:limit]],
            "more": len(rows) > limit,
            "count": dict(counted or {}),
            "doors": [_door(row) for row in tx.fetch(sql["doors"], which)],
            "schedules": [
                dict(row) | {"may_set": who.keeps_doors.covers(row["path"])}
                for row in tx.fetch(sql["schedules"], which)
            ],
            "holidays": [row["day"].isoformat() for row in days],
        }


@router.put("/cardholders/{code}")
def put(code: Code, wanted: Wanted, who: SignedIn, request: Request, given: Given) -> Json:
    """Add or change somebody; `cards` left out leaves their cards as they are, and so `duress_cards`."""
    if wanted.holder.code != code:
        raise RefusedError("cloud.cardholder.code", code=code)
    with given.database.transaction() as tx:
        here = _require(tx, who, wanted.place)
        before = _known(tx, who, code)
        author = _author(who)
        cardholders.put(tx, [wanted.holder], cardholders.site(tx, here), author)
        kinds = {"cards": wanted.holder.cards, "duress_cards": wanted.holder.duress_cards}
        said: Json = {"enabled": wanted.holder.enabled}
        said |= {kind: None if cards is None else "changed" for kind, cards in kinds.items()}
        _record(tx, who, request, "cardholder.change" if before else "cardholder.add", code, here["id"], **said)
    return {"code": code}


@router.post("/cardholders/{code}/enabled")
def switch(code: Code, switched: Switched, who: SignedIn, request: Request, given: Given) -> Json:
    """Switch somebody off, or on again: the gateways of their doors know within seconds."""
    with given.database.transaction() as tx:
        row = _one(tx, who, code)
        cardholders.enable(tx, row, enabled=switched.enabled, author=_author(who))
        _record(tx, who, request, "cardholder.enable", code, row["place_id"], enabled=switched.enabled)
    return {"code": code, "enabled": switched.enabled}


@router.post("/cardholders/{code}/cards")
def reveal(code: Code, who: SignedIn, request: Request, given: Given) -> Json:
    """The whole numbers of somebody's cards. Each look is in the audit log."""
    with given.database.transaction() as tx:
        row = _one(tx, who, code)
        cards = tx.fetch(load("cardholders")["cards"], {"id": row["id"]})
        _record(tx, who, request, "cardholder.cards", code, row["place_id"])
    return {"code": code} | {
        key: [card["card"] for card in cards if card["duress"] == duress]
        for key, duress in (("cards", False), ("duress_cards", True))
    }


@router.delete("/cardholders/{code}")
def drop(code: Code, who: SignedIn, request: Request, given: Given) -> Json:
    """Remove somebody with their cards."""
    with given.database.transaction() as tx:
        row = _one(tx, who, code)
        cardholders.drop(tx, row, now())
        _record(tx, who, request, "cardholder.remove", code, row["place_id"])
    return {"code": code}


@router.post("/import")
def take_sheet(sheet: Sheet, who: SignedIn, request: Request, given: Given) -> Json:
    """Add or change everybody of a CSV text, or nobody when one line cannot be used."""
    with given.database.transaction() as tx:
        here = _require(tx, who, sheet.place)
        where = cardholders.site(tx, here)

        def taken(holders: Sequence[Holder]) -> Mapping[str, ConfigError]:
            return cardholders.taken(tx, holders, who.keeps_doors.covers)

        holders, faults = cardholder_csv.read(sheet.text, where, taken)
        _known(tx, who, *(holder.code for holder in holders))
        if holders and not faults and not sheet.trial:
            tx.be_patient(60.0)
            cardholders.put(tx, holders, where, _author(who))
            _record(tx, who, request, "cardholders.import", sheet.place, here["id"], people=len(holders))
    told = [{"line": one.line, "error": _told(one.error.code, one.error.params)} for one in faults]
    return {"people": len(holders), "stored": bool(holders) and not faults and not sheet.trial, "faults": told}


@router.put("/schedules/{code}")
def put_schedule(code: HoursCode, wanted: Hours, who: SignedIn, request: Request, given: Given) -> Json:
    """Hours per day of the week, for people at its place and below."""
    with given.database.transaction() as tx:
        here = _require(tx, who, wanted.place)
        known = tx.one(load("cardholders")["schedule"], {"code": code})
        if known is not None and not who.keeps_doors.covers(known["path"]):
            raise RefusedError("cloud.cardholder.code-taken", code=code)
        hours = json.dumps(wanted.hours.model_dump(exclude_defaults=True))
        row = {"code": code, "place_id": here["id"], "hours": hours, "known": known is not None}
        if not tx.execute(load("cardholders")["put_schedule"], row):
            raise RefusedError("cloud.cardholder.code-taken", code=code)
        cardholders.reach(tx, {here["path"]} | ({known["path"]} if known else set()), now())
        _record(tx, who, request, "access-schedule.change", code, here["id"])
    return {"code": code}


@router.delete("/schedules/{code}")
def drop_schedule(code: Code, who: SignedIn, request: Request, given: Given) -> Json:
    """Remove hours that nobody has any more."""
    with given.database.transaction() as tx:
        known = tx.one(load("cardholders")["schedule"], {"code": code})
        if known is None or not who.keeps_doors.covers(known["path"]):
            raise RefusedError("cloud.cardholder.schedule.unknown", schedule=code)
        used = tx.one(load("cardholders")["schedule_users"], {"code": code})
        if used is not None and used["count"]:
            raise RefusedError("cloud.cardholder.schedule-used", schedule=code, people=used["count"])
        tx.execute(load("cardholders")["drop_schedule"], {"code": code})
        _record(tx, who, request, "access-schedule.remove", code, known["place_id"])
    return {"code": code}


@router.put("/holidays")
def put_holidays(wanted: Days, who: SignedIn, request: Request, given: Given) -> Json:
    """The days on which only the `holiday` line of schedules counts, for the doors at a place and below."""
    with given.database.transaction() as tx:
        here = _require(tx, who, wanted.place)
        tx.execute(load("cardholders")["clear_holidays"], {"place_id": here["id"]})
        tx.execute(load("cardholders")["give_holidays"], {"place_id": here["id"], "days": wanted.days})
        cardholders.reach(tx, [here["path"]], now())
        _record(tx, who, request, "access-holidays.change", wanted.place, here["id"], days=len(wanted.days))
    return {"days": sorted({day.isoformat() for day in wanted.days})}


def _author(who: Who) -> Author:
    return Author(person=who.id, now=now(), covers=who.keeps_doors.covers)


def _require(tx: Transaction, who: Who, path: str) -> DictRow:
    """The place; what lies outside the person's places does not exist for them."""
    if not who.keeps_doors.paths:
        raise RefusedError("cloud.forbidden")
    row = tx.one(load("cardholders")["place"], {"path": path})
    if row is None or not who.keeps_doors.covers(row["path"]):
        raise RefusedError("cloud.place.unknown", place=path)
    return row


def _one(tx: Transaction, who: Who, code: str) -> DictRow:
    if not who.keeps_doors.paths:
        raise RefusedError("cloud.forbidden")
    row = tx.one(load("cardholders")["one"], {"code": code})
    if row is None or not who.keeps_doors.covers(row["path"]):
        raise RefusedError("cloud.cardholder.unknown", code=code)
    return row


def _known(tx: Transaction, who: Who, *codes: str) -> bool:
    """Whether there are such people already. Raises RefusedError for one of another's places."""
    rows = tx.fetch(load("cardholders")["many"], {"codes": list(codes)})
    for row in rows:
        if not who.keeps_doors.covers(row["path"]):
            raise RefusedError("cloud.cardholder.code-taken", code=row["code"])
    return bool(rows)


def _door(row: DictRow) -> Json:
    return {
        "door": f"{row['gateway']}/{row['code']}",
        "group": row["group_code"],
        "name": row["name"],
        "path": row["path"],
    }


def _record(tx: Transaction, who: Who, request: Request, action: str, subject: str, place: int, **detail: Any) -> None:
    audit.record(tx, now(), action, person=who.id, subject=subject, place=place, address=address(request), **detail)


def _told(code: str, params: dict[str, Any]) -> Json:
    return with_sentence({"code": code, "params": {key: str(value) for key, value in params.items()}})
