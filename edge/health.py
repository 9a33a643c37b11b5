"""What the gateway measures of itself, as readings of the node."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from edge import machine
from edge.clock.clock import Clock
from edge.log import Log
from edge.machine import Processor
from edge.outbox.store import Outbox
from protocols.errors import LiandongError
from protocols.events import Observation, Reading

Emit = Callable[[Sequence[Observation]], None]


def measure(outbox: Outbox, clock: Clock, processor: Processor, data: Path, at_ms: int) -> list[Reading]:
    """The gateway's own metrics now; what the machine does not tell is left out. `data`: where the outbox lies."""
    totals = outbox.totals
    available, space = machine.memory_available(), machine.disk(data)
    values: dict[str, float | None] = {
        "outbox-depth": sum(totals.waiting.values()),
        "outbox-bytes": totals.size,
        "cpu-load": processor.percent(),
        "cpu-temperature": machine.cpu_celsius(),
        "memory": machine.memory_bytes(),
        "memory-available": None if available is None else available[0],
        "disk-free": None if space is None else space.free,
        "flash-wear": machine.wear_percent(),
        "link-quality": machine.link_quality(),
        "clock-skew": clock.condition.skew_ms,
    }
    return [
        Reading(device="", metric=name, value=value, at_ms=at_ms) for name, value in values.items() if value is not None
    ]


class Health:
    """Measures every `period_s` in a thread of its own."""

    def __init__(self, outbox: Outbox, clock: Clock, data: Path, emit: Emit, *, period_s: float) -> None:
        self._outbox, self._clock, self._data, self._emit, self._period_s = outbox, clock, data, emit, period_s
        self._processor = Processor()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Measure now, and from now on."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        log = Log("health")
        while True:
            try:
                with suppress(OSError):
                    self._emit(measure(self._outbox, self._clock, self._processor, self._data, self._clock.now_ms()))
            except LiandongError as error:
                log.warning("not-measured", error=error)
            if self._stop.wait(self._period_s):
                return
