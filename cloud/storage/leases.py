"""Leases: one holder of a name at a time, and a fence number that grows with each holder, by the database's clock."""

from __future__ import annotations

from cloud.storage.database import Transaction
from cloud.storage.queries import load


def hold(tx: Transaction, name: str, holder: str, seconds: float) -> int | None:
    """Take the lease `name`, or prolong ours, for `seconds` from now. The fence number; None while another has it."""
    row = tx.one(load("leases")["hold"], {"name": name, "holder": holder, "seconds": seconds})
    return None if row is None else int(row["fence"])


def release(tx: Transaction, name: str, holder: str) -> None:
    """Give the lease back, if it is ours; the next holder need not wait."""
    tx.execute(load("leases")["release"], {"name": name, "holder": holder})


def holder(tx: Transaction, name: str) -> str | None:
    """Who took the lease last, whether or not it is over; None when nobody ever did."""
    row = tx.one(load("leases")["holder"], {"name": name})
    return None if row is None else str(row["holder"])


def runs(tx: Transaction, name: str) -> bool:
    """Whether anybody has the lease now."""
    return bool(tx.fetch(load("leases")["runs"], {"name": name}))
