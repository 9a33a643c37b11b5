"""The ``[[driver]]`` table of a zigbee2mqtt bridge."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.drivers.port import DeviceConfig
from protocols.errors import ConfigError
from protocols.zigbee import TYPES


class ZigbeeDevice(DeviceConfig):
    """``[[driver.device]]``: `topic` is the friendly name in zigbee2mqtt; the id when it is left out.

    `silent_h`: hours without a message after which the device counts as lost, whatever its availability says.
    `sound_s`: for sirens, how long they sound unless they are stopped before.
    """

    topic: str = Field(default="", max_length=200, pattern=r"^[^#+]*$")
    silent_h: float = Field(default=25.0, gt=0, le=24 * 60)
    sound_s: int = Field(default=600, ge=1, le=1800)

    @model_validator(mode="after")
    def _known_type(self) -> ZigbeeDevice:
        if self.type not in TYPES:
            raise ConfigError("edge.driver.zigbee2mqtt.type", device=self.id, type=self.type, allowed=", ".join(TYPES))
        return self

    @property
    def friendly_name(self) -> str:
        """The device's name in zigbee2mqtt."""
        return self.topic or self.id


class ZigbeeConfig(BaseModel):
    """One bridge on the gateway's own broker. `client_id` names the session that the broker keeps: do not change it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["zigbee2mqtt"]
    name: str
    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password_file: Path | None = None
    base_topic: str = Field(default="zigbee2mqtt", min_length=1, pattern=r"^[^#+]+$")
    client_id: str = Field(default="", max_length=64)
    keepalive_s: int = Field(default=15, ge=5, le=600)
    device: tuple[ZigbeeDevice, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> ZigbeeConfig:
        self._once("id", [d.id for d in self.device])
        self._once("topic", [d.friendly_name for d in self.device])
        return self

    def _once(self, key: str, values: list[str]) -> None:
        for index, value in enumerate(values):
            if value in values[:index]:
                raise ConfigError("edge.driver.zigbee2mqtt.device-twice", name=self.name, key=key, value=value)

    @property
    def session(self) -> str:
        """The MQTT client id."""
        return self.client_id or f"liandong-{self.name}"

    def password(self) -> str | None:
        """What stands in `password_file`, without its line end. Raises ConfigError when it cannot be read."""
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("edge.driver.zigbee2mqtt.password-file", file=self.password_file, why=error) from error
