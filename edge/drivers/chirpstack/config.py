"""The ``[[driver]]`` table of a ChirpStack bridge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from edge.drivers.broker.config import BrokerTable
from edge.drivers.port import DeviceConfig
from protocols.catalog import DEVICE_TYPES
from protocols.chirpstack import CODECS, OBJECT, ObjectPick, type_of
from protocols.errors import ConfigError

Eui = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{16}$"), AfterValidator(str.lower)]


class LoraDevice(DeviceConfig):
    """``[[driver.device]]``: `codec` reads its payloads; ``object`` is the codec of ChirpStack's own device profile.

    `interval_s`: how often it reports at least; after `missed` intervals without an uplink it counts as lost.
    """

    dev_eui: Eui
    codec: str
    field: tuple[ObjectPick, ...] = ()
    interval_s: float = Field(default=3600.0, ge=10, le=7 * 86_400)
    missed: int = Field(default=3, ge=1, le=100)

    @model_validator(mode="after")
    def _fits(self) -> LoraDevice:
        if self.codec not in CODECS:
            allowed = ", ".join(CODECS)
            raise ConfigError("edge.driver.chirpstack.codec", device=self.id, codec=self.codec, allowed=allowed)
        wanted = type_of(self.codec)
        if self.type in DEVICE_TYPES and wanted not in ("", self.type):
            raise ConfigError(
                "edge.driver.chirpstack.type", device=self.id, type=self.type, codec=self.codec, allowed=wanted
            )
        if (self.codec == OBJECT) != bool(self.field):
            raise ConfigError("edge.driver.chirpstack.fields", device=self.id, codec=self.codec)
        for pick in self.field:
            pick.check(self.id, self.type)
        return self


class ChirpstackConfig(BrokerTable):
    """One ChirpStack on the gateway's own broker. `topic_prefix`: what its integration puts before ``application/``."""

    family: Literal["chirpstack"]
    topic_prefix: str = Field(default="", max_length=64, pattern=r"^([^#+]*/)?$")
    device: tuple[LoraDevice, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> ChirpstackConfig:
        self.once("id", [d.id for d in self.device])
        self.once("dev_eui", [d.dev_eui for d in self.device])
        return self
