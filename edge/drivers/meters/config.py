"""The ``[[driver]]`` table of a line of meters."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.drivers.port import DeviceConfig
from edge.drivers.wired import WiredConfig
from protocols.errors import ConfigError
from protocols.meters import SecondaryAddress, Wanted

MeterProtocol = Literal["dlt645", "cjt188", "mbus"]

_TYPES: Final[dict[MeterProtocol, tuple[str, ...]]] = {
    "dlt645": ("power-meter",),
    "cjt188": ("water-meter", "heat-meter", "gas-meter"),
    "mbus": ("power-meter", "water-meter", "heat-meter", "gas-meter"),
}
_KINDS: Final = {"water-meter": 0x10, "heat-meter": 0x20, "gas-meter": 0x30}
_ADDRESSES: Final[dict[MeterProtocol, str]] = {
    "dlt645": r"[0-9A]{1,12}",
    "cjt188": r"[0-9A-F]{14}",
    "mbus": r"[0-9]{1,3}|[0-9F]{8}",
}


class Extra(BaseModel):
    """What is read beside the usual, in the meter's own unit: an identifier, or a record of an M-Bus meter."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    metric: str = Field(pattern=r"[a-z0-9][a-z0-9-]{0,60}$")
    identifier: str = Field(default="", pattern=r"^([0-9A-Fa-f]{4}){0,2}$")
    record: str = ""
    storage: int = Field(default=0, ge=0)
    tariff: int = Field(default=0, ge=0)

    def wanted(self) -> Wanted:
        """As the protocols take it."""
        number = int(self.identifier or "0", 16)
        return Wanted(
            metric=self.metric, identifier=number, record=self.record, storage=self.storage, tariff=self.tariff
        )


class MeterDevice(DeviceConfig):
    """``[[driver.device]]``: a meter. `address` as it is printed on it: see ``sample.toml`` for each protocol.

    `valve`: it has a valve, which may be closed and opened from here (CJ/T 188).
    """

    protocol: MeterProtocol
    address: str
    edition: Literal["1997", "2007"] = "2007"
    kind: int = Field(default=0, ge=0, le=0xFF)
    manufacturer: str = Field(default="", pattern=r"^([A-Z]{3})?$")
    interval_s: float = Field(default=60.0, ge=0.2, le=86_400)
    valve: bool = False
    extra: tuple[Extra, ...] = Field(default=(), max_length=32)

    @model_validator(mode="after")
    def _fits(self) -> MeterDevice:
        allowed = _TYPES[self.protocol]
        if self.type not in allowed:
            raise ConfigError(
                "edge.driver.meters.type",
                device=self.id,
                type=self.type,
                protocol=self.protocol,
                allowed=", ".join(allowed),
            )
        if not re.fullmatch(_ADDRESSES[self.protocol], self.address) or (self.primary or 0) > 254:
            raise ConfigError(
                "edge.driver.meters.address", device=self.id, address=self.address, protocol=self.protocol
            )
        if self.valve and self.protocol != "cjt188":
            raise ConfigError("edge.driver.meters.valve", device=self.id, protocol=self.protocol)
        digits = 0 if self.protocol == "mbus" else 8 if (self.protocol, self.edition) == ("dlt645", "2007") else 4
        for one in self.extra:
            if len(one.identifier) != digits or bool(one.record) != (digits == 0):
                raise ConfigError("edge.driver.meters.extra", device=self.id, metric=one.metric, digits=digits)
        return self

    @property
    def primary(self) -> int | None:
        """The primary address of an M-Bus meter that is read by one."""
        return int(self.address) if self.protocol == "mbus" and len(self.address) < 8 else None

    @property
    def secondary(self) -> SecondaryAddress:
        """The secondary address of an M-Bus meter that is read by one."""
        return SecondaryAddress(identification=self.address, manufacturer=self.manufacturer)

    @property
    def digits(self) -> str:
        """The address of a DL/T 645 or CJ/T 188 meter in full: leading zeros are not always printed."""
        return self.address.rjust(12, "0")

    @property
    def meter_kind(self) -> int:
        """The type T of a CJ/T 188 meter."""
        return self.kind or _KINDS[self.type]


class MetersConfig(WiredConfig):
    """One line of meters: a serial `port`, or `tcp`, the ``host:port`` of a serial server.

    `timeout_s` is how long a meter may take to begin its answer: what a dead one costs per attempt.
    """

    wants_one = "edge.driver.meters.one-line"
    family: Literal["meters"]
    baud: int = Field(default=2400, ge=300, le=115_200)
    parity: Literal["N", "E", "O"] = "E"
    timeout_s: float = Field(default=1.5, ge=0.1, le=10)
    retry_max_s: float = Field(default=600.0, ge=1, le=86_400)
    device: tuple[MeterDevice, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> MetersConfig:
        seen: set[Any] = set()
        for device in self.device:
            key = (device.protocol, device.address, device.manufacturer)
            if key in seen:
                raise ConfigError("edge.driver.meters.address-twice", name=self.name, address=device.address)
            seen.add(key)
        return self
