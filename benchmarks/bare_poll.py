"""A process that reads the registers of Modbus buses with pymodbus and forgets them: the least that an agent does."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any, Final

from pymodbus.client import ModbusSerialClient

BLOCKS: Final = ((0x0000, 0x4A), (0x0156, 2))
"""What the agent's profile of an Eastron SDM120 comes to: two reads, six values."""


def poll(bus: dict[str, Any]) -> None:
    """Read every unit of one bus each `interval_s`, until killed."""
    client = ModbusSerialClient(bus["port"], baudrate=bus["baud"], timeout=0.5)
    client.connect()
    following = time.monotonic()
    while True:
        for unit in bus["units"]:
            for address, count in BLOCKS:
                client.read_input_registers(address, count=count, device_id=unit)
        following += bus["interval_s"]
        time.sleep(max(0.0, following - time.monotonic()))


def main() -> None:
    """Buses come as one JSON line on standard input."""
    threads = [threading.Thread(target=poll, args=(bus,), daemon=True) for bus in json.loads(sys.stdin.readline())]
    for thread in threads:
        thread.start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
