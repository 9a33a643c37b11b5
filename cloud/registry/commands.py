"""Commands down as rows: given by a person, answered by the gateway's events (see `protocols.command`).

Every function runs in the caller's transaction and publishes what pages show. Times are aware UTC datetimes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from cloud.storage.database import StreamEvent, Transaction
from cloud.storage.queries import load
from cloud.storage.timers import set_timer
from cloud.storage.views import stamp
from protocols import command
from protocols.events import Event, Value
from protocols.messages import LANGUAGES, sentence

TTL: Final = timedelta(seconds=15)
"""How long a command may be asked and confirmed; a person who still wants it then gives it again."""
ASK: Final = "command.ask"
CONFIRM: Final = "command.confirm"
EXPIRE: Final = "command.expire"
REBIRTH: Final = "rebirth"
"""What a gateway itself can be told: to say its births again. Harmless at any time, so it needs no ticket."""

_CATALOGUES: Final = ("edge.", "protocols.", "cloud.")

Json = dict[str, Any]


def give(
    tx: Transaction, identity: UUID, *, device: int, output: str, value: Value, person: UUID, now: datetime
) -> bool:
    """A new command, to be asked at once; False when it was given before."""
    row = {"id": identity, "device": device, "output": output, "value": json.dumps(value), "person": person}
    if not tx.execute(load("commands")["insert"], row | {"now": now, "expires_at": now + TTL}):
        return False
    set_timer(tx, ASK, identity, now)
    set_timer(tx, EXPIRE, identity, now + TTL)
    tell(tx, [identity])
    return True


def take_answers(tx: Transaction, told: Iterable[tuple[int | None, Event]], received_ms: int) -> None:
    """What gateways say about commands of these devices: tickets are to be confirmed, outcomes are kept."""
    now, touched = datetime.fromtimestamp(received_ms / 1000, UTC), list[UUID]()
    sql = load("commands")
    for device, event in told:
        answer = command.answer(event.kind, event.data)
        if answer is None:
            continue
        which: Json = {"id": answer.id, "device": device, "now": now}
        if answer.kind == command.READY:
            if tx.fetch(sql["ticket"], which | {"ticket": answer.ticket}):
                set_timer(tx, CONFIRM, answer.id, now)
            continue
        which["state"] = "done" if answer.kind == command.DONE else "refused"
        which["at"] = datetime.fromtimestamp(event.at_ms / 1000, UTC)
        which["error"] = None if answer.error is None else json.dumps(answer.error, ensure_ascii=False)
        touched += [row["id"] for row in tx.fetch(sql["outcome"], which)]
    tell(tx, touched)


def reborn(tx: Transaction, born: Mapping[int, datetime]) -> None:
    """The gateways whose own rows these are were born then: whoever asked them to has what they wanted."""
    params = {"devices": list(born), "at": list(born.values()), "output": REBIRTH}
    rows = tx.fetch(load("commands")["reborn"], params)
    tell(tx, [row["id"] for row in rows])


def shown(tx: Transaction, ids: Sequence[UUID]) -> list[tuple[int | None, Json]]:
    """Commands as pages see them, newest first, each with the place of its device."""
    if not ids:
        return []
    return [(row["place_id"], _shown(row)) for row in tx.fetch(load("commands")["shown"], {"ids": list(ids)})]


def tell(tx: Transaction, ids: Sequence[UUID]) -> None:
    """Publish the state of these commands."""
    for place_id, row in shown(tx, ids):
        tx.publish(StreamEvent(kind="command", key=row["id"], data=row, place_id=place_id))


def _shown(row: Json) -> Json:
    found = {"id": str(row["id"]), "device_id": row["device_id"], "output": row["output"], "value": row["value"]}
    found |= {"state": row["state"], "error": row["error"] and with_sentence(row["error"])}
    found["person"] = {"id": str(row["person_id"]), "name": row["person_name"]}
    return found | {name: stamp(row[name]) for name in ("created_at", "expires_at", "answered_at")}


def with_sentence(error: Json) -> Json:
    """An error of a gateway has its sentence in the gateway's catalogue, which pages do not get."""
    code = str(error["code"])
    known = code.startswith(_CATALOGUES)  # whatever a gateway sends, no other package is looked into
    told = {language: sentence(code, error["params"], language) if known else code for language in LANGUAGES}
    return error | {"sentence": told}
