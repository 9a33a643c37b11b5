"""Register profiles: one TOML file per device model says where each metric is and how to read it.

A profile is data (``protocols/modbus/profiles/*.toml``); an installer may add one beside the configuration. Every
metric must be a row of the catalogue for the profile's device type, in the catalogue's unit after `scale` and `offset`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from protocols.catalog import DEVICE_TYPES
from protocols.errors import ConfigError

Format = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
Table = Literal["input", "holding"]
WordOrder = Literal["big", "little"]

WORDS: Final[dict[Format, int]] = {
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}
_SPACE: Final = 0x10000
_MOST_PER_READ: Final = 125


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Register(_Row):
    """One metric of a device: value = raw * `scale` + `offset`.

    `invalid` are raw values by which the device says that it has none (a broken probe). Outside `low`–`high`, the
    model's own measuring range in the metric's unit, a value is kept with quality bad.
    """

    metric: str
    table: Table = "input"
    address: int = Field(ge=0, lt=_SPACE)
    format: Format
    word_order: WordOrder | None = None
    scale: float = 1.0
    offset: float = 0.0
    invalid: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def words(self) -> int:
        """How many 16-bit registers the value takes."""
        return WORDS[self.format]

    @property
    def end(self) -> int:
        """The address after the value's last register."""
        return self.address + self.words


class Profile(_Row):
    """A device model. `max_registers` is what it gives in one read; `max_gap` how many unused ones a read may span.

    The wire's limit is 125 registers (V1.1b3, 6.3). A gap costs 2 bytes a register, a further read about 30 bytes of
    time; but some models refuse reads that touch registers which they do not have: then `max_gap` is 0.
    """

    name: str
    type: str
    model: str
    source: str
    word_order: WordOrder = "big"
    max_registers: int = Field(default=_MOST_PER_READ, ge=1, le=_MOST_PER_READ)
    max_gap: int = Field(default=0, ge=0)
    registers: tuple[Register, ...] = Field(min_length=1, alias="register")

    @model_validator(mode="after")
    def _fits(self) -> Profile:
        row = DEVICE_TYPES.get(self.type)
        if row is None:
            raise ValueError(f"type {self.type!r} is not a row of the catalogue: {', '.join(sorted(DEVICE_TYPES))}")
        metrics = [r.metric for r in self.registers]
        unknown = [m for m in metrics if row.metric(m) is None]
        if unknown:
            allowed = ", ".join(m.name for m in row.metrics)
            raise ValueError(f"metric {unknown[0]!r} is not one of {self.type}: {allowed}")
        if len(set(metrics)) != len(metrics):
            raise ValueError("a metric is named twice")
        if any(r.end > _SPACE or r.words > self.max_registers for r in self.registers):
            raise ValueError("a register lies beyond 0xFFFF or is longer than max_registers")
        return self


def parse_profile(text: str, *, where: str) -> Profile:
    """The profile that the TOML `text` says; `where` names its file in errors. Raises ConfigError."""
    try:
        return Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("protocols.modbus.profile-unreadable", where=where, why=str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "-"
        raise ConfigError("protocols.modbus.profile-invalid", where=where, key=key, why=first["msg"]) from error


@cache
def profile_names() -> tuple[str, ...]:
    """The names of the profiles that come with the product."""
    folder = files("protocols.modbus") / "profiles"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


@cache
def load_profile(name: str) -> Profile:
    """The profile `name` that comes with the product. Raises ConfigError that lists the names there are."""
    if name not in profile_names():
        raise ConfigError("protocols.modbus.profile-unknown", name=name, allowed=", ".join(profile_names()))
    text = (files("protocols.modbus") / "profiles" / f"{name}.toml").read_text("utf-8")
    return parse_profile(text, where=f"{name}.toml")
