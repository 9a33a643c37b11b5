"""What there is: places, people, gateways, devices and series; from an estate's file and from births."""
