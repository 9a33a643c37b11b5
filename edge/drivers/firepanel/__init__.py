"""Fire alarm panels that report by GB/T 26875.3 over TCP (see ``sample.toml``)."""

from edge.drivers.firepanel.config import FirePanelConfig
from edge.drivers.firepanel.driver import FirePanelDriver
from edge.drivers.port import DriverFamily

__all__ = ["FAMILY", "FirePanelConfig", "FirePanelDriver"]

FAMILY = DriverFamily(name="gb26875", config=FirePanelConfig, make=FirePanelDriver)
