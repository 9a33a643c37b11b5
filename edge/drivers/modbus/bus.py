"""One RTU line: open it, ask a unit for a block of registers, say exactly what went wrong."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from pymodbus.client import ModbusSerialClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ExceptionResponse

from edge.drivers.modbus.config import ModbusConfig
from edge.drivers.polling import LineError
from protocols.errors import DeviceError
from protocols.modbus import Block

# pymodbus reports every silence of a dead unit as an error; the agent logs transitions instead.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

_BITS_PER_CHARACTER: Final = 11
_SHORTEST_GAP_S: Final = 0.00175  # MODBUS over Serial Line V1.02, 2.5.1.1: fixed above 19200 baud


class _Client(ModbusSerialClient):
    """pymodbus's client, waiting inside the kernel: its own polls, by a wall clock that may be set back."""

    heard: bytes = b""

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
        self.heard = (self.heard + data)[-256:]
        return data


class Bus:
    """The master's end of an RTU line. Used by one thread."""

    def __init__(self, config: ModbusConfig) -> None:
        self._port = str(config.port)
        self._gap_s = max(_SHORTEST_GAP_S, 3.5 * _BITS_PER_CHARACTER / config.baud)
        self._client = _Client(
            self._port,
            baudrate=config.baud,
            parity=config.parity,
            stopbits=config.stop_bits,
            timeout=config.timeout_s,
            retries=0,
        )

    def open(self) -> None:
        """Open the line if it is closed. Raises LineError."""
        if not self._client.connect():
            raise LineError("edge.driver.modbus.line-away", port=self._port)

    def close(self) -> None:
        """Close the line; does nothing when it is closed."""
        self._client.close()

    def read(self, unit: int, block: Block, stop: threading.Event) -> tuple[tuple[int, ...], float]:
        """The words of `block` of `unit`, and the seconds that the answer took. At most about two time-outs.

        Raises LineError when the line is lost, DeviceError when the unit is silent, garbled or refuses.
        """
        stop.wait(self._gap_s)
        self._client.heard = b""
        began = time.monotonic()
        call = self._client.read_input_registers if block.table == "input" else self._client.read_holding_registers
        try:
            reply = call(block.address, count=block.count, device_id=unit)
        except ConnectionException as error:
            self._client.close()
            raise LineError("edge.driver.modbus.line-away", port=self._port) from error
        except (ModbusException, ValueError, IndexError) as error:
            raise self._missing(unit) from error
        took = time.monotonic() - began
        if isinstance(reply, ExceptionResponse):
            address = f"0x{block.address:04X}"
            raise DeviceError("edge.driver.modbus.refused", unit=unit, exception=reply.exception_code, address=address)
        words = tuple(reply.registers)
        if reply.function_code != block.function or len(words) != block.count:
            raise DeviceError("edge.driver.modbus.wrong-answer", unit=unit, asked=block.count, got=len(words))
        return words, took

    def _missing(self, unit: int) -> DeviceError:
        if self._client.heard:
            return DeviceError("edge.driver.modbus.garbled", unit=unit, heard=self._client.heard[:16].hex(" "))
        return DeviceError("edge.driver.modbus.silent", unit=unit, port=self._port)
