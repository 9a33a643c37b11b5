"""The ``[[driver]]`` table of a vending machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.drivers.port import DeviceConfig


class VendingDevice(DeviceConfig):
    """The machine. Only prices of `price_selections` can be set from afar, and only within these limits (minor units).

    No selection is listed = no price can be set.
    """

    type: str = "vending"
    price_selections: tuple[str, ...] = Field(default=(), max_length=400)
    price_lowest: int = Field(default=1, ge=1, le=999_999_999)
    price_highest: int = Field(default=10_000, ge=1, le=999_999_999)


class VendingConfig(BaseModel):
    """One line with one machine, over DEX or DDCMP.

    `carrier` is who we say we are over DEX: a maker's three letters and seven digits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["vending"]
    name: str
    port: Path
    link: Literal["dex", "ddcmp"] = "dex"
    baud: Literal[2400, 9600, 19200, 38400] = 9600
    interval_s: float = Field(default=60.0, ge=1, le=86_400)
    carrier: str = Field(default="LDG0000001", pattern=r"^[A-Z]{3}[0-9]{7}$")
    revision: Literal["R00L06", "R01L01"] = "R00L06"
    device: tuple[VendingDevice, ...] = Field(min_length=1, max_length=1)

    @model_validator(mode="after")
    def _prices_by_dex(self) -> VendingConfig:
        if self.link != "dex" and self.device[0].price_selections:
            raise ValueError("prices can be set over DEX only: price_selections must be empty")
        return self
