"""The serial line to a machine: opened for us alone, every wait bounded, every fault a LineError."""

from __future__ import annotations

from typing import Final

import serial

from edge.drivers.vending.config import VendingConfig
from protocols.errors import DeviceError

_WRITE_S: Final = 2.0


class LineError(DeviceError):
    """The serial line itself cannot be used: adapter unplugged, no permission, taken by another program."""


class Line:
    """An open DEX line, 8N1. Used by one thread."""

    def __init__(self, config: VendingConfig) -> None:
        """Open the line. Raises LineError."""
        self._port = str(config.port)
        try:
            self._serial = serial.Serial(self._port, config.baud, exclusive=True, write_timeout=_WRITE_S)
        except (OSError, ValueError) as error:
            raise self._away(error) from error

    def read(self, timeout_s: float) -> bytes:
        """What is there, or arrives first within `timeout_s`. Raises LineError."""
        try:
            self._serial.timeout = max(0.0, timeout_s)
            data = self._serial.read(1)
            return bytes(data + self._serial.read(self._serial.in_waiting)) if data else b""
        except OSError as error:
            raise self._away(error) from error

    def write(self, data: bytes) -> None:
        """Send `data`. Raises LineError."""
        try:
            self._serial.write(data)
        except OSError as error:
            raise self._away(error) from error

    def close(self) -> None:
        """Give the line back."""
        self._serial.close()

    def _away(self, error: Exception) -> LineError:
        return LineError(
            "edge.driver.vending.line-away", port=self._port, why=getattr(error, "strerror", None) or error
        )
