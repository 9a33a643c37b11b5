"""The workers that share out the Sparkplug groups, as rows: who lives, who carries what, how each stands."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.storage.database import Transaction
from cloud.storage.queries import load

LEASE_S: Final = 4.0
"""So long a worker counts as alive after its last beat, unless the server knows sooner that it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One worker. `host_id` is the Sparkplug host it works for, `connection` its pool's name."""

    id: UUID
    host_id: str
    name: str
    connection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A group, how much work it is, and who carries it (a worker that may be dead, or nobody)."""

    code: str
    weight: int
    worker: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a beat found: the workers that live, with what they said of themselves, and all groups."""

    members: Mapping[UUID, Mapping[str, Any]]
    groups: tuple[Share, ...]

    @property
    def able(self) -> frozenset[UUID]:
        """The workers that have a way to the broker; all of them when nobody has."""
        found = frozenset(member for member, figures in self.members.items() if not figures.get("cut_off"))
        return found or frozenset(self.members)


def beat(tx: Transaction, me: Member, figures: Mapping[str, Any]) -> View:
    """Say that `me` lives, and look around."""
    sql, mine = load("workers"), {"id": me.id, "host_id": me.host_id}
    tx.execute(sql["relaxed"])
    told = {"name": me.name, "connection": me.connection, "seconds": LEASE_S, "figures": json.dumps(figures)}
    tx.execute(sql["beat"], mine | told)
    return look(tx, me)


def look(tx: Transaction, me: Member) -> View:
    """How it stands now."""
    sql, mine = load("workers"), {"id": me.id, "host_id": me.host_id}
    members = {row["id"]: row["figures"] for row in tx.fetch(sql["members"], mine)}
    rows = tx.fetch(sql["groups"], mine)
    groups = tuple(Share(code=row["code"], weight=1 + row["gateways"], worker=row["worker"]) for row in rows)
    return View(members=members, groups=groups)


def alone(tx: Transaction, me: Member) -> bool:
    """Whether nobody else takes groups until this transaction ends; never waits."""
    row = tx.one(load("workers")["alone"], {"host_id": me.host_id})
    return row is not None and bool(row["alone"])


def take(tx: Transaction, me: Member, codes: Collection[str]) -> None:
    """`me` carries these groups."""
    tx.execute(load("workers")["take"], {"id": me.id, "host_id": me.host_id, "codes": sorted(codes)})


def give(tx: Transaction, me: Member, codes: Collection[str]) -> None:
    """`me` carries these no more."""
    tx.execute(load("workers")["give"], {"id": me.id, "host_id": me.host_id, "codes": sorted(codes)})


def leave(tx: Transaction, me: Member) -> None:
    """`me` stops in order; what it carried is free at once."""
    tx.execute(load("workers")["leave"], {"id": me.id})


def add(tx: Transaction, host_id: str, codes: Collection[str]) -> None:
    """Groups that were heard of."""
    tx.execute(load("workers")["add"], {"host_id": host_id, "codes": sorted(codes)})


def count(tx: Transaction, host_id: str) -> None:
    """Bring the list of groups up to date with the gateways, and forget what is long gone."""
    sql, mine = load("workers"), {"host_id": host_id}
    for name in ("count", "forget_groups", "forget_workers"):
        tx.execute(sql[name], mine)


def standing(tx: Transaction, host_id: str) -> tuple[list[DictRow], int]:
    """A row for each worker, and how many groups nobody carries."""
    sql, mine = load("workers"), {"host_id": host_id}
    row = tx.one(sql["uncarried"], mine)
    return tx.fetch(sql["standing"], mine), 0 if row is None else int(row["count"])


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `standing` as people and programs are told of it."""
    figures = row["figures"]
    picked = {key: figures.get(key) for key in ("waiting_s", "queue", "connected", "storing", "readings", "lagging")}
    picked["lagging"] = picked["lagging"] or {}
    return {"name": row["name"], "groups": row["groups"], "first_groups": row["first_groups"] or []} | picked


def summary(each: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    """What `told` tells of workers, without any name: how they do together."""
    return {
        "count": len(each),
        "well": sum(bool(one["connected"] and one["storing"]) for one in each),
        "groups": sum(one["groups"] for one in each),
        "waiting_s": max((one["waiting_s"] or 0.0 for one in each), default=0.0),
    }


def late_s(tx: Transaction, host_id: str) -> float | None:
    """By how many seconds the cloud lags behind, as operators were told; None while it does not."""
    row = tx.one(load("workers")["late"], {"host_id": host_id})
    return None if row is None else row["seconds"]
