"""Memory of every process of a run over time, and whether it grows. Resident, in bytes, children counted with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from typing import Any, Final

EVERY_S: Final = 5.0
SETTLED_S: Final = 300.0
"""A process grows while it fills its caches: it is judged from here on, if it lives as long again."""
_JUDGED: Final = 1 / 3
"""This last part of what follows decides: caches that fill for long and then stay are no leak; a leak goes on."""
MOST_PER_HOUR: Final = 24_000_000
"""Growth above this is a leak. An agent of 60 MB would take a day to double."""
_KEPT_SAMPLES: Final = 20_000


@dataclass(slots=True)
class Life:
    """A process of `part`: (ms since 1970 UTC, bytes) of each sample."""

    part: str
    pid: int
    samples: list[tuple[int, int]] = field(default_factory=list)

    def slope_per_hour(self) -> float | None:
        """Bytes an hour at the end of a life that has settled; None when it did not live long enough to tell."""
        if not self.samples:
            return None
        first_ms, last_ms = self.samples[0][0] + SETTLED_S * 1000, self.samples[-1][0]
        if last_ms - first_ms < SETTLED_S * 1000:
            return None
        from_ms = last_ms - max(SETTLED_S * 1000, (last_ms - first_ms) * _JUDGED)
        late = [(at_ms / 3_600_000, size) for at_ms, size in self.samples if at_ms >= from_ms]
        if len(late) < 3:
            return None
        return linear_regression([at for at, _ in late], [float(size) for _, size in late]).slope


class Scale:
    """Weighs the processes that `pids` names (part → pid) every `EVERY_S`, in a thread of its own."""

    def __init__(self, pids: Callable[[], Mapping[str, int]], tree: Callable[[int], Iterable[int]]) -> None:
        """`tree`: a process and all that it started."""
        self._pids, self._tree = pids, tree
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._weigh, name="lab-memory", daemon=True)
        self.lives: dict[tuple[str, int], Life] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Weigh no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(EVERY_S)

    def _weigh(self) -> None:
        while not self._stop.wait(EVERY_S):
            now_ms = time.time_ns() // 1_000_000
            for part, pid in self._pids().items():
                size = sum(_resident(one) for one in self._tree(pid))
                life = self.lives.setdefault((part, pid), Life(part=part, pid=pid))
                if size and len(life.samples) < _KEPT_SAMPLES:
                    life.samples.append((now_ms, size))


def report(lives: Sequence[Life], began_ms: int) -> dict[str, Any]:
    """Part → ``{"most_mb", "lives", "slope_mb_per_hour", "grows", "samples": [[s, MB], …]}``.

    The steepest life counts.
    """
    found: dict[str, Any] = {}
    for part in sorted({life.part for life in lives}):
        mine = [life for life in lives if life.part == part and life.samples]
        slopes = [slope for life in mine if (slope := life.slope_per_hour()) is not None]
        steepest = max(slopes, default=None)
        samples = sorted(sample for life in mine for sample in life.samples)
        found[part] = {
            "most_mb": round(max((size for _, size in samples), default=0) / 1e6, 1),
            "lives": len(mine),
            "slope_mb_per_hour": None if steepest is None else round(steepest / 1e6, 2),
            "grows": steepest is not None and steepest > MOST_PER_HOUR,
            "samples": [[round((at_ms - began_ms) / 1000), round(size / 1e6, 1)] for at_ms, size in samples],
        }
    return found


def _resident(pid: int) -> int:
    """Proportional where the kernel tells it (PostgreSQL's processes share most of theirs), else resident."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0
