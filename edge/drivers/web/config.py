"""The ``[[driver]]`` table of devices that are read over HTTP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge.drivers.port import DeviceConfig
from protocols.errors import ConfigError
from protocols.patterns import compiled
from protocols.picking import Pick


def without_secrets(url: str) -> str:
    """`url` as sentences show it: a query may hold a key, and what stands before an @ a password."""
    return re.sub(r"//[^/]*@", "//…@", re.split(r"[?#]", url, maxsplit=1)[0])


class WebPick(Pick):
    """``[[driver.device.value]]``: where the value stands in the answer.

    `pointer` in a JSON document (RFC 6901), or `pattern` in a text, with a group that is called ``value``.
    """

    pointer: str = Field(default="", pattern=r"^(/[^/]{0,100}){0,12}$")
    pattern: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _one_place(self) -> WebPick:
        if bool(self.pointer) == bool(self.pattern):
            raise ConfigError("edge.driver.http.one-place", pointer=self.pointer, pattern=self.pattern)
        if self.pattern and "value" not in compiled(self.pattern).groups:
            raise ConfigError("edge.driver.http.no-group", pattern=self.pattern)
        return self


class WebDevice(DeviceConfig):
    """``[[driver.device]]``: `url` is asked with GET; the answer may have `most_bytes`."""

    url: str = Field(max_length=500)
    interval_s: float = Field(default=30.0, ge=1, le=86_400)
    timeout_s: float = Field(default=5.0, ge=0.2, le=60)
    most_bytes: int = Field(default=65_536, ge=64, le=1_000_000)
    username: str | None = None
    password_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    value: tuple[WebPick, ...] = Field(min_length=1)

    @field_validator("url")
    @classmethod
    def _is_web(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        plain = url.isascii() and url.isprintable() and " " not in url
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.username or not plain:
            raise ConfigError("edge.driver.http.url", url=without_secrets(url))
        return url

    @property
    def where(self) -> str:
        """The address, as sentences name it."""
        return without_secrets(self.url)

    @model_validator(mode="after")
    def _fits(self) -> WebDevice:
        if (self.username is None) != (self.password_file is None) or (self.username and self.token_file):
            raise ConfigError("edge.driver.http.credentials", device=self.id)
        for pick in self.value:
            pick.check(self.id, self.type)
        return self


class WebConfig(BaseModel):
    """Devices that are asked one after another; a dead one at least every `retry_max_s`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["http"]
    name: str
    retry_max_s: float = Field(default=300.0, ge=1, le=86_400)
    device: tuple[WebDevice, ...] = Field(min_length=1)
