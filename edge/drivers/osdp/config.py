"""The ``[[driver]]`` table of an OSDP line. What it names, keys and cardholders, lies in files of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from edge.drivers.port import DeviceConfig
from protocols.access.keypad import Entry
from protocols.access.passback import Area, Passback, WhenBlind

Line = Annotated[int, Field(ge=0, le=7)]
"""The number of a further input or output of a reader."""


MaybeInput = Annotated[
    Annotated[int, Field(ge=0, le=63)] | None, BeforeValidator(lambda said: None if said == "none" else said)
]
"""An input of the reader, or ``"none"``: TOML has no other word for it."""


class ReaderConfig(DeviceConfig):
    """``[[driver.device]]``: one reader with its door. Inputs and outputs are numbers at the reader, from 0.

    `enters` and `leaves` name areas; empty = none. What hangs on `more_inputs` is told as the state ``input-N``, and
    what hangs on `more_outputs` is switched by the output ``output-N``.
    """

    type: Literal["door"] = "door"
    address: int = Field(ge=0, le=126)
    key_file: Path
    install_mode: bool = False
    entry: Entry = "card"
    enters: str = ""
    leaves: str = ""
    unlock_s: float = Field(default=5.0, ge=0.5, le=25.0)  # the library carries the timer in one byte of 100 ms
    held_open_s: float = Field(default=30.0, ge=0)
    contact_input: MaybeInput = 0
    contact_open_is: Literal["active", "inactive"] = "active"
    exit_input: MaybeInput = 1
    strike_output: int = Field(default=0, ge=0, le=63)
    more_inputs: tuple[Line, ...] = Field(default=(), max_length=8)
    more_outputs: tuple[Line, ...] = Field(default=(), max_length=8)

    @model_validator(mode="after")
    def _lines(self) -> ReaderConfig:
        inputs = [number for number in (self.contact_input, self.exit_input, *self.more_inputs) if number is not None]
        for name, used in (("inputs", inputs), ("outputs", [self.strike_output, *self.more_outputs])):
            if len(set(used)) != len(used):
                raise ValueError(f"device {self.id}: one of its {name} is used twice")
        return self


class AreaConfig(BaseModel):
    """``[[driver.area]]``: what people must leave before they enter it again, see `protocols.access.passback`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1, max_length=32)
    passback: Passback
    forgive_s: float = Field(default=0.0, ge=0)
    when_blind: WhenBlind = "forgive"

    @model_validator(mode="after")
    def _ends(self) -> AreaConfig:
        if self.passback == "timed" and not self.forgive_s:
            raise ValueError("a timed anti-passback needs forgive_s")
        return self

    @property
    def area(self) -> Area:
        """The rules of this area."""
        forgive_ms = round(self.forgive_s * 1000)
        return Area(name=self.name, passback=self.passback, forgive_ms=forgive_ms, when_blind=self.when_blind)


class OsdpConfig(BaseModel):
    """``[[driver]]``: one serial line with its readers.

    `cardholders` names a file; `delivered` false: whom the cloud delivers does not count here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["osdp"] = "osdp"
    name: str = Field(min_length=1)
    port: Path
    baudrate: Literal[9600, 19200, 38400, 57600, 115200, 230400] = 9600
    cardholders: Path | None = None
    delivered: bool = True
    lockout_after: int = Field(default=5, ge=0, le=100)
    lockout_window_s: float = Field(default=60.0, ge=1, le=86_400)
    lockout_s: float = Field(default=60.0, ge=1, le=86_400)
    area: tuple[AreaConfig, ...] = Field(default=(), max_length=16)
    device: tuple[ReaderConfig, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _told_apart(self) -> OsdpConfig:
        if len({reader.address for reader in self.device}) != len(self.device):
            raise ValueError("two readers of one line have the same address")
        if len({reader.id for reader in self.device}) != len(self.device):
            raise ValueError("two readers of one line have the same id")
        if len({reader.key_file for reader in self.device if reader.install_mode}) != len(
            [reader for reader in self.device if reader.install_mode]
        ):
            raise ValueError("two readers that get their key now would get the same one")
        return self

    @model_validator(mode="after")
    def _areas_known(self) -> OsdpConfig:
        names = {area.name for area in self.area}
        if len(names) != len(self.area):
            raise ValueError("two areas have the same name")
        for reader in self.device:
            for name in (reader.enters, reader.leaves):
                if name and name not in names:
                    raise ValueError(f"device {reader.id}: there is no [[driver.area]] named {name!r}")
            if reader.enters and reader.enters == reader.leaves:
                raise ValueError(f"device {reader.id}: it enters and leaves the same area")
        return self
