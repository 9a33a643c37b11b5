"""A Modbus server made with pymodbus 2, run by its own Python: rtu PORT, or tcp PORT (a number). Unit 7 of an SDM120.

Coils and holding registers can be written; input registers hold the meter.
"""

import json
import struct
import sys
from importlib import import_module
from typing import Any

# The project's own environment has another major version, whose names differ.
datastore: Any = import_module("pymodbus.datastore")
server: Any = import_module("pymodbus.server.sync")
transaction: Any = import_module("pymodbus.transaction")
Block = datastore.ModbusSequentialDataBlock


def image() -> list[int]:
    """The input registers: 230.5 V, 1.5 A, 345.75 W, 50 Hz, 123.25 kWh in, 125.5 kWh in all."""
    words = [0] * 0x200
    for address, value in {0: 230.5, 6: 1.5, 12: 345.75, 0x1E: 1.0, 0x46: 50.0, 0x48: 123.25, 0x156: 125.5}.items():
        words[address : address + 2] = struct.unpack(">2H", struct.pack(">f", value))
    return words


def main(kind: str, port: str) -> None:
    """Serve until killed."""
    unit = datastore.ModbusSlaveContext(
        di=Block(0, [0, 1] * 8),
        co=Block(0, [0] * 16),
        hr=Block(0, [0] * 64),
        ir=Block(0, image()),
        zero_mode=True,
    )
    context = datastore.ModbusServerContext(slaves={7: unit}, single=False)
    sys.stdout.write(json.dumps({"type": "ready"}) + "\n")
    sys.stdout.flush()
    if kind == "tcp":
        server.StartTcpServer(context, address=("127.0.0.1", int(port)))
    else:
        server.StartSerialServer(
            context,
            framer=transaction.ModbusRtuFramer,
            port=port,
            baudrate=38_400,
            timeout=0.05,
            ignore_missing_slaves=True,
        )


main(sys.argv[1], sys.argv[2])
