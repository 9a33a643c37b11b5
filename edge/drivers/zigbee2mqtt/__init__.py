"""Zigbee detectors, sirens, valves and buttons through zigbee2mqtt on the gateway's broker (see ``sample.toml``)."""

from edge.drivers.port import DriverFamily
from edge.drivers.zigbee2mqtt.config import ZigbeeConfig
from edge.drivers.zigbee2mqtt.driver import ZigbeeDriver

__all__ = ["FAMILY", "ZigbeeConfig", "ZigbeeDriver"]

FAMILY = DriverFamily(name="zigbee2mqtt", config=ZigbeeConfig, make=ZigbeeDriver)
