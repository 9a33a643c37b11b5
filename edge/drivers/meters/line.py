"""The two kinds of line that meters and other devices hang on: a serial port, and a serial server behind TCP."""

from __future__ import annotations

import contextlib
import select
import socket
import termios
from typing import Final, Protocol

import serial

from edge import ports
from edge.drivers.polling import LineError
from edge.drivers.wired import WiredConfig, connect

_CHUNK: Final = 512
_MOST_UNASKED: Final = 64
"""Chunks that may lie there before a question: a connection that brings more is made anew."""
_FAULTS: Final = (OSError, termios.error)
_SEND_S: Final = 2.0


class MeterLine(Protocol):
    """Bytes there and back. Used by one thread; every call raises LineError when the line is lost."""

    def open(self) -> None:
        """Open it if it is closed."""

    def close(self) -> None:
        """Close it; does nothing when it is closed."""

    def write(self, data: bytes) -> None:
        """Throw away what came unasked, then send `data`."""

    def read(self, timeout_s: float) -> bytes:
        """What arrives within `timeout_s`; empty when nothing does."""


def line_of(config: WiredConfig) -> MeterLine:
    """The line of a ``[[driver]]`` table, closed."""
    return TcpLine(config) if config.tcp else SerialLine(config)


class SerialLine:
    """A serial port."""

    def __init__(self, config: WiredConfig) -> None:
        self._config = config
        self._port: serial.Serial | None = None

    def open(self) -> None:
        """As `MeterLine.open`."""
        if self._port is not None:
            return
        try:
            self._port = serial.Serial(
                str(self._config.port),
                self._config.baud,
                parity=ports.parity(self._config.where, self._config.parity),
                stopbits=self._config.stop_bits,
                timeout=0,
                write_timeout=_SEND_S,
                exclusive=True,
            )
        except (*_FAULTS, ValueError) as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """As `MeterLine.close`."""
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()

    def write(self, data: bytes) -> None:
        """As `MeterLine.write`."""
        port = self._opened()
        try:
            port.reset_input_buffer()
            port.write(data)
        except _FAULTS as error:
            raise self._lost(error) from error

    def read(self, timeout_s: float) -> bytes:
        """As `MeterLine.read`."""
        port = self._opened()
        try:
            ready = select.select([port.fileno()], [], [], timeout_s)[0]
            return bytes(port.read(_CHUNK)) if ready else b""
        except _FAULTS as error:
            raise self._lost(error) from error

    def _opened(self) -> serial.Serial:
        if self._port is None:
            raise self._lost(OSError("closed"))
        return self._port

    def _lost(self, why: Exception) -> LineError:
        self.close()
        return LineError("edge.driver.port-away", port=self._config.where, why=why)


class TcpLine:
    """A serial server: a box that puts the bytes of a TCP connection on its own serial port, and back."""

    def __init__(self, config: WiredConfig) -> None:
        self._config = config
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """As `MeterLine.open`."""
        if self._socket is not None:
            return
        try:
            self._socket = connect(self._config.server)
        except (OSError, OverflowError) as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """As `MeterLine.close`."""
        link, self._socket = self._socket, None
        if link is not None:
            link.close()

    def write(self, data: bytes) -> None:
        """As `MeterLine.write`."""
        if all(self.read(0.0) for _ in range(_MOST_UNASKED)):
            raise self._lost(ConnectionError("it speaks unasked, without an end"))
        try:
            self._opened().sendall(data)
        except OSError as error:
            raise self._lost(error) from error

    def read(self, timeout_s: float) -> bytes:
        """As `MeterLine.read`."""
        link = self._opened()
        try:
            if not select.select([link], [], [], timeout_s)[0]:
                return b""
            data = link.recv(_CHUNK)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise self._lost(ConnectionError("closed by the other end"))
        return data

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise self._lost(ConnectionError("closed"))
        return self._socket

    def _lost(self, why: Exception) -> LineError:
        self.close()
        return LineError("edge.driver.server-away", server=self._config.tcp, why=why)
