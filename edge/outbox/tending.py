"""Housekeeping in the file, a bounded step at a time: short blocks are merged, and thinned when the quota is near.

Both change only blocks of the current epoch that this opening never handed out for sending. That is known in RAM alone,
and is safe so: whoever opens the file after a kill begins a new epoch, and touches nothing of the old one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from edge.log import Log
from edge.outbox.body import Part, split
from protocols.errors import LiandongError
from protocols.events import Observation, Reading

MERGE_S: Final = 60.0
"""Blocks are merged when they span this long."""
MOST_READINGS: Final = 8000
"""Observations in a merged block at most (one alone may have more); the bound of a step's time and memory."""
MOST_BYTES: Final = 128 * 1024
"""Packed bytes that one step reads at most (one block alone may have more)."""
_MOST_YOUNG: Final = 4096
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """A block of this opening as it was stored: its numbers, how many observations, when (monotonic s)."""

    first: int
    last: int
    readings: int
    at: float


class Young:
    """The bulk blocks of this opening that were neither handed out nor merged, the oldest first. Bounded."""

    def __init__(self) -> None:
        self._blocks: deque[Fresh] = deque(maxlen=_MOST_YOUNG)
        self._readings = 0

    def add(self, block: Fresh, handed: int) -> None:
        """A block more; numbers up to `handed` were handed out."""
        if len(self._blocks) == _MOST_YOUNG:
            self._readings -= self._blocks[0].readings
        self._blocks.append(block)
        self._readings += block.readings
        self.pass_over(handed)

    def pass_over(self, number: int) -> None:
        """What begins at or below `number` is not to be merged any more."""
        while self._blocks and self._blocks[0].first <= number:
            self._readings -= self._blocks.popleft().readings

    def due(self) -> list[Fresh]:
        """The blocks to be merged now; none, or at least two, with neighbouring numbers."""
        if not self._blocks:
            return []
        long = self._blocks[-1].at - self._blocks[0].at >= MERGE_S
        if not long and self._readings < MOST_READINGS:
            return []
        chosen: list[Fresh] = []
        readings = 0
        for block in self._blocks:
            readings += block.readings
            if chosen and (readings > MOST_READINGS or chosen[-1].last + 1 != block.first):
                break
            chosen.append(block)
        if len(chosen) == 1:
            self.pass_over(chosen[0].first)
            return []
        return chosen


def merged(parts: Iterable[Part]) -> list[Part]:
    """The observations of `parts` by device, each device's numbers with it; order kept within a device.

    Parts of a device are joined up to the size of a message. None left out: the numbers of all are those of `parts`.
    """
    observations: dict[str, list[Observation]] = {}
    numbers: dict[str, int] = {}
    for part in parts:
        observations.setdefault(part.device, []).extend(part.observations)
        numbers[part.device] = numbers.get(part.device, 0) + part.numbers
    found: list[Part] = []
    for device, told in observations.items():
        pieces = list(split(told))
        shares = [1] * (len(pieces) - 1) + [numbers[device] - len(pieces) + 1]
        found += [
            Part(device=device, numbers=share, observations=piece) for share, piece in zip(shares, pieces, strict=True)
        ]
    return found


def thinned(parts: Sequence[Part]) -> tuple[list[Part], int]:
    """`merged` parts with the first, least, greatest and last number of each metric and minute; how many are left out.

    No value is invented, each keeps its own time. What is no number, and what is not good, stays.
    """
    found: list[Part] = []
    before = 0
    for part in merged(parts):
        kept = _extremes(part.observations)
        before += len(part.observations) - len(kept)
        found.append(Part(device=part.device, numbers=part.numbers, observations=kept))
    return merged(found), before


def _extremes(observations: Sequence[Observation]) -> list[Observation]:
    runs: dict[tuple[str, int], list[tuple[float, int]]] = {}
    keep: set[int] = set()
    for index, item in enumerate(observations):
        if isinstance(item, Reading) and item.quality == "good" and type(item.value) in (int, float):
            assert isinstance(item.value, int | float)
            runs.setdefault((item.metric, item.at_ms // _MINUTE_MS), []).append((item.value, index))
        else:
            keep.add(index)
    for run in runs.values():
        keep |= {run[0][1], min(run)[1], max(run)[1], run[-1][1]}
    return [item for index, item in enumerate(observations) if index in keep]


class Tender:
    """A thread that lets `step` work whenever there is something to do: it sleeps otherwise, and bears a full disk."""

    def __init__(self, step: Callable[[], bool], *, pause_s: float = 5.0) -> None:
        """`step` returns whether there is more to do. `wake` says that there may be."""
        self._step, self._pause_s = step, pause_s
        self._stop, self._wake = threading.Event(), threading.Event()
        self._log = Log("outbox")
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Something was stored."""
        self._wake.set()

    def close(self) -> None:
        """End after the step in hand."""
        self._stop.set()
        self._wake.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                while not self._stop.is_set() and self._step():
                    self._stop.wait(0.01)
            except LiandongError as error:
                self._log.warning("not-tended", error=error)
            self._wake.wait()
            self._stop.wait(self._pause_s)
