"""A scenario of the lab: which estate, which faults, how often, how long. TOML files of this package."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from liandong.lab.faults import KINDS
from protocols.errors import ConfigError

Range = Annotated[tuple[float, float], Field(description="least and most")]
_FOLDER: Final = files("liandong.lab") / "scenarios"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FaultTable(_Table):
    """``[[fault]]``: a kind of fault. `seconds`: how long one lasts; `weight`: how often it is drawn beside others.

    `at`: not drawn, but made at these shares of the run.
    """

    kind: str
    weight: int = Field(default=1, ge=1, le=20)
    at: tuple[float, ...] = ()
    seconds: Range = (0.0, 0.0)
    delay_s: Range = (0.0, 0.0)
    bytes_per_s: int = Field(default=0, ge=0)

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"one of {', '.join(KINDS)}")
        return kind


class LabScenario(_Table):
    """The whole file. `lines`, `fields`: serial line, field bus of the estate → its gateway.

    `gap_s`: from one fault to the next, shorter if every kind is to come `each` times; `watch`: listen to the broker
    and judge what is said there; `own_disks`: gateways have file systems of their own; `memory`: it may not grow;
    `urgent_within_ms`: the 99th percentile of states and events; `outbox`: gateway → its ``[outbox]`` table.
    """

    estate: str = "fault-street"
    speed: float = Field(default=10.0, gt=0, le=100)
    minutes: float = Field(default=3.0, gt=0, le=1440)
    warm_up_s: float = Field(default=5.0, ge=0)
    gap_s: Range = (1.0, 3.0)
    activity_s: Range = (0.5, 1.5)
    each: int = Field(default=0, ge=0, le=100)
    watch: bool = False
    own_disks: bool = False
    memory: bool = False
    urgent_within_ms: float | None = Field(default=None, gt=0)
    outbox: dict[str, dict[str, float]] = {}
    lines: dict[str, str] = {}
    fields: dict[str, str] = {}
    fault: tuple[FaultTable, ...] = ()

    @property
    def loses(self) -> bool:
        """Whether data may be gone for good, which the cloud must then tell."""
        return any(table.kind in ("database-restored", "database-wiped") for table in self.fault)

    @property
    def moves_host(self) -> bool:
        """Whether the primary host changes, so that nodes cannot be held to one."""
        return any(table.kind == "host-move" for table in self.fault)

    @property
    def turns_clocks(self) -> bool:
        """Whether the gateways must be started so that their clocks can be turned."""
        return any(table.kind.startswith("clock-") for table in self.fault)


def gateway_of(scenario: LabScenario, target: str) -> str | None:
    """The gateway at the end of a serial line or field bus."""
    return scenario.lines.get(target) or scenario.fields.get(target)


def names() -> list[str]:
    """The scenarios that there are."""
    return sorted(entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir() if entry.name.endswith(".toml"))


def read(name: str) -> LabScenario:
    """The scenario called `name`. Raises ConfigError with the names that exist, or with the fault in its file."""
    if name not in names():
        raise ConfigError("liandong.lab.unknown", name=name, known=", ".join(names()))
    try:
        return LabScenario.model_validate(tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError("liandong.lab.unreadable", name=name, why=error) from error
