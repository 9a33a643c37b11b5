"""pymodbus's two clients, waiting inside the kernel: its own waits poll, by a wall clock that may be set back."""

from __future__ import annotations

import logging
import select
import socket
from typing import Final

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.exceptions import ConnectionException
from pymodbus.framer import FramerType

from edge import ports
from edge.drivers.modbus.config import ModbusConfig
from edge.drivers.wired import connect

# pymodbus reports every silence of a dead unit as an error; the agent logs transitions instead.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

_KEPT: Final = 256
_CHUNK: Final = 1024
_MOST_UNASKED: Final = 32
"""Chunks that may lie there before a question: a connection that brings more is made anew."""


class SerialClient(ModbusSerialClient):
    """RTU over a serial port."""

    heard: bytes = b""
    """What came since it was emptied last, at most the newest 256 bytes."""

    def close(self) -> None:
        """Close the line; does nothing when it is closed."""
        line, self.socket = self.socket, None
        if line is not None:
            line.close()

    def recv(self, size: int | None) -> bytes:
        """What arrived within the time-out; empty when nothing did. Raises ConnectionException for a lost line."""
        line = self.socket
        if line is None:
            raise ConnectionException("closed")
        try:
            data = bytes(line.read(1))
            if data:
                data += bytes(line.read(line.in_waiting))
        except OSError as error:
            self.close()
            raise ConnectionException(str(error)) from error
        self.heard = (self.heard + data)[-_KEPT:]
        return data


class TcpClient(ModbusTcpClient):
    """Modbus TCP, or RTU frames through a serial server."""

    heard: bytes = b""
    """What came since it was emptied last, at most the newest 256 bytes."""
    why: str = ""
    """Why the connection could not be made, or was lost."""

    def connect(self) -> bool:
        """Whether the connection stands; made now if it did not."""
        if self.socket is not None:
            return True
        try:
            self.socket = connect((self.comm_params.host, self.comm_params.port))
        except (OSError, OverflowError) as error:
            self.why = str(error)
            return False
        return True

    def close(self) -> None:
        """Close the connection; does nothing when it is closed."""
        link, self.socket = self.socket, None
        if link is not None:
            link.close()

    def send(self, request: bytes, addr: tuple[str, int] | None = None) -> int:
        """Throw away what came unasked, then send `request`. Raises ConnectionException for a lost connection."""
        link = self._link()
        try:
            for _ in range(_MOST_UNASKED):
                if not select.select([link], [], [], 0)[0]:
                    break
                if not link.recv(_CHUNK):
                    raise ConnectionError("closed by the other end")
            else:
                raise ConnectionError("it speaks unasked, without an end")
            link.sendall(request)
        except OSError as error:
            raise self._lost(error) from error
        return len(request)

    def recv(self, size: int | None) -> bytes:
        """What arrived within the time-out; empty when nothing did. Raises ConnectionException."""
        link = self._link()
        try:
            if not select.select([link], [], [], self.comm_params.timeout_connect)[0]:
                return b""
            data = link.recv(_CHUNK)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise self._lost(ConnectionError("closed by the other end"))
        self.heard = (self.heard + data)[-_KEPT:]
        return data

    def _link(self) -> socket.socket:
        if self.socket is None:
            raise ConnectionException("closed")
        return self.socket

    def _lost(self, why: OSError) -> ConnectionException:
        self.why = str(why)
        self.close()
        return ConnectionException(str(why))


def client_of(config: ModbusConfig) -> SerialClient | TcpClient:
    """The client of a ``[[driver]]`` table, closed."""
    if not config.tcp:
        return SerialClient(
            str(config.port),
            baudrate=config.baud,
            parity=ports.parity(config.where, config.parity),
            stopbits=config.stop_bits,
            timeout=config.timeout_s,
            retries=0,
        )
    host, port = config.server
    framer = FramerType.RTU if config.rtu else FramerType.SOCKET
    return TcpClient(host, port=port, framer=framer, timeout=config.timeout_s, retries=0)
