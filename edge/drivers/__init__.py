"""The families of drivers. One is imported only when a configuration names it: a gateway pays for what it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Final

from edge.drivers.port import DriverFamily
from protocols.errors import ConfigError

Families = Mapping[str, Callable[[], DriverFamily]]


def _load(name: str, folder: str) -> DriverFamily:
    try:
        family = import_module(f"edge.drivers.{folder}").FAMILY
    except ModuleNotFoundError as error:
        extra = "gpio" if name == "gpio" else "edge"
        module = error.name or ""
        raise ConfigError("edge.config.family-not-installed", family=name, module=module, extra=extra) from error
    assert isinstance(family, DriverFamily)
    return family


_FOLDERS: Final = {name: name for name in ("vending", "osdp", "modbus", "zigbee2mqtt", "chirpstack", "meters")} | {
    "gb26875": "firepanel",
    "gpio": "gpio",
    "line": "textline",
    "http": "web",
}

FAMILIES: Final[Families] = {name: partial(_load, name, folder) for name, folder in _FOLDERS.items()}
"""What ``[[driver]] family`` may be. Raises ConfigError when a family's library is not installed."""
