"""How a ``[[driver]]`` table names the gateway's own broker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from protocols.errors import ConfigError


class BrokerTable(BaseModel):
    """The broker, and our session there. `client_id` names what the broker keeps for us: do not change it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password_file: Path | None = None
    client_id: str = Field(default="", max_length=64)
    keepalive_s: int = Field(default=15, ge=5, le=600)

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
            raise ConfigError("edge.driver.broker.password-file", file=self.password_file, why=error) from error

    def once(self, key: str, values: Sequence[str]) -> None:
        """Raise ConfigError when two devices have the same `key`."""
        for index, value in enumerate(values):
            if value in values[:index]:
                raise ConfigError("edge.driver.broker.device-twice", name=self.name, key=key, value=value)
