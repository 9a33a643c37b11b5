"""Doors with OSDP readers, wire-true over a pty, and the people who use them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from protocols.access.wiegand import parse_card
from simulators.hardware.doors.door import Door
from simulators.hardware.line import PtyLine
from simulators.hardware.port import Ledger

__all__ = ["Door", "make"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    path: Path
    device: str
    address: int = Field(ge=0, le=126)
    key_file: Path
    cards: tuple[str, ...] = ()
    visits_per_minute: float = Field(default=1.0, ge=0)


def make(settings: Mapping[str, Any], rng: random.Random, ledger: Ledger) -> Door:
    """The door of a ``[[hardware]]`` table: `path` of the pty, `device`, `address`, `key_file`, `cards` that visit."""
    read = _Settings.model_validate(settings)
    return Door(
        PtyLine(read.path),
        read.device,
        address=read.address,
        key=bytes.fromhex(read.key_file.read_text("ascii")),
        cards=[parse_card(text) for text in read.cards],
        chance=rng,
        ledger=ledger,
        visits_per_minute=read.visits_per_minute,
    )
