"""A Modbus RTU bus with power meters and cold-chain thermometers, wire-true over a pty."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from protocols.errors import ConfigError
from simulators.hardware.modbus.bus import ModbusBus
from simulators.hardware.modbus.slaves import PowerMeter, Slave, Thermometer
from simulators.hardware.port import Ledger

__all__ = ["ModbusBus", "PowerMeter", "Slave", "Thermometer", "make"]

_KINDS: Final[Mapping[str, type[PowerMeter | Thermometer]]] = {
    "power-meter": PowerMeter,
    "cold-chain": Thermometer,
}


class _Device(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    type: str
    unit: int = Field(ge=1, le=247)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    path: Path
    baud: int = 9600
    device: tuple[_Device, ...] = Field(min_length=1)


def make(settings: Mapping[str, Any], rng: random.Random, ledger: Ledger) -> ModbusBus:
    """The bus of a ``[[hardware]]`` table: `path` of the pty, `baud`; `device` rows of `id`, `type`, `unit`."""
    read = _Settings.model_validate(settings)
    slaves = [_make_slave(row, rng) for row in read.device]
    return ModbusBus(read.path, slaves, ledger=ledger, rng=rng, baud=read.baud)


def _make_slave(row: _Device, rng: random.Random) -> Slave:
    kind = _KINDS.get(row.type)
    if kind is None:
        raise ConfigError("simulators.modbus.type", device=row.id, type=row.type, allowed=", ".join(_KINDS))
    return kind(row.id, row.unit, rng)
