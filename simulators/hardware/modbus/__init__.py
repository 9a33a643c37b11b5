"""A Modbus bus with meters, sensors, relays and thermostats: RTU over a pty or TCP, or Modbus TCP."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from protocols.errors import ConfigError
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus.bus import Framing, ModbusBus
from simulators.hardware.modbus.sensors import (
    CarbonMonoxide,
    CombustibleGas,
    LevelProbe,
    RoomClimate,
    ThreePhaseMeter,
)
from simulators.hardware.modbus.slaves import PowerMeter, Slave, Thermometer
from simulators.hardware.modbus.switches import RelayBoard, Thermostat
from simulators.hardware.port import Ledger
from simulators.hardware.tcp_line import TcpLine

__all__ = ["MODELS", "ModbusBus", "PowerMeter", "RelayBoard", "Slave", "Thermometer", "Thermostat", "make"]

Model = (
    type[PowerMeter]
    | type[Thermometer]
    | type[RelayBoard]
    | type[Thermostat]
    | type[RoomClimate]
    | type[LevelProbe]
    | type[CarbonMonoxide]
    | type[CombustibleGas]
)
MODELS: Final[Mapping[str, Model]] = {
    "eastron-sdm120": PowerMeter,
    "eastron-sdm630": ThreePhaseMeter,
    "xy-md02": Thermometer,
    "renke-rs-ws-n01": RoomClimate,
    "qdy30a": LevelProbe,
    "jxbs-3001-co": CarbonMonoxide,
    "pemtech-pt495-lel": CombustibleGas,
    "waveshare-relay-8": RelayBoard,
    "thermostat": Thermostat,
}
"""What may hang on a bus, by the name of its register profile."""
_USUAL: Final[Mapping[str, str]] = {
    "power-meter": "eastron-sdm120",
    "cold-chain": "xy-md02",
    "climate": "renke-rs-ws-n01",
    "water-level": "qdy30a",
    "gas-detector": "jxbs-3001-co",
    "relay": "waveshare-relay-8",
    "thermostat": "thermostat",
}


class _Device(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    type: str
    model: str = ""
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

    `path` of the pty, or `tcp` (port) with `framing`; `baud`; `device` rows of `id`, `type`, `unit`, and perhaps
    another `model` than the usual one of that type.
    """
    read = _Settings.model_validate(settings)
    line = PtyLine(read.path) if read.path is not None else TcpLine(read.tcp)
    slaves = [_make_slave(row, rng) for row in read.device]
    return ModbusBus(line, slaves, ledger=ledger, rng=rng, baud=read.baud, framing=read.framing)


def _make_slave(row: _Device, rng: random.Random) -> Slave:
    kind = MODELS.get(row.model or _USUAL.get(row.type, ""))
    if kind is None:
        allowed = ", ".join((*_USUAL, *MODELS))
        raise ConfigError("simulators.modbus.type", device=row.id, type=row.model or row.type, allowed=allowed)
    return kind(row.id, row.unit, rng)
