"""The ``[[driver]]`` table of a line of text."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field, model_validator

from edge.drivers.port import DeviceConfig
from edge.drivers.wired import WiredConfig
from protocols.errors import ConfigError
from protocols.patterns import Pattern, compiled
from protocols.picking import Pick


class GroupPick(Pick):
    """``[[driver.device.value]]``: `group` names the part of the pattern that holds the value."""

    group: str = Field(min_length=1, max_length=64)


class TextDevice(DeviceConfig):
    """``[[driver.device]]``: `pattern` is searched in each line; `request` is what is sent to get one.

    Without a request the device speaks by itself, and counts as lost after `silent_s` without a line of its own.
    """

    pattern: str = Field(min_length=1, max_length=500)
    request: str = Field(default="", max_length=200)
    interval_s: float = Field(default=10.0, ge=0.1, le=86_400)
    silent_s: float = Field(default=60.0, ge=0.5, le=7 * 86_400)
    value: tuple[GroupPick, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> TextDevice:
        known = self.compiled().groups
        for pick in self.value:
            if pick.group not in known:
                allowed = ", ".join(known) or "-"
                raise ConfigError("edge.driver.line.group", device=self.id, group=pick.group, allowed=allowed)
            pick.check(self.id, self.type)
        return self

    def compiled(self) -> Pattern:
        """The pattern. Raises ConfigError."""
        return compiled(self.pattern)


class TextlineConfig(WiredConfig):
    """One line: a serial `port`, or `tcp`, the ``host:port`` of a device or serial server.

    `timeout_s`: how long a device may take to answer. A line that is longer than `most_bytes` is thrown away.
    """

    wants_one = "edge.driver.line.one-line"
    family: Literal["line"]
    baud: int = Field(default=9600, ge=300, le=921_600)
    encoding: Literal["utf-8", "ascii", "gb18030", "latin-1"] = "utf-8"
    line_end: str = Field(default="\n", min_length=1, max_length=4)
    most_bytes: int = Field(default=512, ge=16, le=1024)
    timeout_s: float = Field(default=2.0, ge=0.1, le=30)
    retry_max_s: float = Field(default=300.0, ge=1, le=86_400)
    device: tuple[TextDevice, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _speaks_one_way(self) -> TextlineConfig:
        if len({bool(device.request) for device in self.device}) > 1:
            raise ConfigError("edge.driver.line.mixed", name=self.name)
        for key, text in (("line_end", self.line_end), *(("request", device.request) for device in self.device)):
            try:
                text.encode(self.encoding)
            except UnicodeEncodeError as error:
                shown = json.dumps(text, ensure_ascii=False)
                raise ConfigError(
                    "edge.driver.line.encoding", name=self.name, key=key, text=shown, encoding=self.encoding
                ) from error
        return self

    @property
    def asks(self) -> bool:
        """Whether the devices speak only when asked."""
        return bool(self.device[0].request)
