"""A Modbus RTU bus with a power meter and a cold-chain thermometer, wire-true over a pty."""

from simulators.hardware.modbus.bus import ModbusBus
from simulators.hardware.modbus.slaves import PowerMeter, Slave, Thermometer

__all__ = ["ModbusBus", "PowerMeter", "Slave", "Thermometer"]
