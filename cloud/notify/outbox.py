"""Rows of the outbox. The pages' own channel, `in-page`, is the live stream: sent with the commit of its cause."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from cloud.notify.channels import Channel, Message
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.storage.timers import set_timer
from protocols.errors import RefusedError, UnavailableError

IN_PAGE: Final = "in-page"
MOST_ATTEMPTS: Final = 8
Reached = Literal["delivered", "read", "answered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification; `once` is what makes it the same one, so that it is never queued twice."""

    person_id: UUID
    kind: str
    once: str
    params: Mapping[str, Any]
    incident_id: int | None = None


def enqueue(tx: Transaction, notices: Sequence[Notice], now: datetime, channel: str = IN_PAGE) -> None:
    """Queue notices for a channel; those of the page itself are sent by this transaction's stream events."""
    if not notices:
        return
    rows = tx.fetch(
        load("notifications")["queue"],
        {
            "persons": [notice.person_id for notice in notices],
            "kinds": [notice.kind for notice in notices],
            "params": [json.dumps(notice.params, ensure_ascii=False, default=str) for notice in notices],
            "incidents": [notice.incident_id for notice in notices],
            "once": [f"{channel}/{notice.once}" for notice in notices],
            "channel": channel,
            "state": "sent" if channel == IN_PAGE else "queued",
            "sent_at": now if channel == IN_PAGE else None,
            "now": now,
        },
    )
    if channel != IN_PAGE:
        for row in rows:
            set_timer(tx, "notify.send", row["id"], now)


def reach(tx: Transaction, once: str, state: Reached, now: datetime, channel: str = IN_PAGE) -> None:
    """A receipt came: the notification got this far, never back."""
    tx.execute(load("notifications")["reach"], {"once": f"{channel}/{once}", "state": state, "now": now})


def send(tx: Transaction, notification_id: int, channels: Mapping[str, Channel], now: datetime) -> datetime | None:
    """Send one queued notification; when to try again, None when it was sent or given up."""
    sql = load("notifications")
    row = tx.one(sql["take"], {"id": notification_id})
    if row is None:
        return None
    message = Message(id=row["id"], person_id=row["person_id"], kind=row["kind"], params=row["params"])
    try:
        channel = channels.get(row["channel"])
        if channel is None:
            raise RefusedError("cloud.notify.no-channel", channel=row["channel"])
        channel.send(message)
    except (UnavailableError, RefusedError) as error:
        last = isinstance(error, RefusedError) or row["attempts"] + 1 >= MOST_ATTEMPTS
        state = "failed" if last else "queued"
        tx.execute(sql["tried"], {"id": row["id"], "state": state, "error": str(error), "sent_at": None})
        return None if last else now + backoff(row["attempts"])
    tx.execute(sql["tried"], {"id": row["id"], "state": "sent", "error": None, "sent_at": now})
    return None


def backoff(attempts: int) -> timedelta:
    """2, 4, 8 … at most 600 seconds, ± 25 %."""
    return timedelta(seconds=min(600.0, 2.0 ** (attempts + 1)) * random.uniform(0.75, 1.25))  # noqa: S311  # jitter
