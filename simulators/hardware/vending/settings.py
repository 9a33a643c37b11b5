"""The ``[[hardware]]`` table of a vending machine."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulators.hardware.port import Ledger
from simulators.hardware.vending.machine import VendingMachine
from simulators.hardware.vending.memory import Selection


class SelectionTable(BaseModel):
    """A spiral; `price` in minor units. It starts full."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    number: str = Field(pattern=r"^[0-9A-Za-z]{1,8}$")
    product: str = Field(pattern=r"^[ -)+-~]{0,20}$")
    price: int = Field(ge=1, le=1_000_000)
    capacity: int = Field(default=10, ge=1, le=1000)
    minimum: int = Field(default=2, ge=0)


class VendingTable(BaseModel):
    """`path` is where the machine's line appears; `serial` is three letters and seven digits."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: Path
    device: str
    serial: str = Field(default="LDG1000001", pattern=r"^[A-Z]{3}[0-9]{7}$")
    sales_per_hour: float = Field(default=30.0, ge=0, le=3600)
    baud: int = Field(default=9600, ge=2400, le=38_400)
    link: Literal["dex", "ddcmp"] = "dex"
    selection: tuple[SelectionTable, ...] = Field(min_length=1, max_length=100)


def make(settings: Mapping[str, Any], chance: random.Random, ledger: Ledger) -> VendingMachine:
    """The machine of a table. Raises pydantic's ValidationError for settings that it cannot use."""
    table = VendingTable.model_validate(dict(settings))
    selections = [
        Selection(
            number=row.number,
            product=row.product,
            price=row.price,
            capacity=row.capacity,
            level=row.capacity,
            minimum=row.minimum,
        )
        for row in table.selection
    ]
    return VendingMachine(
        table.path,
        table.device,
        selections,
        ledger=ledger,
        rng=chance,
        serial=table.serial,
        sales_per_hour=table.sales_per_hour,
        baud=table.baud,
        link=table.link,
    )
