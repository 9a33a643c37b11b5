"""What is connected to a gateway's lines, and a configuration for it. Nothing is ever written to a device."""
