"""Modbus RTU and TCP: meters, sensors and relays, by register profiles (``sample.toml`` shows whole tables)."""

from edge.drivers.modbus.config import ModbusConfig
from edge.drivers.modbus.driver import ModbusDriver
from edge.drivers.port import DriverFamily

__all__ = ["FAMILY", "ModbusConfig", "ModbusDriver"]

FAMILY = DriverFamily(name="modbus", config=ModbusConfig, make=ModbusDriver)
