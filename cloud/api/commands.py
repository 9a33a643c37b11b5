"""Commands down: what a person lets a device do, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.services import Given, SignedIn, address, now
from cloud.api.text import Text
from cloud.identity.people import Who
from cloud.registry import commands
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from protocols.catalog import DEVICE_TYPES
from protocols.command import OutputValue
from protocols.errors import RefusedError

router = APIRouter(prefix="/api/v1/devices", tags=["commands"])

Json = dict[str, Any]
MOST: Final = 200


class Wish(BaseModel):
    """What an output is to do. `action_id` becomes the command's id: the same tap is the same command."""

    model_config = ConfigDict(extra="forbid")

    output: Annotated[Text, Field(min_length=1, max_length=64)]
    value: OutputValue
    action_id: UUID


@router.post("/{device_id}/commands")
def give(device_id: int, wish: Wish, who: SignedIn, request: Request, given: Given) -> Json:
    """Give a command; it is on its way when this answers. Its outcome comes by the stream."""
    moment = now()
    with given.database.transaction() as tx:
        device = _require(tx, who, device_id)
        row = DEVICE_TYPES.get(device["type"] or "")
        outputs = row.outputs if row is not None else ()
        if wish.output not in outputs:
            allowed = ", ".join(outputs) or "-"
            raise RefusedError("cloud.command.output", device=device["code"], output=wish.output, allowed=allowed)
        order: Json = {"device": device_id, "output": wish.output, "value": wish.value}
        if commands.give(tx, wish.action_id, **order, person=who.id, now=moment):
            told = {"command": wish.action_id, "code": device["code"], "output": wish.output, "value": wish.value}
            audit.record(
                tx,
                moment,
                "command.give",
                person=who.id,
                subject=str(device_id),
                place=device["place_id"],
                address=address(request),
                **told,
            )
        _, shown = commands.shown(tx, [wish.action_id])[0]
        if shown["person"]["id"] != str(who.id) or any(shown[key] != order[name] for key, name in _SAME):
            raise RefusedError("cloud.action-id.foreign")
        return shown


@router.get("/{device_id}/commands")
def newest(device_id: int, who: SignedIn, given: Given, limit: Annotated[int, Query(ge=1, le=MOST)] = 20) -> list[Json]:
    """The newest commands of a device, newest first."""
    with given.database.transaction() as tx:
        _require(tx, who, device_id)
        rows = tx.fetch(load("commands")["of_device"], {"device": device_id, "limit": limit})
        return [shown for _, shown in commands.shown(tx, [row["id"] for row in rows])]


_SAME: Final = (("device_id", "device"), ("output", "output"), ("value", "value"))


def _require(tx: Transaction, who: Who, device_id: int) -> DictRow:
    """The device; what lies outside the person's places does not exist for them."""
    scope = who.require_console()
    row = tx.one(load("commands")["target"], {"id": device_id})
    if row is None or not scope.covers(row["path"]):
        raise RefusedError("cloud.device.unknown", id=device_id)
    return row
