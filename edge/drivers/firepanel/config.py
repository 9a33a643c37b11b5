"""The ``[[driver]]`` table of a server for fire panels."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.drivers.port import DeviceConfig
from protocols.errors import ConfigError

PANEL: Final = "fire-panel"
COMPONENTS: Final = ("fire-detector", "smoke")


class FireDevice(DeviceConfig):
    """``[[driver.device]]``: a panel (`source`), or a component of one (`panel`, `component`, perhaps `system`)."""

    source: str = Field(default="", pattern=r"^([0-9A-F]{12})?$")
    panel: str = ""
    system: int | None = Field(default=None, ge=0, le=0xFF)
    component: int | None = Field(default=None, ge=0, le=0xFFFF_FFFF)

    @model_validator(mode="after")
    def _one_of_both(self) -> FireDevice:
        if self.type not in (PANEL, *COMPONENTS):
            allowed = ", ".join((PANEL, *COMPONENTS))
            raise ConfigError("edge.driver.gb26875.type", device=self.id, type=self.type, allowed=allowed)
        is_component = bool(self.panel) and self.component is not None and not self.source
        is_panel = not self.panel and self.component is None and self.system is None
        if not (is_panel if self.type == PANEL else is_component):
            raise ConfigError("edge.driver.gb26875.place", device=self.id)
        return self


class FirePanelConfig(BaseModel):
    """One server. Times in seconds; `utc_offset_minutes` is the time zone of the panels' clocks."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["gb26875"]
    name: str
    listen: str = Field(default="127.0.0.1:5200", pattern=r"^([^:\s]+|\[[0-9a-fA-F:]+\]):\d{1,5}$")
    max_connections: int = Field(default=16, ge=1, le=256)
    idle_s: float = Field(default=300.0, ge=1, le=86_400)
    lost_after_s: float = Field(default=20.0, ge=0.1, le=3600)
    utc_offset_minutes: int = Field(default=480, ge=-720, le=840)
    device: tuple[FireDevice, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> FirePanelConfig:
        panels = {one.id: one.source for one in self.device if one.type == PANEL}
        sources = list(panels.values())
        if len(sources) != len(set(sources)) or not panels:
            raise ConfigError("edge.driver.gb26875.source-twice", name=self.name)
        seen: set[tuple[str, int | None, int | None]] = set()
        for one in self.device:
            place = (one.panel, one.system, one.component)
            if one.panel and (one.panel not in panels or place in seen):
                raise ConfigError("edge.driver.gb26875.component", device=one.id, panel=one.panel)
            seen.add(place)
        return self

    @property
    def address(self) -> tuple[str, int]:
        """What is listened at."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
