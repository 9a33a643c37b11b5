"""Contacts and relays on the pins of a single-board computer, through gpiozero (see ``sample.toml``)."""

from edge.drivers.gpio.config import GpioConfig
from edge.drivers.gpio.driver import GpioDriver
from edge.drivers.port import DriverFamily

__all__ = ["FAMILY", "GpioConfig", "GpioDriver"]

FAMILY = DriverFamily(name="gpio", config=GpioConfig, make=GpioDriver)
