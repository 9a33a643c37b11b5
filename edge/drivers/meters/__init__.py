"""Meters on a line: electricity (DL/T 645), water, heat and gas (CJ/T 188), and M-Bus (see ``sample.toml``)."""

from edge.drivers.meters.config import MetersConfig
from edge.drivers.meters.driver import MetersDriver
from edge.drivers.port import DriverFamily

__all__ = ["FAMILY", "MetersConfig", "MetersDriver"]

FAMILY = DriverFamily(name="meters", config=MetersConfig, make=MetersDriver)
