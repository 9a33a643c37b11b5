"""What the gateway measures of itself, as readings of the node."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge.clock.clock import Clock
from edge.log import Log
from edge.outbox.store import Outbox
from protocols.errors import LiandongError
from protocols.events import Observation, Reading

_THERMAL: Final = Path("/sys/class/thermal/thermal_zone0/temp")
_STATM: Final = Path("/proc/self/statm")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

Emit = Callable[[Sequence[Observation]], None]


def memory_bytes() -> int:
    """The resident memory of this process (Linux, /proc)."""
    return int(_STATM.read_text("ascii").split()[1]) * _PAGE


def cpu_celsius() -> float | None:
    """The temperature of the processor, or None where the machine does not tell."""
    try:
        return int(_THERMAL.read_text("ascii")) / 1000
    except (OSError, ValueError):
        return None


def measure(outbox: Outbox, clock: Clock, at_ms: int) -> list[Reading]:
    """The gateway's own metrics now."""
    totals = outbox.totals
    values: dict[str, float | None] = {
        "outbox-depth": sum(totals.waiting.values()),
        "outbox-bytes": totals.size,
        "cpu-temperature": cpu_celsius(),
        "memory": memory_bytes(),
        "clock-skew": clock.condition.skew_ms,
    }
    return [
        Reading(device="", metric=name, value=value, at_ms=at_ms) for name, value in values.items() if value is not None
    ]


class Health:
    """Measures every `period_s` in a thread of its own."""

    def __init__(self, outbox: Outbox, clock: Clock, emit: Emit, *, period_s: float) -> None:
        self._outbox, self._clock, self._emit, self._period_s = outbox, clock, emit, period_s
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
                    self._emit(measure(self._outbox, self._clock, self._clock.now_ms()))
            except LiandongError as error:
                log.warning("not-measured", error=error)
            if self._stop.wait(self._period_s):
                return
