"""Commands down: what a person lets a device do, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.services import Given, SignedIn, address, now
from cloud.identity.people import Who
from cloud.registry import commands
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.text import Text
from protocols.catalog import DEVICE_TYPES
from protocols.command import READ, OutputValue
from protocols.errors import RefusedError

router = APIRouter(prefix="/api/v1", tags=["commands"])

Json = dict[str, Any]
MOST: Final = 200


class Wish(BaseModel):
    """What an output is to do. `action_id` becomes the command's id: the same tap is the same command."""

    model_config = ConfigDict(extra="forbid")

    output: Annotated[Text, Field(min_length=1, max_length=64)]
    value: OutputValue
    action_id: UUID


class Tap(BaseModel):
    """An action of a page, with its id."""

    model_config = ConfigDict(extra="forbid")

    action_id: UUID


@router.post("/devices/{device_id}/commands")
def give(device_id: int, wish: Wish, who: SignedIn, request: Request, given: Given) -> Json:
    """Give a command; it is on its way when this answers. Its outcome comes by the stream."""
    with given.database.transaction() as tx:
        device = _require(who, tx.one(load("commands")["target"], {"id": device_id}), id=device_id)
        row = DEVICE_TYPES.get(device["type"] or "")
        outputs = (*row.outputs, *((READ,) if row.reads else ())) if row is not None else ()
        if wish.output not in outputs:
            allowed = ", ".join(outputs) or "-"
            raise RefusedError("cloud.command.output", device=device["code"], output=wish.output, allowed=allowed)
        return _give(tx, who, request, device, wish)


@router.post("/gateways/{group}/{code}/rebirth")
def rebirth(group: Text, code: Text, tap: Tap, who: SignedIn, request: Request, given: Given) -> Json:
    """Let a gateway say its births again; the command is done when it has."""
    with given.database.transaction() as tx:
        found = tx.one(load("commands")["gateway"], {"group": group, "code": code})
        own = _require(who, found, id=f"{group}/{code}")
        return _give(tx, who, request, own, Wish(output=commands.REBIRTH, value=True, action_id=tap.action_id))


@router.get("/devices/{device_id}/commands")
def newest(device_id: int, who: SignedIn, given: Given, limit: Annotated[int, Query(ge=1, le=MOST)] = 20) -> list[Json]:
    """The newest commands of a device, newest first."""
    with given.database.transaction() as tx:
        _require(who, tx.one(load("commands")["target"], {"id": device_id}), id=device_id)
        rows = tx.fetch(load("commands")["of_device"], {"device": device_id, "limit": limit})
        return [shown for _, shown in commands.shown(tx, [row["id"] for row in rows])]


_SAME: Final = (("device_id", "device"), ("output", "output"), ("value", "value"))


def _give(tx: Transaction, who: Who, request: Request, device: DictRow, wish: Wish) -> Json:
    """The command, new or as it stands; with a row of the audit log when it is new."""
    moment = now()
    order: Json = {"device": device["id"], "output": wish.output, "value": wish.value}
    if commands.give(tx, wish.action_id, **order, person=who.id, now=moment):
        told = {"command": wish.action_id, "code": device["code"], "output": wish.output, "value": wish.value}
        where = {"place": device["place_id"], "address": address(request)}
        audit.record(tx, moment, "command.give", person=who.id, subject=str(device["id"]), **where, **told)
    _, shown = commands.shown(tx, [wish.action_id])[0]
    if shown["person"]["id"] != str(who.id) or any(shown[key] != order[name] for key, name in _SAME):
        raise RefusedError("cloud.action-id.foreign")
    return shown


def _require(who: Who, row: DictRow | None, *, id: int | str) -> DictRow:  # noqa: A002  # the sentence's parameter
    """The device; what lies outside the person's places does not exist for them."""
    scope = who.require_console()
    if row is None or not scope.covers(row["path"]):
        raise RefusedError("cloud.device.unknown", id=id)
    return row
