"""Rows of `due`: what the due worker is to handle, and when."""

from __future__ import annotations

from datetime import datetime

from cloud.storage.database import Transaction
from cloud.storage.queries import load


def set_timer(tx: Transaction, kind: str, ref: object, at: datetime) -> None:
    """Let `kind` be handled at a time (aware, UTC), and wake who does it; a timer that exists stays as it is."""
    tx.execute(load("due")["set"], {"kind": kind, "ref": str(ref), "at": at})
    tx.wake_due()
