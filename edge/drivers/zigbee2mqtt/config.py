"""The ``[[driver]]`` table of a zigbee2mqtt bridge."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from edge.drivers.broker.config import BrokerTable
from edge.drivers.port import DeviceConfig
from protocols.errors import ConfigError
from protocols.zigbee import TYPES, Closes


class ZigbeeDevice(DeviceConfig):
    """``[[driver.device]]``: `topic` is the friendly name in zigbee2mqtt; the id when it is left out.

    `silent_h`: hours without a message after which the device counts as lost, whatever its availability says.
    `sound_s`: for sirens, how long they sound unless they are stopped before.
    `closes`: for valves, the state in zigbee2mqtt that closes them.
    """

    topic: str = Field(default="", max_length=200, pattern=r"^[^#+]*$")
    silent_h: float = Field(default=25.0, gt=0, le=24 * 60)
    sound_s: int = Field(default=600, ge=1, le=1800)
    closes: Closes = "OFF"

    @model_validator(mode="after")
    def _known_type(self) -> ZigbeeDevice:
        if self.type not in TYPES:
            raise ConfigError("edge.driver.zigbee2mqtt.type", device=self.id, type=self.type, allowed=", ".join(TYPES))
        return self

    @property
    def friendly_name(self) -> str:
        """The device's name in zigbee2mqtt."""
        return self.topic or self.id


class ZigbeeConfig(BrokerTable):
    """One bridge on the gateway's own broker."""

    family: Literal["zigbee2mqtt"]
    base_topic: str = Field(default="zigbee2mqtt", min_length=1, pattern=r"^[^#+]+$")
    device: tuple[ZigbeeDevice, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> ZigbeeConfig:
        self.once("id", [d.id for d in self.device])
        self.once("topic", [d.friendly_name for d in self.device])
        return self
