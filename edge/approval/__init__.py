"""How a device that waits to be approved becomes a device of this gateway."""
