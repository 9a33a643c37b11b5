"""A process that reads the registers of Modbus buses with pymodbus and forgets them: the least that an agent does."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from pymodbus.client import ModbusSerialClient


def poll(bus: dict[str, Any]) -> None:
    """Read every unit of one bus each `interval_s`, until killed. `reads`: (address, count) of each."""
    client = ModbusSerialClient(bus["port"], baudrate=bus["baud"], timeout=0.5)
    client.connect()
    following = time.monotonic()
    while True:
        for unit in bus["units"]:
            for address, count in bus["reads"]:
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
