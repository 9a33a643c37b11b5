"""A serial line for questions: opened for us alone, every wait bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import serial

from protocols.errors import DeviceError

_WRITE_S: Final = 1.0
_QUIET_S: Final = 0.05
"""A silence inside an answer that ends it; USB adapters pass bytes on in bites of 16 ms."""
_MOST: Final = 4096


class ScanLine:
    """An open line at one speed, 8N1."""

    def __init__(self, port: Path, baud: int) -> None:
        """Open `port`. Raises DeviceError when it cannot be used."""
        try:
            self._serial = serial.Serial(str(port), baud, exclusive=True, write_timeout=_WRITE_S)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise DeviceError("edge.scan.port-unusable", port=port, why=why) from error
        self._port = port
        self.gap_s = max(0.00175, 3.5 * 11 / baud)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._serial.close()

    def ask(self, question: bytes, wait_s: float, whole: Callable[[bytes], bool]) -> tuple[bytes, float]:
        """Send `question`; what came within `wait_s` until `whole` or a silence, and the seconds to its first byte.

        Raises DeviceError when the line is lost.
        """
        try:
            time.sleep(self.gap_s)
            self._serial.reset_input_buffer()
            self._serial.write(question)
            began = time.monotonic()
            answer = self.read(wait_s)
            took = time.monotonic() - began
            while answer and not whole(answer) and len(answer) < _MOST and (more := self.read(_QUIET_S)):
                answer += more
        except OSError as error:
            raise DeviceError("edge.scan.port-unusable", port=self._port, why=error) from error
        return answer, took

    def read(self, wait_s: float) -> bytes:
        """What is there, or arrives first within `wait_s`. Raises OSError."""
        self._serial.timeout = max(0.0, wait_s)
        data = self._serial.read(1)
        return bytes(data + self._serial.read(self._serial.in_waiting)) if data else b""

    def write(self, data: bytes) -> None:
        """Send `data`. Raises OSError."""
        self._serial.write(data)
