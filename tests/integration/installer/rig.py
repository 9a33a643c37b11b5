"""One gateway's hardware on ptys: a bus with a meter and a cabinet, a door, a vending machine; and an agent for it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.app import EdgeAgent
from edge.config import load_config
from simulators.hardware.doors import Door
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus import ModbusBus, PowerMeter, Thermometer
from simulators.hardware.modbus.slaves import Slave
from simulators.hardware.vending import Selection, VendingMachine

KEY = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
PATIENCE_S = 40.0


class Ledger:
    """Nobody compares here."""

    def observed(self, device: str, metric: str, counter: int, value: object, at_ms: int) -> None:
        """Forget it."""


class Site:
    """The hardware; `bus`, `door` and `machine` are the paths of its lines."""

    def __init__(self, folder: Path) -> None:
        ledger = Ledger()
        self.bus, self.door, self.machine = folder / "bus", folder / "door", folder / "machine"
        slaves: list[Slave] = [PowerMeter("meter", 3, random.Random(1)), Thermometer("cabinet", 7, random.Random(2))]
        reader = PtyLine(self.door)
        self.modbus = ModbusBus(PtyLine(self.bus), slaves, ledger=ledger, rng=random.Random(3))
        self._hardware = (
            self.modbus,
            Door(reader, "door", address=5, key=KEY, cards=[], chance=random.Random(4), ledger=ledger),
            VendingMachine(
                self.machine,
                "machine",
                [Selection(number="1", price=300, product="water", capacity=10, level=8)],
                ledger=ledger,
                rng=random.Random(5),
            ),
        )

    def start(self) -> None:
        for one in self._hardware:
            one.start()

    def stop(self) -> None:
        for one in self._hardware:
            one.stop()


def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until `holds`; fail with `what`."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


@contextmanager
def running(file: Path) -> Iterator[EdgeAgent]:
    """The agent of a configuration file."""
    agent = EdgeAgent(load_config(file))
    agent.start()
    try:
        yield agent
    finally:
        agent.stop()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith(("page-", "local-"))]
