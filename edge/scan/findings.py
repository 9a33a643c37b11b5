"""What a scan finds, and what it may spend on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["dex", "osdp", "modbus", "dlt645", "cjt188", "mbus"]
KINDS: Final[tuple[Kind, ...]] = ("dex", "osdp", "modbus", "dlt645", "cjt188", "mbus")
Parity = Literal["N", "E"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a serial line is set; `baud` 0 for a TCP connection, which has no such thing."""

    baud: int = 0
    parity: Parity = "N"

    def __str__(self) -> str:
        """As people write it: ``9600 8N1``."""
        return f"{self.baud} 8{self.parity}1" if self.baud else "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A device that answered on `port`, a path or host:port.

    `address`: unit, reader, or the number of a meter. `model`: a register profile's name, or what it says it is.
    `type`: the row of the catalogue for it, where that is known. `framing` is what goes over TCP, `edition` that of
    DL/T 645, `meter_kind` the type T of CJ/T 188, `manufacturer` and `primary` those of an M-Bus meter. `alone`: it
    answers to every address, so there is nobody else.
    """

    port: str
    kind: Kind
    setting: Setting
    address: int | str | None = None
    model: str = ""
    type: str = ""
    framing: str = ""
    edition: str = ""
    meter_kind: int = 0
    manufacturer: str = ""
    primary: int | None = None
    alone: bool = False
    answer_ms: float = 0.0

    @property
    def tcp(self) -> bool:
        """Whether `port` is host:port."""
        return not self.setting.baud


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A port that was left alone, or something on it that could not be told apart: a code of ``edge.scan`` and why."""

    port: str
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
