"""A gateway's side and a machine's side without the agent between: emissions go to a file, observations to a ledger."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.drivers.strangers import Stranger
from edge.drivers.vending import FAMILY
from edge.drivers.vending.driver import VendingDriver
from protocols.errors import LiandongError, UnavailableError
from protocols.events import Observation, Reading

BAUD = 38400
PRICES = {"price_selections": ["11", "99"], "price_lowest": 100, "price_highest": 900}


def make_driver(port: Path, *, interval_s: float = 1.0, link: str = "dex") -> VendingDriver:
    table = {
        "family": "vending",
        "name": "machine",
        "port": port,
        "link": link,
        "baud": BAUD,
        "interval_s": interval_s,
        "device": [{"id": "vending-1"} | (PRICES if link == "dex" else {})],
    }
    driver = FAMILY.make(FAMILY.config.model_validate(table))
    assert isinstance(driver, VendingDriver)
    return driver


class FileContext:
    """A DriverContext whose store is a file of JSON lines: a line holds an emission and the state that goes with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.stop = threading.Event()
        self.behind = 0
        self.slow_s = 0.0
        self.conditions: list[tuple[bool, str | None]] = []
        self.round_trips: list[float] = []
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return "machine"

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def utc_ms(self) -> int:
        return self.now_ms()

    def system_ms(self) -> int:
        return self.now_ms()

    def state(self) -> Mapping[str, Any]:
        states = [row["state"] for row in self.rows() if row["state"] is not None]
        return states[-1] if states else {}

    def emit(
        self,
        observations: Sequence[Observation],
        *,
        state: Mapping[str, Any] | None = None,
        durable: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        time.sleep(self.slow_s)
        if self.behind:
            self.behind -= 1
            raise UnavailableError("edge.pipeline.behind", seconds=timeout_s)
        row: dict[str, Any] = {"readings": [], "events": [], "state": state}
        for one in observations:
            if isinstance(one, Reading):
                row["readings"].append([one.metric, one.value])
            else:
                row["events"].append([one.kind, dict(one.data)])
        with self._lock, self._path.open("ab") as file:
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def waiting(self, strangers: Sequence[Stranger], *, gone: Sequence[str] = (), refused: int = 0) -> None:
        assert not strangers, "nobody joins here"

    def status(
        self,
        device: str,
        *,
        online: bool,
        error: LiandongError | None = None,
        round_trip_s: float | None = None,
        jitter_s: float | None = None,
    ) -> None:
        condition = (online, error.code if error else None)
        if not self.conditions or self.conditions[-1] != condition:
            self.conditions.append(condition)
        if round_trip_s is not None:
            self.round_trips.append(round_trip_s)

    def rows(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [data for row in self.rows() for name, data in row["events"] if name == kind]

    def latest(self, metric: str) -> Any:
        values = [value for row in self.rows() for name, value in row["readings"] if name == metric]
        return values[-1] if values else None

    def sales(self) -> list[tuple[str, int, int]]:
        """(selection, counter, value) of every sale, in order."""
        return [(sale["selection"], sale["counter"], sale["value"]) for sale in self.events("vending.sale")]

    @property
    def online(self) -> bool:
        return bool(self.conditions) and self.conditions[-1][0]


class MemoryLedger:
    def __init__(self) -> None:
        self.lines: list[tuple[str, int, object]] = []

    def observed(self, device: str, metric: str, counter: int, value: object, at_ms: int) -> None:
        self.lines.append((metric, counter, value))

    def sales(self) -> set[tuple[str, int, object]]:
        return {(metric.partition("/")[2], counter, value) for metric, counter, value in self.lines}


class Running:
    """A driver in its thread, as the agent runs it."""

    def __init__(self, driver: VendingDriver, ctx: FileContext) -> None:
        self.ctx, self.driver = ctx, driver
        self._thread = threading.Thread(target=driver.run, args=(ctx,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self.ctx.stop.set()
        self._thread.join(2.0)
        assert not self._thread.is_alive(), "run() must return within two seconds of stop"


def until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Wait for `condition`; fails when it does not come."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)
