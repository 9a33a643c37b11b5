"""A line that devices hang on, in a ``[[driver]]`` table: a serial port, or a box behind TCP that has one."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from protocols.errors import ConfigError

_CONNECT_S: Final = 5.0
_SEND_S: Final = 2.0
_LOST_AFTER_MS: Final = 20_000
"""A box that lost its power says nothing: what was sent must be acknowledged by its TCP within this."""
_SERVER: Final = re.compile(r"[^:/\s]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


class WiredConfig(BaseModel):
    """A serial `port`, or `tcp`, ``host:port``; just one of them, or the error is `wants_one`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    wants_one: ClassVar[str]
    family: str
    name: str
    port: Path | None = None
    tcp: str = Field(default="", pattern=rf"^(|{_SERVER.pattern})$")
    baud: int
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1

    @model_validator(mode="after")
    def _one_line(self) -> WiredConfig:
        if self.port is not None and _SERVER.fullmatch(str(self.port)):
            raise ConfigError("edge.driver.port-is-server", name=self.name, server=self.port)
        if (self.port is None) == (not self.tcp):
            raise ConfigError(self.wants_one, name=self.name)
        return self

    @property
    def where(self) -> str:
        """The line, as sentences name it."""
        return str(self.port or self.tcp)

    @property
    def server(self) -> tuple[str, int]:
        """Host and port of `tcp`."""
        host, _, port = self.tcp.rpartition(":")
        return host.strip("[]"), int(port)


def connect(server: tuple[str, int]) -> socket.socket:
    """A connection that notices when the other end dies. Raises OSError, OverflowError (no such port)."""
    link = socket.create_connection(server, timeout=_CONNECT_S)
    try:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _LOST_AFTER_MS)
        link.settimeout(_SEND_S)
    except OSError:
        link.close()
        raise
    return link
