"""What gateways hold back, and what did not arrive."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from cloud.api.services import Given, SignedIn
from cloud.storage import delivery

router = APIRouter(prefix="/api/v1/delivery", tags=["console"])

Json = dict[str, Any]


@router.get("")
def gateways(who: SignedIn, given: Given) -> list[Json]:
    """Per gateway and lane: messages given, received, held there, lost, and open (perhaps on their way)."""
    scope = who.require_console()
    with given.database.transaction() as tx:
        return delivery.gateways(tx, given.places, scope)


@router.get("/losses")
def losses(
    who: SignedIn,
    given: Given,
    gateway: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Json]:
    """What was told as missing, and what of it arrived after all; what is still missing first."""
    scope = who.require_console()
    with given.database.transaction() as tx:
        return delivery.losses(tx, given.places, scope, gateway, limit)
