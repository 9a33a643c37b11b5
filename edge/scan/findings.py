"""What a scan finds, and what it may spend on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["dex", "osdp", "modbus"]
KINDS: tuple[Kind, ...] = ("dex", "osdp", "modbus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A device that answered. `address`: unit or reader; `model`: a register profile's name, or what it says it is."""

    port: Path
    kind: Kind
    baud: int
    address: int | None = None
    model: str = ""
    answer_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A port that was left alone, and why: a code of ``edge.scan`` and its parameters."""

    port: Path
    code: str
    params: dict[str, str] = field(default_factory=dict)


class Budget:
    """A bound of time that several searches share, and where to tell how far they are."""

    def __init__(self, seconds: float, tell: Callable[[str], None] = lambda _: None) -> None:
        self._end = time.monotonic() + seconds
        self.tell = tell

    @property
    def over(self) -> bool:
        """Whether the time is used up."""
        return time.monotonic() >= self._end
