"""Meters on a line: electricity (DL/T 645), water, gas and heat (CJ/T 188), M-Bus; on a pty or a TCP port."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulators.hardware.line import PtyLine
from simulators.hardware.meters.bus import MeterBus
from simulators.hardware.meters.meters import ElectricityMeter, HeatMeter, MbusMeter, Meter, WaterOrGasMeter
from simulators.hardware.port import Ledger
from simulators.hardware.tcp_line import TcpLine

__all__ = ["ElectricityMeter", "HeatMeter", "MbusMeter", "Meter", "MeterBus", "WaterOrGasMeter", "make"]


class _Device(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    kind: Literal["electricity", "water", "gas", "heat", "mbus"]
    address: str
    edition: Literal["1997", "2007"] = "2007"
    order: Literal["little", "big"] = "little"
    valve: bool = False
    primary: int = Field(default=1, ge=1, le=250)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    path: Path | None = None
    tcp: int = Field(default=0, ge=0, le=65_535)
    baud: int = 2400
    device: tuple[_Device, ...] = Field(min_length=1)


def make(settings: Mapping[str, Any], rng: random.Random, ledger: Ledger) -> MeterBus:
    """The line of a ``[[hardware]]`` table: `path` of the pty, or `tcp` (port); `baud`; its `device` rows."""
    read = _Settings.model_validate(settings)
    line = PtyLine(read.path) if read.path is not None else TcpLine(read.tcp)
    return MeterBus(line, [_meter(row, rng) for row in read.device], ledger=ledger, rng=rng, baud=read.baud)


def _meter(row: _Device, rng: random.Random) -> Meter:
    if row.kind == "electricity":
        return ElectricityMeter(row.id, row.address, rng, row.edition)
    if row.kind == "mbus":
        return MbusMeter(row.id, row.primary, row.address, rng)
    if row.kind == "heat":
        return HeatMeter(row.id, row.address, rng, order=row.order, valve=row.valve)
    kind = 0x10 if row.kind == "water" else 0x30
    return WaterOrGasMeter(row.id, row.address, rng, kind=kind, order=row.order, valve=row.valve)
