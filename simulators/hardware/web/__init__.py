"""A sensor with a web server on loopback."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from simulators.hardware.port import Ledger
from simulators.hardware.web.sensor import WebSensor

__all__ = ["WebSensor", "make"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    device: str
    port: int = Field(ge=0, le=65_535)


def make(settings: Mapping[str, Any], rng: random.Random, ledger: Ledger) -> WebSensor:
    """The sensor of a ``[[hardware]]`` table: its `device` and the `port` where it answers."""
    read = _Settings.model_validate(settings)
    return WebSensor(read.device, read.port, ledger=ledger, rng=rng)
