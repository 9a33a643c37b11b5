"""Outputs that a local rule wants written: at once, beside one another, again when a device does not answer."""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge.log import Log
from protocols.errors import DeviceError, LiandongError
from protocols.events import Value

WORKERS: Final = 8
MAX_WAITING: Final = 256
TIMEOUT_S: Final = 5.0
PAUSES_S: Final = (0.3, 1.0, 3.0, 10.0)
"""Between one attempt and the next; after the last one the action has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Action number `index` of `rule`, which fired on `cause` (a device): write `value` to `output` of `device`."""

    rule: str
    cause: str
    index: int
    device: str
    output: str
    value: Value


Act = Callable[[str, str, Value, float], None]
Done = Callable[[Task, LiandongError | None], None]


class Actions:
    """A bounded pool that writes outputs. A newer task for the same output replaces one that still waits."""

    def __init__(self, act: Act, done: Done, *, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        """`act` writes (and raises LiandongError), `done` is told the outcome of each task, both from a worker."""
        self._act, self._done, self._pauses = act, done, pauses_s
        self._log = Log("rules")
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, int]] = []
        self._waiting: dict[int, Task] = {}
        self._newest: dict[tuple[str, str], int] = {}
        self._given = 0
        self._idle = 0
        self._workers: list[threading.Thread] = []
        self._stopping = False

    def submit(self, task: Task) -> None:
        """Do `task` now. Never blocks; with too many waiting it fails at once (told through `done`)."""
        with self._changed:
            full = len(self._waiting) >= MAX_WAITING or self._stopping
            if not full:
                self._put(task, attempt=0, at=0.0)
        if full:
            self._done(task, DeviceError("edge.rules.too-many-actions", limit=MAX_WAITING))

    def close(self, timeout_s: float = TIMEOUT_S) -> None:
        """Start nothing new; wait for what is being written."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))

    def _put(self, task: Task, *, attempt: int, at: float) -> None:
        output = (task.device, task.output)
        if attempt and output in self._newest:
            return  # a newer value is on its way
        older = self._newest.pop(output, None)
        if older is not None:
            self._waiting.pop(older, None)
        self._given += 1
        self._waiting[self._given] = task
        self._newest[output] = self._given
        heapq.heappush(self._heap, (at, self._given, attempt))
        if not self._idle and len(self._workers) < WORKERS:
            worker = threading.Thread(target=self._work, name=f"action-{len(self._workers)}", daemon=True)
            self._workers.append(worker)
            worker.start()
        self._changed.notify()

    def _next(self) -> tuple[Task, int] | None:
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                if self._heap and self._heap[0][0] <= now:
                    _, number, attempt = heapq.heappop(self._heap)
                    task = self._waiting.pop(number, None)
                    if task is None:
                        continue
                    del self._newest[task.device, task.output]
                    return task, attempt
                self._idle += 1
                self._changed.wait(self._heap[0][0] - now if self._heap else None)
                self._idle -= 1
            return None

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            task, attempt = taken
            error = self._try(task)
            if error is None or attempt >= len(self._pauses):
                self._done(task, error)
                continue
            where = {"rule": task.rule, "device": task.device, "output": task.output}
            self._log.warning("action-retried", **where, attempt=attempt + 1, error=error)
            pause = self._pauses[attempt] * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
            with self._changed:
                if not self._stopping:
                    self._put(task, attempt=attempt + 1, at=time.monotonic() + pause)

    def _try(self, task: Task) -> LiandongError | None:
        try:
            self._act(task.device, task.output, task.value, TIMEOUT_S)
        except LiandongError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a driver's fault must not end the worker
            self._log.error("action-crashed", trace=True, rule=task.rule, device=task.device, output=task.output)
            return DeviceError("edge.rules.action-crashed", device=task.device, why=repr(error))
        return None
