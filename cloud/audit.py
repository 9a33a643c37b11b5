"""The audit log: who did what, from where; who looked at personal data. Rows are never changed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from cloud.storage.database import Transaction
from cloud.storage.queries import load

ONE_LOOK: Final = timedelta(minutes=5)
"""A page reads again what it shows; that is one look of its person."""


def record(
    tx: Transaction,
    now: datetime,
    action: str,
    *,
    person: UUID | None,
    subject: str | None = None,
    place: int | None = None,
    address: str | None = None,
    **detail: Any,
) -> None:
    """One row; it commits with what it tells of."""
    row = {"now": now, "person": person, "action": action, "subject": subject, "place": place, "address": address}
    tx.execute(load("people")["audit"], row | {"detail": json.dumps(detail, ensure_ascii=False, default=str)})


def view(
    tx: Transaction,
    now: datetime,
    action: str,
    *,
    person: UUID,
    subject: str | None = None,
    place: int | None = None,
    address: str | None = None,
) -> None:
    """Somebody looked at personal data: one row per person, action, subject and address within `ONE_LOOK`."""
    row = {"now": now, "person": person, "action": action, "subject": subject, "place": place, "address": address}
    tx.execute(load("people")["audit_view"], row | {"detail": "{}", "since": now - ONE_LOOK})
