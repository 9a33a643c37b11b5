"""One bus: open it, read and write the registers of a unit, say exactly what went wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ExceptionResponse

from edge.drivers.modbus.client import TcpClient, client_of
from edge.drivers.modbus.config import ModbusConfig
from edge.drivers.polling import LineError
from protocols.errors import DeviceError
from protocols.modbus import Block, Write
from protocols.modbus.frame import (
    NO_ANSWER,
    NO_PATH,
    READ_COILS,
    READ_DISCRETE,
    WRITE_COIL,
    WRITE_COILS,
    WRITE_MANY,
    WRITE_ONE,
)

_BITS_PER_CHARACTER: Final = 11
_SHORTEST_GAP_S: Final = 0.00175  # MODBUS over Serial Line V1.02, 2.5.1.1: fixed above 19200 baud


class Bus:
    """The master's end of a line. Used by one thread."""

    def __init__(self, config: ModbusConfig) -> None:
        self._where = config.where
        self._gap_s = max(_SHORTEST_GAP_S, 3.5 * _BITS_PER_CHARACTER / config.baud) if config.rtu else 0.0
        self._client = client_of(config)
        self._timeout_s = config.timeout_s
        self._late: dict[int, float] = {}  # units whose answer may still be on its way, and until when

    def open(self) -> None:
        """Open the line if it is closed. Raises LineError."""
        if not self._client.connect():
            raise self._lost()

    def close(self) -> None:
        """Close the line; does nothing when it is closed."""
        self._client.close()

    def read(self, unit: int, block: Block, stop: threading.Event) -> tuple[tuple[int, ...], float]:
        """The words (or bits) of `block` of `unit`, and the seconds that the answer took. At most about two time-outs.

        Raises LineError when the line is lost, DeviceError when the unit is silent, garbled or refuses.
        """
        return self._read(unit, block.function, block.address, block.count, stop)

    def write(self, unit: int, write: Write, stop: threading.Event) -> tuple[tuple[int, ...], float]:
        """Write, and what the unit says afterwards that it holds there. Raises as `read` does.

        A unit that took it and does not let it be read is told as that.
        """
        client, words = self._client, list(write.words)
        bits = [bool(word) for word in words]
        calls: dict[int, Callable[[], Any]] = {
            WRITE_COIL: lambda: client.write_coil(write.address, bits[0], device_id=unit),
            WRITE_COILS: lambda: client.write_coils(write.address, bits, device_id=unit),
            WRITE_ONE: lambda: client.write_register(write.address, words[0], device_id=unit),
            WRITE_MANY: lambda: client.write_registers(write.address, words, device_id=unit),
        }
        self._ask(unit, write.function, write.address, stop, calls[write.function])
        try:
            return self._read(unit, write.read_function, write.address, len(words), stop)
        except LineError:
            raise
        except DeviceError as error:
            where = f"0x{write.address:04X}"
            raise DeviceError("edge.driver.modbus.written-unread", unit=unit, address=where, why=error) from error

    def _read(
        self, unit: int, function: int, address: int, count: int, stop: threading.Event
    ) -> tuple[tuple[int, ...], float]:
        client = self._client
        calls = (
            client.read_coils,
            client.read_discrete_inputs,
            client.read_holding_registers,
            client.read_input_registers,
        )
        call: Callable[..., Any] = calls[function - 1]
        reply, took = self._ask(unit, function, address, stop, lambda: call(address, count=count, device_id=unit))
        of_bits = function in (READ_COILS, READ_DISCRETE)
        words = tuple(map(int, reply.bits[:count])) if of_bits else tuple(reply.registers)
        if len(words) != count:
            raise DeviceError("edge.driver.modbus.wrong-answer", unit=unit, asked=count, got=len(words))
        return words, took

    def _ask(
        self, unit: int, function: int, address: int, stop: threading.Event, ask: Callable[[], Any]
    ) -> tuple[Any, float]:
        """The reply to a question, and the seconds that it took."""
        if self._gap_s:
            stop.wait(max(self._gap_s, self._late.pop(unit, 0.0) - time.monotonic()))
        self._client.heard = b""
        began = time.monotonic()
        try:
            reply = ask()
        except ConnectionException as error:
            self._client.close()
            raise self._lost() from error
        except (ModbusException, ValueError, IndexError) as error:
            # RTU does not say which question is answered: before it is asked anew, what it may still say is let pass.
            self._late[unit] = time.monotonic() + self._timeout_s
            raise self._missing(unit) from error
        took = time.monotonic() - began
        if isinstance(reply, ExceptionResponse):
            raise self._refused(unit, function, address, reply.exception_code)
        if reply.function_code != function:
            raise DeviceError("edge.driver.modbus.other-function", unit=unit, asked=function, got=reply.function_code)
        return reply, took

    def _refused(self, unit: int, function: int, address: int, exception: int) -> DeviceError:
        if exception in (NO_PATH, NO_ANSWER):
            return DeviceError("edge.driver.modbus.behind", unit=unit, server=self._where, exception=exception)
        code = "refused" if function <= 4 else "not-writable"
        where = f"0x{address:04X}"
        return DeviceError(f"edge.driver.modbus.{code}", unit=unit, exception=exception, address=where)

    def _missing(self, unit: int) -> DeviceError:
        if self._client.heard:
            return DeviceError("edge.driver.modbus.garbled", unit=unit, heard=self._client.heard[:16].hex(" "))
        return DeviceError("edge.driver.modbus.silent", unit=unit, port=self._where)

    def _lost(self) -> LineError:
        if isinstance(self._client, TcpClient):
            return LineError("edge.driver.modbus.server-away", server=self._where, why=self._client.why)
        return LineError("edge.driver.modbus.line-away", port=self._where)
