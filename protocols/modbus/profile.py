"""Register profiles: one TOML file per device model says where each metric is and how to read it.

A profile is data (``protocols/modbus/profiles/*.toml``); an installer may add one beside the configuration. Every
metric must be a row of the catalogue for the profile's device type, in the catalogue's unit after `scale` and `offset`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from protocols.catalog import DEVICE_TYPES
from protocols.errors import ConfigError

Format = Literal["bit", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
Table = Literal["input", "holding", "coil", "discrete"]
ByteOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]
"""The order in which the bytes of a value come: A is the highest. Longer values go on in the same way.

ABCD is what the standard says; CDAB turns the words round, BADC the bytes of each word, DCBA both.
"""

WORDS: Final[dict[Format, int]] = {
    "bit": 1,
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}
BITS: Final[frozenset[Table]] = frozenset({"coil", "discrete"})
"""The tables of single bits."""
_SPACE: Final = 0x10000
_MOST_PER_READ: Final = 125


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Value(_Row):
    """Where a value is and how it is coded: value = raw * `scale` + `offset`; a bit is false or true."""

    address: int = Field(ge=0, lt=_SPACE)
    format: Format
    order: ByteOrder | None = None
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)
    low: float | None = None
    high: float | None = None

    @property
    def words(self) -> int:
        """How many addresses the value takes."""
        return WORDS[self.format]


class Register(_Value):
    """One metric of a device.

    `invalid` are raw values by which the device says that it has none (a broken probe). Outside `low`–`high`, the
    model's own measuring range in the metric's unit, a value is kept with quality bad. `bit` takes one bit of a uint16.
    `decimals_at` is a register that says how many digits stand behind the point, `units_at` one whose value chooses a
    factor of `units`; a value that is not there makes the reading bad. Both lie in the same table.
    """

    metric: str
    table: Table = "input"
    invalid: tuple[int, ...] = ()
    bit: int | None = Field(default=None, ge=0, le=15)
    decimals_at: int | None = Field(default=None, ge=0, lt=_SPACE)
    units_at: int | None = Field(default=None, ge=0, lt=_SPACE)
    units: dict[int, float] = {}

    @property
    def boolean(self) -> bool:
        """Whether the value is a state."""
        return self.format == "bit" or self.bit is not None

    @property
    def begin(self) -> int:
        """The lowest address that the value needs."""
        return min(at for at in (self.address, self.decimals_at, self.units_at) if at is not None)

    @property
    def end(self) -> int:
        """The address after the last one that the value needs."""
        others = (at + 1 for at in (self.decimals_at, self.units_at) if at is not None)
        return max(self.address + self.words, *others, 0)


class Output(_Value):
    """What may be written: a coil, or a number in holding registers within `low`–`high`. Nothing else ever is.

    `many` writes also one coil or register by the functions for several (15, 16): some models know no others.
    """

    output: str
    table: Literal["coil", "holding"] = "holding"
    many: bool = False


class Profile(_Row):
    """A device model. `max_registers` is what it gives in one read; `max_gap` how many unused ones a read may span.

    The wire's limit is 125 registers and 2000 bits (V1.1b3, 6). A gap costs 2 bytes a register, a further read about 30
    bytes of time; but some models refuse reads that touch registers which they do not have: then `max_gap` is 0.
    `also` are further device types that it may be installed as. Where a register or two are all that the model has, its
    map tells a scan nothing about the model: then `telling` is false.
    """

    name: str
    type: str
    also: tuple[str, ...] = ()
    model: str
    source: str
    order: ByteOrder = "ABCD"
    max_registers: int = Field(default=_MOST_PER_READ, ge=1, le=_MOST_PER_READ)
    max_gap: int = Field(default=0, ge=0)
    telling: bool = True
    registers: tuple[Register, ...] = Field(min_length=1, alias="register")
    outputs: tuple[Output, ...] = Field(default=(), alias="output")

    @property
    def types(self) -> tuple[str, ...]:
        """The device types that it may be installed as."""
        return (self.type, *self.also)

    def output(self, name: str) -> Output | None:
        """The row of the output `name`; None when the model has none."""
        return next((one for one in self.outputs if one.output == name), None)

    @model_validator(mode="after")
    def _fits(self) -> Profile:
        for name in self.types:
            row = DEVICE_TYPES.get(name)
            if row is None:
                raise ValueError(f"type {name!r} is not a row of the catalogue: {', '.join(sorted(DEVICE_TYPES))}")
            _known("metric", [r.metric for r in self.registers], [m.name for m in row.metrics], name)
            _known("output", [o.output for o in self.outputs], row.outputs, name)
            for register in self.registers:
                metric = row.metric(register.metric)
                if metric is not None and (metric.datatype == "Boolean") != register.boolean:
                    raise ValueError(f"metric {register.metric!r} of {name} is a {metric.datatype}")
        rows: tuple[Register | Output, ...] = (*self.registers, *self.outputs)
        for one in rows:
            _coded(one, self.max_registers)
        for output in self.outputs:
            if output.table == "holding" and (output.low is None or output.high is None):
                raise ValueError(f"output {output.output!r} needs low and high")
        return self


def _known(what: str, names: Sequence[str], allowed: Sequence[str], kind: str) -> None:
    unknown = [name for name in names if name not in allowed]
    if unknown:
        raise ValueError(f"{what} {unknown[0]!r} is not one of {kind}: {', '.join(allowed)}")
    if len(set(names)) != len(names):
        raise ValueError(f"{what} is named twice")


def _coded(one: Register | Output, most: int) -> None:
    """Raise ValueError for what cannot lie there."""
    if (one.table in BITS) != (one.format == "bit"):
        raise ValueError("coils and discrete inputs are bits, and registers are not")
    if isinstance(one, Register) and one.bit is not None and one.format != "uint16":
        raise ValueError("bit takes a bit of a uint16")
    if isinstance(one, Register) and (one.units_at is None) != (not one.units):
        raise ValueError("units_at and units belong together")
    end, size = (one.end, one.end - one.begin) if isinstance(one, Register) else (one.address + one.words, one.words)
    if end > _SPACE or size > most:
        raise ValueError("a register lies beyond 0xFFFF or is longer than max_registers")


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
