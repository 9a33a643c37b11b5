"""What is connected to a gateway's serial ports, and a configuration for it. Nothing is ever written to a device."""
