"""What a fleet is asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_GATEWAYS: Final = 20_000
MOST_SECONDS: Final = 7 * 24 * 3600.0
MOST_PROCESSES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A fleet. `rate`: readings per second over all gateways, in messages of `batch` readings; sent for `seconds`.

    Gateway n belongs to group n modulo `groups`. `first` and `last` say which gateways this process plays (last
    excluded). `urgent_every`: after so many messages of readings an event follows in the urgent lane; 0 for none.
    """

    brokers: tuple[tuple[str, int], ...]
    gateways: int
    devices: int
    rate: float
    seconds: float
    user: str | None = None
    password: str | None = None
    host: str = "liandong"
    prefix: str = "fleet"
    groups: int = 1
    batch: int = 10
    metrics: int = 2
    urgent_every: int = 50
    ramp: float = 200.0
    patience_s: float = 60.0
    ledger: str | None = None
    first: int = 0
    last: int = 0

    @property
    def share(self) -> float:
        """Which part of the fleet this process plays."""
        return (self.last - self.first) / self.gateways

    def group(self, number: int) -> str:
        """The Sparkplug group of a gateway."""
        return f"{self.prefix}-{number % self.groups:03}"

    def node(self, number: int) -> str:
        """The Sparkplug node of a gateway."""
        return f"gw-{number:05}"
