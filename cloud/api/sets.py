"""What is delivered to a gateway: wanted, reported, the difference; and the rules that it judges by itself."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Request
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.configurations import gateway_of
from cloud.api.services import Given, SignedIn, address, now
from cloud.identity.people import Who
from cloud.registry import sets
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.storage.views import stamp
from cloud.text import Text
from protocols.errors import ConfigError, RefusedError
from protocols.rules import Rule

router = APIRouter(prefix="/api/v1/gateways", tags=["gateways"])

Json = dict[str, Any]


class WantedRule(BaseModel):
    """A rule that the gateway is to judge by itself, see `protocols.rules`; `enabled` false: kept, not delivered."""

    model_config = ConfigDict(extra="forbid")
    rule: Rule
    enabled: bool = True


@router.get("/{group}/{code}/sets")
def show(group: Text, code: Text, who: SignedIn, given: Given) -> Json:
    """Cardholders and rules of a gateway: what it is to work by, what it says, and the difference."""
    with given.database.transaction() as tx:
        gateway = gateway_of(tx, who, group, code)
        return {
            "gateway": {key: gateway[key] for key in ("group_code", "code", "name", "online")},
            "may_set": who.configures.covers(gateway["path"]),
            "cardholders": sets.shown(tx, gateway, "cardholders"),
            "rules": sets.shown(tx, gateway, "rules"),
            "local_rules": _rules(tx, gateway),
        }


@router.put("/{group}/{code}/rules/{rule}")
def put_rule(
    group: Text,
    code: Text,
    rule: Annotated[Text, Field(max_length=64)],
    wanted: WantedRule,
    who: SignedIn,
    request: Request,
    given: Given,
) -> Json:
    """Add or change a rule; whether the gateway can judge it, it says itself."""
    if wanted.rule.code != rule:
        raise RefusedError("cloud.cardholder.code", code=rule)
    if wanted.rule.where.place is not None:
        raise ConfigError("cloud.set.rule-place", rule=rule)
    with given.database.transaction() as tx:
        gateway = gateway_of(tx, who, group, code, change=True)
        body = json.dumps(wanted.rule.model_dump(mode="json", exclude_defaults=True) | _told_type(wanted.rule))
        row = {"gateway": gateway["id"], "code": rule, "body": body, "enabled": wanted.enabled}
        tx.execute(load("sets")["put_rule"], row | {"now": now(), "person": who.id})
        _changed(tx, who, request, gateway, "local-rule.change", rule, enabled=wanted.enabled)
        return {"rules": _rules(tx, gateway)}


@router.delete("/{group}/{code}/rules/{rule}")
def drop_rule(group: Text, code: Text, rule: Text, who: SignedIn, request: Request, given: Given) -> Json:
    """Remove a rule: the gateway judges it no more."""
    with given.database.transaction() as tx:
        gateway = gateway_of(tx, who, group, code, change=True)
        if not tx.fetch(load("sets")["drop_rule"], {"gateway": gateway["id"], "code": rule}):
            raise RefusedError("cloud.set.rule.unknown", rule=rule)
        _changed(tx, who, request, gateway, "local-rule.remove", rule)
        return {"rules": _rules(tx, gateway)}


def _told_type(rule: Rule) -> Json:
    """A condition's type is its default, and says which condition it is."""
    return {"when": rule.when.model_dump(mode="json", exclude_defaults=True) | {"type": rule.when.type}}


def _rules(tx: Transaction, gateway: DictRow) -> list[Json]:
    rows = tx.fetch(load("sets")["local_rules"], {"gateway": gateway["id"]})
    return [{"rule": row["body"], "enabled": row["enabled"], "changed_at": stamp(row["changed_at"])} for row in rows]


def _changed(
    tx: Transaction, who: Who, request: Request, gateway: DictRow, action: str, rule: str, **more: Any
) -> None:
    moment = now()
    sets.changed(tx, [gateway["id"]], "rules", moment)
    subject = f"{gateway['group_code']}/{gateway['code']}/{rule}"
    audit.record(
        tx,
        moment,
        action,
        person=who.id,
        subject=subject,
        place=gateway["place_id"],
        address=address(request),
        **more,
    )
