"""A vending machine on its DEX plug, read by EVA-DTS (``sample.toml`` shows a whole table)."""

from edge.drivers.port import DriverFamily
from edge.drivers.vending.config import VendingConfig
from edge.drivers.vending.driver import VendingDriver

FAMILY = DriverFamily(name="vending", config=VendingConfig, make=VendingDriver)
