"""A line for questions, a serial port or a TCP connection: opened for us alone, every wait bounded."""

from __future__ import annotations

import contextlib
import select
import socket
import termios
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import serial

from edge import ports
from edge.scan.findings import Setting
from protocols.errors import DeviceError

_WRITE_S: Final = 1.0
_CONNECT_S: Final = 3.0
_QUIET_S: Final = 0.05
"""A silence inside an answer that ends it; USB adapters pass bytes on in bites of 16 ms."""
_NETWORK_S: Final = 0.3
"""What a serial server and its network may add to every wait."""
_MOST: Final = 4096
_BITS_PER_CHARACTER: Final = 11


class ScanLine:
    """An open line. `name` is its path or host:port."""

    def __init__(self, name: str, setting: Setting) -> None:
        self.name, self.setting = name, setting
        self._character_s = _BITS_PER_CHARACTER / setting.baud if setting.baud else 0.0
        self._gap_s = max(0.00175, 3.5 * self._character_s)
        self._more_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def ask(
        self, question: bytes, wait_s: float, whole: Callable[[bytes], bool], quiet_s: float = _QUIET_S
    ) -> tuple[bytes, float]:
        """Send `question`; what came within `wait_s` until `whole` or a silence, and the seconds to its first byte.

        Raises DeviceError when the line is lost.
        """
        try:
            time.sleep(self._gap_s)
            self.flush()
            self.write(question)
            began = time.monotonic()
            answer = self.read(wait_s + self._more_s + len(question) * self._character_s)
            took = time.monotonic() - began
            while answer and not whole(answer) and len(answer) < _MOST and (more := self.read(quiet_s + self._more_s)):
                answer += more
        except OSError as error:
            raise unusable(self.name, error) from error
        return answer, took

    def close(self) -> None:
        """Close it."""
        raise NotImplementedError

    def flush(self) -> None:
        """Forget what came unasked. Raises OSError."""
        raise NotImplementedError

    def read(self, wait_s: float) -> bytes:
        """What is there, or arrives first within `wait_s`. Raises OSError."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Send `data`. Raises OSError."""
        raise NotImplementedError


class SerialScanLine(ScanLine):
    """A serial port at one setting."""

    def __init__(self, port: str, setting: Setting) -> None:
        """Open `port`. Raises DeviceError when it cannot be used."""
        super().__init__(port, setting)
        try:
            parity = ports.parity(port, setting.parity)
            self._serial = serial.Serial(port, setting.baud, parity=parity, exclusive=True, write_timeout=_WRITE_S)
        except (OSError, ValueError, termios.error) as error:
            raise unusable(port, error) from error

    def close(self) -> None:
        """As `ScanLine.close`."""
        with contextlib.suppress(OSError):
            self._serial.close()

    def flush(self) -> None:
        """As `ScanLine.flush`."""
        self._serial.reset_input_buffer()

    def read(self, wait_s: float) -> bytes:
        """As `ScanLine.read`."""
        self._serial.timeout = max(0.0, wait_s)
        data = self._serial.read(1)
        return bytes(data + self._serial.read(self._serial.in_waiting)) if data else b""

    def write(self, data: bytes) -> None:
        """As `ScanLine.write`."""
        self._serial.write(data)


class TcpScanLine(ScanLine):
    """A connection to host:port: a device, a gateway or a serial server."""

    def __init__(self, name: str, setting: Setting) -> None:
        """Connect. Raises DeviceError when nobody listens there."""
        super().__init__(name, setting)
        self._more_s = _NETWORK_S
        host, _, port = name.rpartition(":")
        try:
            self._socket = socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(_WRITE_S)
        except (OSError, OverflowError, ValueError) as error:
            raise unusable(name, error) from error

    def close(self) -> None:
        """As `ScanLine.close`."""
        self._socket.close()

    def flush(self) -> None:
        """As `ScanLine.flush`."""
        while self.read(0.0):
            pass

    def read(self, wait_s: float) -> bytes:
        """As `ScanLine.read`."""
        if not select.select([self._socket], [], [], max(0.0, wait_s))[0]:
            return b""
        data = self._socket.recv(_MOST)
        if not data:
            raise ConnectionError("closed by the other end")
        return data

    def write(self, data: bytes) -> None:
        """As `ScanLine.write`."""
        self._socket.sendall(data)


def unusable(port: str, error: Exception) -> DeviceError:
    """The error of a line that cannot be used."""
    return DeviceError("edge.scan.port-unusable", port=port, why=getattr(error, "strerror", None) or error)
