"""Doors with OSDP readers (IEC 60839-11-5): cards are decided at the gateway, also with the cloud away."""

from __future__ import annotations

from typing import Final

from edge.drivers.osdp.config import OsdpConfig
from edge.drivers.osdp.driver import OsdpDriver
from edge.drivers.port import DriverFamily

FAMILY: Final = DriverFamily(name="osdp", config=OsdpConfig, make=OsdpDriver)
