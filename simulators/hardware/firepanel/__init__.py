"""A fire alarm panel with loops of detectors that reports by GB/T 26875.3 over TCP, as its transmission device does."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from simulators.hardware.firepanel.panel import Deviations, FirePanel
from simulators.hardware.port import Ledger

__all__ = ["Deviations", "FirePanel", "make"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65_535)
    source: int = Field(default=0x102, ge=0, lt=1 << 48)
    loops: int = Field(default=2, ge=1, le=64)
    detectors: int = Field(default=8, ge=1, le=250)


def make(settings: Mapping[str, Any], chance: random.Random, ledger: Ledger) -> FirePanel:
    """The panel of a ``[[hardware]]`` table: `id`, `host` and `port` of the gateway, `source`, `loops`, `detectors`."""
    read = _Settings.model_validate(settings)
    return FirePanel(
        read.id,
        (read.host, read.port),
        source=read.source,
        loops=read.loops,
        detectors=read.detectors,
        ledger=ledger,
        chance=chance,
    )
