"""The ``[[driver]]`` table of an OSDP line, and the two files that it names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.drivers.port import DeviceConfig
from protocols.access.cardholders import Cardholders, cardholders_from
from protocols.errors import ConfigError

DEFAULT_KEY: Final = bytes(range(0x30, 0x40))  # SCBK-D, printed in the standard (IEC 60839-11-5, annex D)


class ReaderConfig(DeviceConfig):
    """``[[driver.device]]``: one reader with its door. Inputs and outputs are numbers at the reader, from 0."""

    type: Literal["door"] = "door"
    address: int = Field(ge=0, le=126)
    key_file: Path
    install_mode: bool = False
    unlock_s: float = Field(default=5.0, ge=0.5, le=25.0)  # the library carries the timer in one byte of 100 ms
    held_open_s: float = Field(default=30.0, ge=0)
    contact_input: int | None = Field(default=0, ge=0, le=63)
    contact_open_is: Literal["active", "inactive"] = "active"
    exit_input: int | None = Field(default=1, ge=0, le=63)
    strike_output: int = Field(default=0, ge=0, le=63)


class OsdpConfig(BaseModel):
    """``[[driver]]``: one serial line with its readers."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["osdp"] = "osdp"
    name: str = Field(min_length=1)
    port: Path
    baudrate: Literal[9600, 19200, 38400, 57600, 115200, 230400] = 9600
    cardholders: Path
    device: tuple[ReaderConfig, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _told_apart(self) -> OsdpConfig:
        if len({reader.address for reader in self.device}) != len(self.device):
            raise ValueError("two readers of one line have the same address")
        if len({reader.id for reader in self.device}) != len(self.device):
            raise ValueError("two readers of one line have the same id")
        return self


def read_key(reader: ReaderConfig) -> bytes:
    """The reader's secure channel base key: 32 hexadecimal digits in a file that only its owner may read.

    Raises ConfigError, never with the content, when the file cannot be used, or holds the published default key outside
    install mode.
    """
    path = reader.key_file
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError("edge.driver.osdp.key-open", file=path, device=reader.id)
        key = bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "-"
        raise ConfigError("edge.driver.osdp.key-unreadable", file=path, device=reader.id, why=why) from None
    if len(key) != len(DEFAULT_KEY):
        raise ConfigError("edge.driver.osdp.key-length", file=path, device=reader.id)
    if key == DEFAULT_KEY and not reader.install_mode:
        raise ConfigError("edge.driver.osdp.key-default", file=path, device=reader.id)
    return key


def read_cardholders(path: Path) -> Cardholders:
    """The store of `path`. Raises ConfigError when it cannot be read or its content cannot be used."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError("edge.driver.osdp.cardholders-unreadable", file=path, why=error) from error
    return cardholders_from(table, source=str(path))
