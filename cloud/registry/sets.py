"""What is delivered to gateways as versions of pages (see `protocols.sets`): cardholders, local rules, places.

Whoever changes a row that a set is made of calls `changed`; a timer makes the set anew in a transaction of its own, so
ten thousand changes make one version. What a set already says is not sent again. Times are aware UTC datetimes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.registry.commands import with_sentence
from cloud.registry.heard import Events, heard
from cloud.storage.database import StreamEvent, Transaction
from cloud.storage.queries import load
from cloud.storage.views import stamp
from protocols import sets
from protocols.sets import Kind, Told

BUILD: Final = "set.build"
OFFER: Final = "set.offer"
SEND: Final = "set.send"
SHOWN: Final = 20
"""Versions of a set that are kept, and that pages list."""
NAMED: Final = 50
"""Names of what differs that pages list."""

Json = dict[str, Any]
_NAMES: Final[Mapping[Kind, str]] = {"cardholders": "id", "rules": "code", "places": "place"}


def changed(tx: Transaction, gateways: Iterable[int], kind: Kind, now: datetime) -> None:
    """What these gateways are to work by may be different now."""
    for gateway in sorted(set(gateways)):
        _timer(tx, BUILD, f"{gateway}/{kind}", now)


def build(tx: Transaction, gateway_id: int, kind: Kind, *, time_zone: str, now: datetime) -> UUID | None:
    """Make the set anew; the id of its version if it is another one than the gateway was to work by.

    Raises ProtocolError for a set that is too large.
    """
    sql, which = load("sets"), {"gateway": gateway_id, "kind": kind, "now": now}
    gateway = tx.one(sql["hold"], which)
    if gateway is None:
        return None
    head, items = _content(tx, gateway, kind, time_zone)
    pages = sets.pages_of(head, items, lambda item: str(item[_NAMES[kind]]))
    names = [sets.name_of(page) for page in pages]
    digest = sets.set_hash(kind, names)
    newest, reported = tx.one(sql["newest"], which), tx.one(sql["reported"], which)
    if (newest is None and not items) or (kind == "places" and reported is None):  # it would not know what they are
        return None
    if newest is not None and newest["hash"] == digest and not _overtaken(newest, reported):
        return None
    tx.execute(sql["supersede"], which)
    number = 1 + max(row["number"] if row is not None else 0 for row in (newest, reported))
    row = tx.one(sql["insert"], which | {"number": number, "hash": digest, "pages": names, "items": len(items)})
    assert row is not None
    for name, page in zip(names, pages, strict=True):
        tx.execute(sql["put_page"], which | {"hash": name, "body": page})
    tx.execute(sql["tidy"], which | {"versions": SHOWN})
    identity: UUID = row["id"]
    _timer(tx, OFFER, str(identity), now)
    _publish(tx, gateway, kind)
    return identity


def _overtaken(newest: DictRow, reported: DictRow | None) -> bool:
    """Whether the gateway works by a number that it will not give up for this one."""
    if reported is None:
        return False
    here, there = (int(row["number"]) for row in (newest, reported))
    return there > here or (there == here and str(reported["hash"]) != str(newest["hash"]))


def _content(tx: Transaction, gateway: DictRow, kind: Kind, time_zone: str) -> tuple[Json, list[Json]]:
    """Head and items of a gateway's set, as they are now."""
    if kind == "cardholders":
        return _people(tx, gateway["id"], time_zone)
    if kind == "rules":
        return {}, _rules(tx, gateway["id"])
    which = {"group": gateway["group_code"], "gateway_path": gateway["path"], "limit": sets.MAX_ITEMS}
    rows = tx.fetch(load("placings")["places"], which)
    return {}, [{"place": row["path"].removeprefix(f"{row['estate']}/"), "name": row["name"]} for row in rows]


def _people(tx: Transaction, gateway: int, time_zone: str) -> tuple[Json, list[Json]]:
    sql, which = load("sets"), {"gateway": gateway}
    items = [_person(row) for row in tx.fetch(sql["people"], which)]
    codes = sorted({item["schedule"] for item in items if "schedule" in item})
    schedules = {row["code"]: row["hours"] for row in tx.fetch(sql["schedules"], {"codes": codes})}
    holidays = [row["day"].isoformat() for row in tx.fetch(sql["holidays"], which)]
    return {"time_zone": time_zone, "holidays": holidays, "schedule": schedules}, items


def _person(row: DictRow) -> Json:
    """As `protocols.access.cardholders.Cardholder` reads it, without what is usual; names stay here."""
    found: Json = {"id": row["code"], "doors": row["doors"]}
    found |= {key: row[key] for key in ("cards", "duress_cards", "schedule") if row[key]}
    found |= {key: row[key].isoformat() for key in ("valid_from", "valid_until") if row[key] is not None}
    found |= {} if row["enabled"] else {"enabled": False}
    return found | ({"passback_exempt": True} if row["passback_exempt"] else {})


def _rules(tx: Transaction, gateway: int) -> list[Json]:
    return [row["body"] for row in tx.fetch(load("sets")["rules"], {"gateway": gateway})]


def take_told(tx: Transaction, events: Events, received_ms: int) -> None:
    """What gateways say about sets.

    Timers come before versions: whoever handles a timer holds it while it locks its version.
    """
    now = datetime.fromtimestamp(received_ms / 1000, UTC)
    found = list(heard(tx, events, sets.told))
    for kind, _, ref in sorted({timer for gateway, told in found for timer in _note(tx, gateway, told, now)}):
        _timer(tx, kind, ref, now)
    for gateway, told in found:
        _take(tx, gateway, told, now)


def _note(tx: Transaction, gateway: int, told: Told, at: datetime) -> list[tuple[str, int, str]]:
    """Write down what the gateway works by; the timers (kind, gateway, ref) that follow. Locks no version."""
    sql, which = load("sets"), _which(gateway, told, at)
    if told.event == sets.READY:
        return [(SEND, gateway, str(told.id))] if tx.one(sql["awaited"], which) is not None else []
    if told.event in (sets.APPLIED, sets.RUNNING):
        tx.execute(sql["report"], which | {"number": told.number, "hash": told.hash, "items": told.count})
    elif told.event == sets.UNFIT:
        unfit = json.dumps({"count": told.count, "error": told.error}, ensure_ascii=False) if told.count else None
        tx.execute(sql["unfit"], which | {"unfit": unfit})
    else:
        tx.execute(sql["report_number"], which | {"held": told.held})
    newest, reported = tx.one(sql["newest"], which), tx.one(sql["reported"], which)
    if newest is None and told.kind == "places" and told.event == sets.RUNNING:
        return [(BUILD, gateway, f"{gateway}/{told.kind}")]
    if newest is None or reported is None:
        return []
    if _overtaken(newest, reported):
        return [(BUILD, gateway, f"{gateway}/{told.kind}")]
    return [(OFFER, gateway, str(newest["id"]))] if _lost(told, newest, reported) else []


def _lost(told: Told, newest: DictRow, reported: DictRow) -> bool:
    """Whether a gateway that has started works by something else than what is wanted."""
    return told.event == sets.RUNNING and reported["hash"] != newest["hash"]


def _take(tx: Transaction, gateway: int, told: Told, at: datetime) -> None:
    """What became of a version. A gateway that lost what it had gets it again."""
    sql, which = load("sets"), _which(gateway, told, at)
    if told.event == sets.READY:
        tx.execute(sql["ticket"], which | {"ticket": told.ticket, "wants": list(told.wants)})
        return
    if told.event in (sets.APPLIED, sets.REFUSED):
        error = None if told.error is None else json.dumps(told.error, ensure_ascii=False)
        tx.execute(sql["outcome"], which | {"state": told.event.removeprefix("set."), "error": error})
    newest, reported = tx.one(sql["newest"], which), tx.one(sql["reported"], which)
    if (
        newest is not None
        and reported is not None
        and not _overtaken(newest, reported)
        and _lost(told, newest, reported)
    ):
        tx.execute(sql["again"], {"id": newest["id"], "at": at})
    if told.event in (sets.APPLIED, sets.RUNNING):
        tx.execute(sql["tidy"], which | {"versions": SHOWN})
    row = tx.one(load("configurations")["where"], which)
    assert row is not None
    _publish(tx, row, told.kind)


def _which(gateway: int, told: Told, at: datetime) -> Json:
    return {"gateway": gateway, "kind": told.kind, "id": told.id, "at": at}


def distrust(tx: Transaction, now: datetime) -> None:
    """After a restored backup nobody knows what gateways work by: each is offered what is wanted, and says."""
    found = [row["id"] for row in tx.fetch(load("sets")["unsure"])]
    for identity in found:
        _timer(tx, OFFER, str(identity), now)
    for identity in found:
        tx.execute(load("sets")["again"], {"id": identity, "at": now})


def shown(tx: Transaction, gateway: DictRow, kind: Kind) -> Json:
    """Wanted, reported, the difference, and the versions so far, newest first."""
    sql, which = load("sets"), {"gateway": gateway["id"], "kind": kind}
    rows = tx.fetch(sql["versions"], which | {"limit": SHOWN})
    reported = tx.one(sql["reported"], which)
    wanted = rows[0] if rows else None
    building = tx.one(sql["building"], {"timer": BUILD, "ref": f"{gateway['id']}/{kind}"}) is not None
    same = not building and (wanted is None or (reported is not None and reported["hash"] == wanted["hash"]))
    told = reported and {
        "number": reported["number"],
        "items": reported["items"],
        "at": stamp(reported["at"]),
        "unfit": reported["unfit"]
        and {"count": reported["unfit"]["count"], "error": with_sentence(reported["unfit"]["error"])},
    }
    return {
        "wanted": wanted and _version(wanted),
        "reported": told,
        "same": same,
        "difference": None if same or wanted is None else _difference(tx, which, wanted, reported, rows),
        "versions": [_version(row) for row in rows],
    }


def _difference(
    tx: Transaction, which: Json, wanted: DictRow, reported: DictRow | None, rows: Sequence[DictRow]
) -> Json | None:
    """Names that the gateway does not have, has otherwise, and has too many; None when its version is not known."""
    empty: list[str] = []
    held = empty if reported is None or not reported["number"] else None
    for row in rows:
        if reported is not None and row["hash"] == reported["hash"]:
            held = row["pages"]
    if held is None:
        return None
    left, right = set(wanted["pages"]), set(held)
    here = _items(tx, which, [name for name in wanted["pages"][1:] if name not in right])
    there = _items(tx, which, [name for name in held[1:] if name not in left])
    if here is None or there is None:
        return None
    lists = {
        "missing": sorted(here.keys() - there.keys()),
        "other": sorted(name for name in here.keys() & there.keys() if here[name] != there[name]),
        "spare": sorted(there.keys() - here.keys()),
    }
    found: Json = {key: {"count": len(names), "names": names[:NAMED]} for key, names in lists.items()}
    return found | {"head": bool(held) and wanted["pages"][0] != held[0]}


def _items(tx: Transaction, which: Json, names: Sequence[str]) -> dict[str, Any] | None:
    rows = tx.fetch(load("sets")["bodies"], which | {"hashes": list(names)})
    if len(rows) < len(set(names)):
        return None
    key = _NAMES[which["kind"]]
    return {item[key]: item for row in rows for item in json.loads(bytes(row["body"]))}


def _version(row: DictRow) -> Json:
    found: Json = {key: row[key] for key in ("number", "items", "state")} | {"hash": row["hash"][:12]}
    found |= {"error": row["error"] and with_sentence(row["error"])}
    return found | {name: stamp(row[name]) for name in ("created_at", "changed_at")}


def _publish(tx: Transaction, gateway: DictRow, kind: Kind) -> None:
    """Pages that show this gateway's sets ask for them again: what they hold does not belong into the stream."""
    data = {"group": gateway["group_code"], "code": gateway["code"], "kind": kind}
    key = f"{gateway['group_code']}/{gateway['code']}/{kind}"
    tx.publish(StreamEvent(kind="set", key=key, data=data, place_id=gateway["place_id"]))


def _timer(tx: Transaction, kind: str, ref: str, at: datetime) -> None:
    tx.execute(load("sets")["soon"], {"kind": kind, "ref": ref, "at": at})
    tx.wake_due()
