"""Devices that answer HTTP with JSON or text, declared in the configuration (see ``sample.toml``)."""

from edge.drivers.port import DriverFamily
from edge.drivers.web.config import WebConfig
from edge.drivers.web.driver import WebDriver

__all__ = ["FAMILY", "WebConfig", "WebDriver"]

FAMILY = DriverFamily(name="http", config=WebConfig, make=WebDriver)
