"""What became of the messages that gateways gave numbers to, as pages and metrics read it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from psycopg.rows import DictRow

from cloud.storage.database import Transaction
from cloud.storage.places import Places
from cloud.storage.queries import load
from cloud.storage.scope import Scope
from cloud.storage.views import place_json, stamp
from protocols.delivery import Lane, NumberSet

Json = dict[str, Any]
_RANGES = 20
"""Ranges that a page is told of one loss; more say no more to anybody."""


def gateways(tx: Transaction, places: Places, scope: Scope) -> list[Json]:
    """Per gateway and lane how much arrived, is held there, is lost, or may be on its way."""
    rows = tx.fetch(load("losses")["lanes"], scope.params())
    places.prepare(tx, (row["place_id"] for row in rows))
    found = []
    for _, lanes in groupby(rows, key=lambda row: row["gateway_id"]):
        known = list(lanes)
        first = known[0]
        shown = {key: first[key] for key in ("code", "name", "online")} | {"id": first["gateway_id"]}
        shown |= {"group": first["group_code"], "place": place_json(places.line(tx, first["place_id"]))}
        shown |= {"seen_at": stamp(first["seen_at"]), "born_at": stamp(first["born_at"])}
        found.append(shown | {"lanes": [_lane(row) for row in known]})
    return found


def losses(tx: Transaction, places: Places, scope: Scope, gateway: int | None, limit: int) -> list[Json]:
    """What was told as missing: what still is first, then newest first."""
    rows = tx.fetch(load("losses")["newest"], scope.params() | {"gateway": gateway, "limit": limit})
    places.prepare(tx, (row["place_id"] for row in rows))
    return [_loss(row, place_json(places.line(tx, row["place_id"]))) for row in rows]


def standing(tx: Transaction) -> Mapping[str, tuple[int, int, int]]:
    """Per lane: messages that gateways hold, that are lost, and that may be on their way."""
    open_ = {row["lane"]: row for row in tx.fetch(load("losses")["standing"])}
    told = {row["lane"]: row["lost"] for row in tx.fetch(load("losses")["told"])}
    found = {}
    for lane in map(str, Lane):
        held, missing = (open_[lane]["held"], open_[lane]["missing"]) if lane in open_ else (0, 0)
        lost = told.get(lane, 0)
        found[lane] = (held, lost, max(0, missing - lost))
    return found


def _lane(row: DictRow) -> Json:
    lost = min(row["lost"], row["missing"])
    counts = {key: row[key] for key in ("lane", "given", "received", "held")}
    return counts | {"lost": lost, "open": row["missing"] - lost, "lost_since": stamp(row["lost_since"])}


def _loss(row: DictRow, place: Json | None) -> Json:
    missing, told = NumberSet.parse(row["missing"]), NumberSet.parse(row["numbers"])
    whose = {"group": row["group_code"], "code": row["gateway_code"], "name": row["gateway_name"]}
    return {
        "id": row["id"],
        "gateway": whose if row["gateway_code"] is not None else None,
        "place": place,
        "epoch": str(row["epoch"]),
        "lane": row["lane"],
        "reason": row["reason"],
        "count": len(told),
        "missing": len(missing),
        "ranges": [list(pair) for pair in told.ranges[:_RANGES]],
        "noticed_at": stamp(row["noticed_at"]),
        "ended_at": stamp(row["ended_at"]),
    }
