"""A vending machine with spirals, a coin changer, a card reader and a cooled cabinet, wire-true on a DEX line."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from simulators.hardware.port import Ledger
from simulators.hardware.vending.machine import VendingMachine
from simulators.hardware.vending.memory import Memory, Selection

__all__ = ["Memory", "Selection", "VendingMachine", "make"]


class _Selection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    number: str
    product: str
    price: int = Field(ge=0)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    path: Path
    device: str
    sales_per_hour: float = Field(default=30.0, ge=0)
    selection: tuple[_Selection, ...] = Field(min_length=1)


def make(settings: Mapping[str, Any], rng: random.Random, ledger: Ledger) -> VendingMachine:
    """The machine of a ``[[hardware]]`` table: `path` of the pty, `device`, `sales_per_hour`, `selection` rows."""
    read = _Settings.model_validate(settings)
    selections = [Selection(number=row.number, product=row.product, price=row.price) for row in read.selection]
    return VendingMachine(
        read.path, read.device, selections, ledger=ledger, rng=rng, sales_per_hour=read.sales_per_hour
    )
