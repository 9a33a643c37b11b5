"""What gateways are to run and what they run, as rows (see `protocols.configuration`).

Every function runs in the caller's transaction and publishes what pages show. Times are aware UTC datetimes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.registry.commands import with_sentence
from cloud.registry.heard import Events, heard
from cloud.storage.database import StreamEvent, Transaction
from cloud.storage.queries import load
from cloud.storage.timers import set_timer
from cloud.storage.views import stamp
from protocols import configuration
from protocols.configuration import Told
from protocols.errors import ConfigError, ProtocolError, RefusedError

OFFER: Final = "configuration.offer"
SEND: Final = "configuration.send"
SHOWN: Final = 20
"""Versions of a gateway that pages list."""

Json = dict[str, Any]


def want(
    tx: Transaction, gateway: DictRow, identity: UUID, text: str, *, hold_s: int, person: UUID, now: datetime
) -> bool:
    """A new version, to be offered at once; False when it was given before.

    Raises ProtocolError and ConfigError for what no gateway could use, RefusedError while another is on trial.
    """
    sql, which = load("configurations"), {"gateway": gateway["id"]}
    tx.execute(sql["hold"], which)
    known = tx.one(sql["by_id"], {"id": identity})
    if known is not None:
        if known["gateway_id"] != gateway["id"] or known["text"] != text:
            raise RefusedError("cloud.action-id.foreign")
        return False
    document = _checked(text, gateway)
    tx.execute(sql["supersede"], which | {"now": now})
    if tx.one(sql["open"], which) is not None:
        raise RefusedError("cloud.configuration.on-trial", gateway=gateway["code"])
    number = tx.one(sql["next_number"], which)
    assert number is not None
    row = which | {"id": identity, "number": number["number"], "hash": configuration.content_hash(document)}
    tx.execute(sql["insert"], row | {"text": text, "hold_s": hold_s, "person": person, "now": now})
    set_timer(tx, OFFER, identity, now)
    _publish(tx, gateway)
    return True


def take_told(tx: Transaction, events: Events, received_ms: int) -> None:
    """What gateways say about configurations."""
    now = datetime.fromtimestamp(received_ms / 1000, UTC)
    for gateway, told in heard(tx, events, configuration.told):
        _take(tx, gateway, told, now)


def shown(tx: Transaction, gateway: DictRow) -> Json:
    """Wanted, reported, the difference, and the versions so far, newest first."""
    sql, which = load("configurations"), {"gateway": gateway["id"]}
    rows = tx.fetch(sql["versions"], which | {"limit": SHOWN})
    reported = tx.one(sql["reported"], which)
    text = _reported_text(tx, gateway["id"], reported)
    wanted = next((row for row in rows if row["state"] != "superseded"), None)
    left, right = _parsed(wanted["text"] if wanted is not None else None), _parsed(text)
    found = configuration.differences(left, right) if left is not None and right is not None else []
    return {
        "gateway": {key: gateway[key] for key in ("group_code", "code", "name", "online")},
        "wanted": wanted and _version(wanted) | {"text": wanted["text"]},
        "reported": reported
        and {"number": reported["number"], "hash": reported["hash"], "at": stamp(reported["at"]), "text": text},
        "difference": [{"key": one.key, "wanted": one.wanted, "reported": one.reported} for one in found],
        "same": bool(wanted and reported and wanted["hash"] == reported["hash"]),
        "versions": [_version(row) for row in rows],
    }


def running(tx: Transaction, gateway: int) -> str | None:
    """The text that a gateway says it runs; None where it is not known."""
    return _reported_text(tx, gateway, tx.one(load("configurations")["reported"], {"gateway": gateway}))


def _take(tx: Transaction, gateway: int, told: Told, at: datetime) -> None:
    sql = load("configurations")
    which: Json = {"gateway": gateway, "id": told.id, "at": at}
    if told.kind == configuration.READY:
        if tx.fetch(sql["ticket"], which | {"ticket": told.ticket}):
            set_timer(tx, SEND, told.id, at)
        return
    if told.kind == configuration.TRYING:
        tx.execute(sql["trying"], which)
    elif told.kind in configuration.OUTCOMES:
        _outcome(tx, gateway, told, at)
    elif told.kind == configuration.RUNNING:
        tx.execute(sql["report"], which | {"number": told.number, "hash": told.hash})
        if told.last is not None:
            _outcome(tx, gateway, told.last, at, report=False)
    else:
        _piece(tx, gateway, told)
    row = tx.one(sql["where"], which)
    assert row is not None
    _publish(tx, row)


def _outcome(tx: Transaction, gateway: int, told: Told, at: datetime, *, report: bool = True) -> None:
    sql = load("configurations")
    state = told.kind.removeprefix("config.")
    error = None if told.error is None else json.dumps(told.error, ensure_ascii=False)
    tx.execute(sql["outcome"], {"gateway": gateway, "id": told.id, "at": at, "state": state, "error": error})
    if report and told.kind == configuration.CONFIRMED:
        tx.execute(sql["report"], {"gateway": gateway, "number": told.number, "hash": told.hash, "at": at})


def _piece(tx: Transaction, gateway: int, told: Told) -> None:
    """A text that arrives in pieces is kept when it is whole, and what its hash says."""
    if not 0 <= told.piece < told.pieces <= configuration.MAX_PIECES or len(told.text) > configuration.PIECE:
        return
    params = {"gateway": gateway, "hash": told.hash, "piece": str(told.piece), "text": told.text}
    row = tx.one(load("configurations")["piece"], params)
    if row is None or len(row["pieces"]) < told.pieces:
        return
    try:
        text = configuration.from_pieces([row["pieces"][str(n)] for n in range(told.pieces)])
        if configuration.content_hash(configuration.parse(text)) == told.hash:
            tx.execute(load("configurations")["whole"], {"gateway": gateway, "text": text})
    except (ProtocolError, KeyError):
        return


def _checked(text: str, gateway: DictRow) -> dict[str, Any]:
    """What can be told without the gateway: everything else is its own to judge."""
    document = configuration.parse(text)
    configuration.to_pieces(text)
    secret = next(configuration.secret_keys(document), None)
    if secret is not None:
        raise ConfigError("cloud.configuration.secret", key=secret)
    table = document.get("gateway")
    for key, here in (("group", gateway["group_code"]), ("node", gateway["code"])):
        if not isinstance(table, dict) or table.get(key) != here:
            raise ConfigError("cloud.configuration.another-gateway", key=f"gateway.{key}", value=here)
    return document


def _reported_text(tx: Transaction, gateway: int, reported: DictRow | None) -> str | None:
    if reported is None:
        return None
    found = reported if reported["text"] is not None else None
    found = found or tx.one(load("configurations")["text_of"], {"gateway": gateway, "hash": reported["hash"]})
    return None if found is None else str(found["text"])


def _parsed(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        return configuration.parse(text)
    except ProtocolError:
        return None


def _version(row: DictRow) -> Json:
    found = {"id": str(row["id"]), **{key: row[key] for key in ("number", "hash", "hold_s", "state")}}
    found |= {"error": row["error"] and with_sentence(row["error"])}
    found["person"] = {"id": str(row["person_id"]), "name": row["person_name"]}
    return found | {name: stamp(row[name]) for name in ("created_at", "changed_at")}


def _publish(tx: Transaction, gateway: DictRow) -> None:
    """Pages that show this gateway's configuration ask for it again: its text does not belong into the stream."""
    key = f"{gateway['group_code']}/{gateway['code']}"
    data = {"group": gateway["group_code"], "code": gateway["code"]}
    tx.publish(StreamEvent(kind="configuration", key=key, data=data, place_id=gateway["place_id"]))
