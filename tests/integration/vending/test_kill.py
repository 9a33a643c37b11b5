"""A gateway that is killed at any moment of a session loses no sale and tells none twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulators.hardware.vending import Selection, VendingMachine
from tests.integration.vending.rig import BAUD, FileContext, MemoryLedger, until


@contextmanager
def gateway(port: Path, outbox: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.integration.vending.gateway", str(port), str(outbox)]
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.kill()


def test_kill_in_the_middle(tmp_path: Path) -> None:
    chance = random.Random(20)
    ledger = MemoryLedger()
    selections = [Selection(number=str(n), product="TEA", price=100 + n, level=200, capacity=200) for n in range(1, 6)]
    machine = VendingMachine(tmp_path / "dex", "vending-1", selections, ledger=ledger, rng=chance, baud=BAUD)
    outbox = FileContext(tmp_path / "outbox")
    machine.start()
    try:
        with gateway(tmp_path / "dex", tmp_path / "outbox"):
            until(lambda: machine.memory.reads)
        sold = set()
        for _ in range(8):
            with gateway(tmp_path / "dex", tmp_path / "outbox"):
                for _ in range(chance.randrange(3, 9)):
                    sale = machine.sell()
                    sold.add((sale["selection"], sale["counter"], sale["value"]))
                    time.sleep(chance.uniform(0.0, 0.4))
        with gateway(tmp_path / "dex", tmp_path / "outbox"):
            until(lambda: ledger.sales() == sold, 60)
    finally:
        machine.stop()
    told = outbox.sales()
    assert len(told) == len(set(told)), "a sale was told twice"
    assert set(told) == sold
