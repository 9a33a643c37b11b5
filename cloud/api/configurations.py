"""A gateway's configuration from afar: what is wanted, what it says that it runs, and the difference."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.services import Given, SignedIn, address, now
from cloud.identity.people import Who
from cloud.registry import configurations
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.text import Text
from protocols.configuration import HOLD_S, MAX_BYTES
from protocols.errors import RefusedError

router = APIRouter(prefix="/api/v1/gateways", tags=["gateways"])

Json = dict[str, Any]


class Wanted(BaseModel):
    """A whole configuration as TOML. `action_id` becomes the version's id; `hold_s`: the time to come back."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[Text, Field(min_length=1, max_length=MAX_BYTES)]
    action_id: UUID
    hold_s: Annotated[int, Field(ge=10, le=3600)] = HOLD_S


@router.get("/{group}/{code}/configuration")
def show(group: Text, code: Text, who: SignedIn, given: Given) -> Json:
    """Wanted, reported, the difference, and who wanted what when."""
    with given.database.transaction() as tx:
        return _shown(tx, who, gateway_of(tx, who, group, code))


@router.post("/{group}/{code}/configuration")
def want(group: Text, code: Text, wanted: Wanted, who: SignedIn, request: Request, given: Given) -> Json:
    """Let a gateway try a version; what becomes of it comes by the stream."""
    moment = now()
    with given.database.transaction() as tx:
        gateway = gateway_of(tx, who, group, code, change=True)
        identity, text, hold_s = wanted.action_id, wanted.text, wanted.hold_s
        if configurations.want(tx, gateway, identity, text, hold_s=hold_s, person=who.id, now=moment):
            audit.record(
                tx,
                moment,
                "configuration.want",
                person=who.id,
                subject=f"{group}/{code}",
                place=gateway["place_id"],
                address=address(request),
                version=identity,
                hold_s=hold_s,
            )
        return _shown(tx, who, gateway)


def _shown(tx: Transaction, who: Who, gateway: DictRow) -> Json:
    return configurations.shown(tx, gateway) | {"may_set": who.configures.covers(gateway["path"])}


def gateway_of(tx: Transaction, who: Who, group: str, code: str, *, change: bool = False) -> DictRow:
    """The gateway, to be looked at or changed; what lies outside the person's places does not exist for them."""
    scopes = (who.console, who.configures)
    if not any(scope.paths for scope in scopes):
        raise RefusedError("cloud.forbidden")
    row = tx.one(load("configurations")["gateway"], {"group": group, "code": code})
    if row is None or not any(scope.covers(row["path"]) for scope in scopes):
        raise RefusedError("cloud.device.unknown", id=f"{group}/{code}")
    if change and not who.configures.covers(row["path"]):
        raise RefusedError("cloud.forbidden")
    return row
