"""Hardware that stands in for the real one, a package per family."""

from __future__ import annotations

import random
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from pydantic import ValidationError

from protocols.errors import ConfigError
from simulators.hardware.port import Hardware, Ledger

FAMILIES: Final = ("vending", "modbus", "meters", "firepanel", "doors", "zigbee", "chirpstack", "textline", "web")


def make_hardware(family: str, settings: Mapping[str, Any], chance: random.Random, ledger: Ledger) -> Hardware:
    """The hardware of a ``[[hardware]]`` table. Raises ConfigError for an unknown family or settings it cannot use."""
    if family not in FAMILIES:
        raise ConfigError("simulators.hardware.unknown", family=family, known=", ".join(FAMILIES))
    module = import_module(f"simulators.hardware.{family}")
    try:
        made: Hardware = module.make(settings, chance, ledger)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        why = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        raise ConfigError("simulators.hardware.settings", family=family, why=why) from error
    return made
