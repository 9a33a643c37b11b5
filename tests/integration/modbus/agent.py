"""What a driver needs of the agent, recorded for a test; and the ledger that a piece of hardware writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from edge.drivers.port import Driver
from edge.drivers.strangers import Stranger
from protocols.errors import LiandongError, UnavailableError
from protocols.events import Event, Observation, Reading


@dataclass
class Agent:
    """A `DriverContext` that keeps everything in lists. `refusals` makes the next emits fail, as a full outbox does."""

    name: str = "under-test"
    stop: threading.Event = field(default_factory=threading.Event)
    taken: list[Observation] = field(default_factory=list)
    durable: list[bool] = field(default_factory=list)
    online: dict[str, bool] = field(default_factory=dict)
    errors: dict[str, LiandongError | None] = field(default_factory=dict)
    transitions: list[tuple[str, bool]] = field(default_factory=list)
    jitters_s: dict[str, list[float]] = field(default_factory=dict)
    stored: Mapping[str, Any] = field(default_factory=dict)
    strangers: tuple[Stranger, ...] = ()
    gone: list[str] = field(default_factory=list)
    refusals: int = 0
    system_late_ms: int = 0
    failure: BaseException | None = None

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def utc_ms(self) -> int:
        return self.now_ms()

    def system_ms(self) -> int:
        return self.now_ms() - self.system_late_ms

    def state(self) -> Mapping[str, Any]:
        return self.stored

    def emit(
        self,
        observations: Sequence[Observation],
        *,
        state: Mapping[str, Any] | None = None,
        durable: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        if self.refusals:
            self.refusals -= 1
            raise UnavailableError("edge.pipeline.behind")
        if state is not None:
            self.stored = state
        self.durable.extend([durable] * len(observations))
        self.taken.extend(observations)

    def waiting(self, strangers: Sequence[Stranger], *, gone: Sequence[str] = (), refused: int = 0) -> None:
        self.strangers = tuple(strangers)
        self.gone += gone

    def status(
        self,
        device: str,
        *,
        online: bool,
        error: LiandongError | None = None,
        round_trip_s: float | None = None,
        jitter_s: float | None = None,
    ) -> None:
        if self.online.get(device) != online:
            self.transitions.append((device, online))
        self.online[device] = online
        self.errors[device] = error
        if jitter_s is not None:
            self.jitters_s.setdefault(device, []).append(jitter_s)

    def readings(self, device: str, metric: str) -> list[Reading]:
        return [o for o in list(self.taken) if isinstance(o, Reading) and (o.device, o.metric) == (device, metric)]

    def values(self, device: str, metric: str) -> list[object]:
        return [reading.value for reading in self.readings(device, metric)]

    def events(self, kind: str) -> list[Event]:
        return [o for o in list(self.taken) if isinstance(o, Event) and o.kind == kind]

    def error_code(self, device: str) -> str | None:
        error = self.errors.get(device)
        return error.code if error else None

    @contextmanager
    def running(self, driver: Driver) -> Iterator[None]:
        """Run the driver in a thread; it must end by itself when told to."""
        thread = threading.Thread(target=self._run, args=(driver,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            thread.join(10)
            assert not thread.is_alive(), "the driver did not stop"
            self.stop.clear()
            if self.failure is not None:
                raise self.failure

    def _run(self, driver: Driver) -> None:
        try:
            driver.run(self)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            self.failure = error


@dataclass
class Ledger:
    """What the hardware says was taken from it."""

    entries: list[tuple[str, str, int, object]] = field(default_factory=list)

    def observed(self, device: str, metric: str, counter: int, value: object, at_ms: int) -> None:
        self.entries.append((device, metric, counter, value))

    def values(self, device: str, metric: str) -> list[object]:
        return [value for d, m, _, value in list(self.entries) if (d, m) == (device, metric)]


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for `condition`, generously; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.02)
