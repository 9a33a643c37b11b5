"""Devices that speak lines of text on a pty or a TCP port: when asked, or by themselves."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from simulators.hardware.line import PtyLine
from simulators.hardware.port import Ledger
from simulators.hardware.tcp_line import TcpLine
from simulators.hardware.textline.stations import Station, TextBus

__all__ = ["Station", "TextBus", "make"]


class _Device(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    request: str = ""
    every_s: float = Field(default=0.0, ge=0)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    path: Path | None = None
    tcp: int = Field(default=0, ge=0, le=65_535)
    baud: int = 9600
    device: tuple[_Device, ...] = Field(min_length=1)


def make(settings: Mapping[str, Any], rng: random.Random, ledger: Ledger) -> TextBus:
    """The line of a ``[[hardware]]`` table: `path` of the pty, or `tcp` (port); `device` rows (`id`, `request`)."""
    read = _Settings.model_validate(settings)
    line = PtyLine(read.path) if read.path is not None else TcpLine(read.tcp)
    stations = [Station(row.id, row.request, rng, every_s=row.every_s) for row in read.device]
    return TextBus(line, stations, ledger=ledger, rng=rng, baud=read.baud)
