"""Devices that speak lines of text over a serial port or TCP, declared in the configuration (see ``sample.toml``)."""

from edge.drivers.port import DriverFamily
from edge.drivers.textline.config import TextlineConfig
from edge.drivers.textline.driver import TextlineDriver

__all__ = ["FAMILY", "TextlineConfig", "TextlineDriver"]

FAMILY = DriverFamily(name="line", config=TextlineConfig, make=TextlineDriver)
