"""What ingest asks of others: to judge what it stores, in the same transaction, and which readings to judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cloud.storage.database import Transaction
from protocols.events import Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One observation of a device that hangs somewhere. `device_code` is empty for the gateway itself."""

    device_id: int
    device_code: str
    device_type: str | None
    gateway_id: int
    place_id: int
    place_path: str
    observation: Observation


Judge = Callable[[Transaction, Sequence[Fact], int], None]
"""Called once per commit group that has facts, in the order of their times, with now in ms since 1970 UTC.

It reads and writes through the transaction it is given and never commits. What it raises undoes the whole group:
UnavailableError is tried again later, anything else sets the message that caused it aside as poison.
"""

Watched = Callable[[str | None, str], bool]
"""Whether any rule looks at this metric of this device type. Asked often; must be quick. Thread: the worker's."""
