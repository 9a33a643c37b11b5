"""For the installer: the devices of a gateway, where they hang and who says so, and the gateway's walk test."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.services import Given, Services, SignedIn, address, now
from cloud.identity.people import Who
from cloud.loop import placings, walktests
from cloud.loop.placings import Decision
from cloud.loop.work import Work, working
from cloud.registry import waiting
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.storage.views import place_json, stamp
from cloud.text import Text
from protocols.catalog import likely_type
from protocols.commissioning import MAX_MINUTES
from protocols.errors import RefusedError

router = APIRouter(prefix="/api/v1", tags=["installation"])

Json = dict[str, Any]
MOST: Final = 1000
MOST_PLACES: Final = 20_000


class Decided(BaseModel):
    """What a person says: `take` the gateway's place, `keep` the cloud's, or `place` the device at `path`.

    `type` of the catalogue: what is placed, when neither cloud nor gateway said so yet.
    """

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    path: Annotated[Text | None, Field(max_length=500)] = None
    type: Annotated[Text | None, Field(max_length=64)] = None


class Approved(BaseModel):
    """A device that waits at `driver` becomes a device of the gateway. `action_id`: of the version that names it."""

    model_config = ConfigDict(extra="forbid")

    driver: Annotated[Text, Field(max_length=200)]
    address: Annotated[Text, Field(max_length=200)]
    id: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]
    type: Annotated[Text, Field(max_length=64)]
    action_id: UUID


class Test(BaseModel):
    """A walk test. `action_id` becomes its id; to agree to one that the gateway asked for, it is that one's id."""

    model_config = ConfigDict(extra="forbid")

    minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES)]
    action_id: UUID


@router.get("/gateways")
def gateways(who: SignedIn, given: Given) -> list[Json]:
    """Gateways at the places where the person installs, with how many devices wait for a decision."""
    if not who.configures.paths:
        raise RefusedError("cloud.forbidden")
    with given.database.transaction() as tx:
        rows = tx.fetch(load("placings")["gateways"], who.configures.params() | {"limit": MOST})
        given.places.prepare(tx, (row["place_id"] for row in rows))
        return [_gateway(tx, given, row) for row in rows]


@router.get("/gateways/{group}/{code}/installation")
def installation(group: Text, code: Text, who: SignedIn, given: Given) -> Json:
    """A gateway's devices: place, what the gateway says, last test; and its walk test with what it has heard."""
    with given.database.transaction() as tx:
        return _shown(tx, given, _require(tx, who, group, code))


@router.get("/gateways/{group}/{code}/places")
def places(group: Text, code: Text, who: SignedIn, given: Given) -> Json:
    """The places below the gateway's estate, for `liandong edge commission --places FILE`. Names of places only."""
    with given.database.transaction() as tx:
        row = _require(tx, who, group, code)
        which = {"group": group, "gateway_path": row["path"], "limit": MOST_PLACES}
        rows = tx.fetch(load("placings")["places"], which)
    known = [
        {"place": one["path"].removeprefix(f"{one['estate']}/")} | {key: one[key] for key in ("path", "kind", "name")}
        for one in rows
    ]
    return {"group": group, "places": known}


@router.post("/gateways/{group}/{code}/devices/{device}/place")
def decide(
    group: Text, code: Text, device: Text, decided: Decided, who: SignedIn, request: Request, given: Given
) -> Json:
    """Say where a device hangs. The decision stands in the audit log."""
    with working(given.database, given.places, now(), who.id) as work:
        gateway = _require(work.tx, who, group, code)
        row = work.tx.one(load("placings")["device"], {"group": group, "gateway": code, "code": device})
        if row is None:
            raise RefusedError("cloud.device.unknown", id=device)
        placings.decide(work, row["id"], decided.decision, decided.path, decided.type, who.configures.covers)
        _audit(work, who, request, "placing.decide", gateway, device=device, decision=decided.decision)
        return _shown(work.tx, given, gateway)


@router.post("/gateways/{group}/{code}/waiting")
def approve(group: Text, code: Text, approved: Approved, who: SignedIn, request: Request, given: Given) -> Json:
    """Approve a device that waits: the gateway tries its configuration with that device in it."""
    with working(given.database, given.places, now(), who.id) as work:
        gateway = _require(work.tx, who, group, code)
        device = {"id": approved.id, "type": approved.type}
        wish = waiting.Wish(driver=approved.driver, address=approved.address, device=device, id=approved.action_id)
        if waiting.approve(work.tx, gateway, wish, person=who.id, now=work.now):
            _audit(work, who, request, "waiting.approve", gateway, waiting=approved.address, device=approved.id)
        return _shown(work.tx, given, gateway)


@router.post("/gateways/{group}/{code}/walk-test")
def begin(group: Text, code: Text, test: Test, who: SignedIn, request: Request, given: Given) -> Json:
    """Begin a walk test, or agree to the one that the gateway asked for. It ends by itself.

    For who installs wherever the gateway has devices.
    """
    with working(given.database, given.places, now(), who.id) as work:
        gateway = _require(work.tx, who, group, code)
        _require_devices(work.tx, who, gateway)
        walktests.begin(work, gateway, test.action_id, test.minutes)
        _audit(work, who, request, "walk-test.begin", gateway, test=test.action_id, minutes=test.minutes)
        return _shown(work.tx, given, gateway)


@router.post("/gateways/{group}/{code}/walk-test/stop")
def stop(group: Text, code: Text, who: SignedIn, request: Request, given: Given) -> Json:
    """End the gateway's walk test now, whoever began it."""
    with working(given.database, given.places, now(), who.id) as work:
        gateway = _require(work.tx, who, group, code)
        ended = walktests.stop(work, gateway)
        if ended is not None:
            _audit(work, who, request, "walk-test.stop", gateway, test=ended)
        return _shown(work.tx, given, gateway)


def _require(tx: Transaction, who: Who, group: str, code: str) -> DictRow:
    """The gateway; one at a place where the person does not install does not exist for them."""
    if not who.configures.paths:
        raise RefusedError("cloud.forbidden")
    row = tx.one(load("walktests")["gateway"], {"group": group, "code": code})
    if row is None or not who.configures.covers(row["path"]):
        raise RefusedError("cloud.device.unknown", id=f"{group}/{code}")
    return row


def _require_devices(tx: Transaction, who: Who, gateway: DictRow) -> None:
    """A walk test silences all devices of the gateway: a radio reaches farther than the places of who installs here."""
    for row in tx.fetch(load("walktests")["reaches"], {"gateway": gateway["id"]}):
        if not who.configures.covers(row["path"]):
            raise RefusedError("cloud.walk-test.elsewhere", gateway=gateway["code"], place=row["path"])


def _audit(work: Work, who: Who, request: Request, action: str, gateway: DictRow, **detail: Any) -> None:
    subject = f"{gateway['group_code']}/{gateway['code']}"
    where = {"place": gateway["place_id"], "address": address(request)}
    audit.record(work.tx, work.now, action, person=who.id, subject=subject, **where, **detail)


def _gateway(tx: Transaction, given: Services, row: DictRow) -> Json:
    found = {key: row[key] for key in ("code", "name", "online", "devices", "unplaced", "to_decide", "walk_test")}
    return found | {"group": row["group_code"], "place": place_json(given.places.line(tx, row["place_id"]))}


def _shown(tx: Transaction, given: Services, gateway: DictRow) -> Json:
    sql, which = load("placings"), {"gateway": gateway["id"], "limit": MOST}
    rows = tx.fetch(sql["devices"], which)
    given.places.prepare(tx, (row["place_id"] for row in rows))
    opened = tx.one(load("walktests")["open"], {"gateway": gateway["id"]})
    ticks = {} if opened is None else {row["device_id"]: row for row in _ticks(tx, opened)}
    return {
        "group": gateway["group_code"],
        "code": gateway["code"],
        "name": gateway["name"],
        "online": gateway["online"],
        "place": place_json(given.places.line(tx, gateway["place_id"])),
        "at": stamp(now()),
        "waiting": waiting.listed(tx, gateway["id"]),
        "devices": [_device(tx, given, row, ticks.get(row["id"])) for row in rows],
        "walk_test": opened and _walk_test(tx, opened),
    }


def _ticks(tx: Transaction, test: DictRow) -> list[DictRow]:
    return tx.fetch(load("walktests")["ticks"], {"test": test["id"]})


def _device(tx: Transaction, given: Services, row: DictRow, tick: DictRow | None) -> Json:
    told = None
    if row["version"] is not None:
        told = {"place": row["told_place"], "name": row["told_name"], "type": row["told_type"], "state": row["state"]}
        told["at"] = stamp(row["told_at"])
    proof = None
    if row["result"] is not None:
        proof = {"result": row["result"], "what": row["what"], "at": stamp(row["tested_at"])}
    found = {key: row[key] for key in ("id", "code", "type", "name", "online")}
    found["likely"] = likely_type(row["metrics"] or ()) or None
    found |= {"place": place_json(given.places.line(tx, row["place_id"])), "told": told, "tested": proof}
    now_heard = tick and {"result": tick["result"], "what": tick["what"], "at": stamp(tick["at"])}
    return found | {"tick": now_heard, "live": row["place_id"] is not None}


def _walk_test(tx: Transaction, row: DictRow) -> Json:
    alarms = [
        {
            "id": one["id"],
            "rule": one["rule_code"],
            "severity": one["severity"],
            "device_id": one["device_id"],
            "raised_at": stamp(one["raised_at"]),
            "active": one["cleared_at"] is None,
        }
        for one in tx.fetch(load("walktests")["alarms"], {"test": row["id"]})
    ]
    found = {"id": str(row["id"]), "state": row["state"], "minutes": row["minutes"], "alarms": alarms}
    return found | {name: stamp(row[name]) for name in ("asked_at", "from_at", "due_at")}
