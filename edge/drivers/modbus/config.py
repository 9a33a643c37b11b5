"""The ``[[driver]]`` table of a Modbus bus."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from edge.drivers.port import DeviceConfig
from edge.drivers.wired import WiredConfig
from protocols.errors import ConfigError
from protocols.modbus import Profile, load_profile, parse_profile

SERIAL_UNITS: Final = range(1, 248)
"""Unit addresses of a serial line; 0 is a broadcast there. Over Modbus TCP 0 and 255 mean the device itself, too."""


class ModbusDevice(DeviceConfig):
    """``[[driver.device]]``: a unit of the bus, read by a shipped profile or by a file of the installer's.

    `writable`: which of the profile's outputs may be written here; none, as long as nothing is said.
    """

    unit: int = Field(ge=0, le=255)
    profile: str | None = None
    profile_file: Path | None = None
    interval_s: float = Field(default=10.0, ge=0.2, le=86_400)
    writable: tuple[str, ...] = Field(default=(), max_length=64)

    @model_validator(mode="after")
    def _one_profile(self) -> ModbusDevice:
        if (self.profile is None) == (self.profile_file is None):
            raise ConfigError("edge.driver.modbus.one-profile", device=self.id)
        if self.profile is not None:
            self._check(load_profile(self.profile))
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
        self._check(profile)
        return profile

    def _check(self, profile: Profile) -> None:
        where = {"device": self.id, "profile": profile.name}
        if self.type not in profile.types:
            allowed = ", ".join(profile.types)
            raise ConfigError("edge.driver.modbus.type", **where, type=self.type, allowed=allowed)
        known = [output.output for output in profile.outputs]
        for output in self.writable:
            if output not in known:
                allowed = ", ".join(known) or "-"
                raise ConfigError("edge.driver.modbus.writable", **where, output=output, allowed=allowed)


class ModbusConfig(WiredConfig):
    """One bus: a serial `port`, or `tcp`, the ``host:port`` of a device, a gateway or a serial server.

    `framing` says what goes over TCP: Modbus TCP, or RTU frames as a serial server passes them on. `timeout_s` is how
    long a unit may take to begin its answer: what a dead one costs per attempt. The speed of a line behind a gateway is
    set there; here it only says how long bytes take.
    """

    wants_one = "edge.driver.modbus.one-line"
    family: Literal["modbus"]
    framing: Literal["tcp", "rtu"] = "tcp"
    baud: int = Field(default=9600, ge=300, le=921_600)
    timeout_s: float = Field(default=0.5, ge=0.05, le=10)
    retry_max_s: float = Field(default=60.0, ge=1, le=3600)
    device: tuple[ModbusDevice, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _units(self) -> ModbusConfig:
        units = [d.unit for d in self.device]
        for index, unit in enumerate(units):
            if unit in units[:index]:
                raise ConfigError("edge.driver.modbus.unit-twice", name=self.name, unit=unit)
            if self.rtu and unit not in SERIAL_UNITS:
                raise ConfigError("edge.driver.modbus.unit", name=self.name, unit=unit)
        return self

    @property
    def rtu(self) -> bool:
        """Whether RTU frames go over the line."""
        return not self.tcp or self.framing == "rtu"
