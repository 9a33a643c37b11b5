"""The ``[[driver]]`` table of a Modbus bus."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.drivers.port import DeviceConfig
from protocols.errors import ConfigError
from protocols.modbus import Profile, load_profile, parse_profile


class ModbusDevice(DeviceConfig):
    """``[[driver.device]]``: a unit of the bus, read by a shipped profile or by a file of the installer's."""

    unit: int = Field(ge=1, le=247)
    profile: str | None = None
    profile_file: Path | None = None
    interval_s: float = Field(default=10.0, ge=0.2, le=86_400)

    @model_validator(mode="after")
    def _one_profile(self) -> ModbusDevice:
        if (self.profile is None) == (self.profile_file is None):
            raise ConfigError("edge.driver.modbus.one-profile", device=self.id)
        if self.profile is not None:
            self._check_type(load_profile(self.profile))
        return self

    def load(self) -> Profile:
        """This device's register profile. Raises ConfigError when its file cannot be used."""
        if self.profile is not None:
            return load_profile(self.profile)
        path = self.profile_file or Path()
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("edge.driver.modbus.profile-file", device=self.id, file=path, why=error) from error
        profile = parse_profile(text, where=str(path))
        self._check_type(profile)
        return profile

    def _check_type(self, profile: Profile) -> None:
        if profile.type != self.type:
            raise ConfigError(
                "edge.driver.modbus.type", device=self.id, type=self.type, profile=profile.name, allowed=profile.type
            )


class ModbusConfig(BaseModel):
    """One RTU bus. `timeout_s` is how long a unit may take to begin its answer: what a dead one costs per attempt."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["modbus"]
    name: str
    port: Path
    baud: int = Field(default=9600, ge=300, le=921_600)
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    timeout_s: float = Field(default=0.5, ge=0.05, le=5)
    retry_max_s: float = Field(default=60.0, ge=1, le=3600)
    device: tuple[ModbusDevice, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> ModbusConfig:
        units = [d.unit for d in self.device]
        for index, unit in enumerate(units):
            if unit in units[:index]:
                raise ConfigError("edge.driver.modbus.unit-twice", name=self.name, unit=unit)
        return self
