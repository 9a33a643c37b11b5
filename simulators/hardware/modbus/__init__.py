"""A Modbus bus with power meters, thermometers, relays and thermostats: RTU over a pty or TCP, or Modbus TCP."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from protocols.errors import ConfigError
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus.bus import Framing, ModbusBus
from simulators.hardware.modbus.slaves import PowerMeter, Slave, Thermometer
from simulators.hardware.modbus.switches import RelayBoard, Thermostat
from simulators.hardware.port import Ledger
from simulators.hardware.tcp_line import TcpLine

__all__ = ["ModbusBus", "PowerMeter", "RelayBoard", "Slave", "Thermometer", "Thermostat", "make"]

_KINDS: Final[Mapping[str, type[PowerMeter | Thermometer | RelayBoard | Thermostat]]] = {
    "power-meter": PowerMeter,
    "cold-chain": Thermometer,
    "relay": RelayBoard,
    "thermostat": Thermostat,
}


class _Device(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    type: str
    unit: int = Field(ge=1, le=247)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    path: Path | None = None
    tcp: int = Field(default=0, ge=0, le=65_535)
    framing: Framing = "rtu"
    baud: int = 9600
    device: tuple[_Device, ...] = Field(min_length=1)


def make(settings: Mapping[str, Any], rng: random.Random, ledger: Ledger) -> ModbusBus:
    """The bus of a ``[[hardware]]`` table.

    `path` of the pty, or `tcp` (port) with `framing`; `baud`; `device` rows of `id`, `type`, `unit`.
    """
    read = _Settings.model_validate(settings)
    line = PtyLine(read.path) if read.path is not None else TcpLine(read.tcp)
    slaves = [_make_slave(row, rng) for row in read.device]
    return ModbusBus(line, slaves, ledger=ledger, rng=rng, baud=read.baud, framing=read.framing)


def _make_slave(row: _Device, rng: random.Random) -> Slave:
    kind = _KINDS.get(row.type)
    if kind is None:
        raise ConfigError("simulators.modbus.type", device=row.id, type=row.type, allowed=", ".join(_KINDS))
    return kind(row.id, row.unit, rng)
