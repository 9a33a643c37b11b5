"""A driver that tells what a test puts in its hands, and an agent around it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from edge.app import EdgeAgent
from edge.config import parse_config
from edge.drivers.port import DeviceConfig, DriverContext, DriverFamily
from protocols.errors import DeviceError
from protocols.events import Observation, Value

GROUP, NODE = "peach-garden", "gw-1"


class BenchConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    family: Literal["bench"] = "bench"
    name: str
    speed: int = 9600
    device: tuple[DeviceConfig, ...]


class BenchDriver:
    """Runs until it is stopped. `crash` lets `run` raise; outputs in `refuse` fail."""

    def __init__(self, config: BenchConfig) -> None:
        self.devices: Sequence[DeviceConfig] = config.device
        self.ctx: DriverContext | None = None
        self.started = threading.Event()
        self.crash = threading.Event()
        self.acted: queue.Queue[tuple[str, str, Value]] = queue.Queue()
        self.refuse: set[str] = set()
        self.answers: list[Observation] = []

    def run(self, ctx: DriverContext) -> None:
        self.ctx = ctx
        self.started.set()
        while not ctx.stop.wait(0.05):
            if self.crash.is_set():
                self.crash.clear()
                raise RuntimeError("a bug in the driver")

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        if output in self.refuse:
            raise DeviceError("edge.driver.down", driver="bench")
        self.acted.put((device, output, value))

    def read(self, device: str, timeout_s: float) -> None:
        if "read" in self.refuse:
            raise DeviceError("edge.command.not-read", device=device, timeout_s=timeout_s)
        self.emit(*self.answers)

    def emit(self, *observations: Observation, durable: bool = False, state: Mapping[str, Any] | None = None) -> None:
        assert self.started.wait(10)
        assert self.ctx is not None
        self.ctx.emit(observations, durable=durable, state=state)


class Bench:
    """The drivers that the agent makes, the newest last, and the families to give it."""

    def __init__(self) -> None:
        self.made: list[BenchDriver] = []
        family = DriverFamily(name="bench", config=BenchConfig, make=self._make)
        self.families: dict[str, Callable[[], DriverFamily]] = {"bench": lambda: family}

    @property
    def driver(self) -> BenchDriver:
        return self.made[-1]

    def _make(self, config: BenchConfig) -> BenchDriver:
        self.made.append(BenchDriver(config))
        return self.made[-1]


def document(port: int, **uplink: Any) -> dict[str, Any]:
    devices = [{"id": "meter-1", "type": "power-meter"}, {"id": "smoke-1", "type": "smoke"}]
    devices += [{"id": "siren-1", "type": "siren"}, {"id": "door-1", "type": "door"}]
    settings = {"host": "127.0.0.1", "port": port, "flush_s": 0.05, "reconnect_s": 0.2}
    return {
        "gateway": {"group": GROUP, "node": NODE, "health_s": 3600},
        "uplink": settings | uplink,
        "driver": [{"family": "bench", "name": "bench", "device": devices}],
    }


@contextmanager
def running(folder: Path, made: dict[str, Any]) -> Iterator[tuple[EdgeAgent, BenchDriver]]:
    bench = Bench()
    agent = EdgeAgent(parse_config(made, folder / "gateway.toml", bench.families))
    agent.start()
    try:
        assert bench.driver.started.wait(10)
        yield agent, bench.driver
    finally:
        agent.stop()
