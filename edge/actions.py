"""Outputs that a local rule wants written: at once, beside one another, again when a device does not answer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from edge.log import Log
from edge.outputs import Outputs, Wish
from protocols.errors import DeviceError, LiandongError, RefusedError
from protocols.events import Value

WORKERS: Final = 8
MAX_WAITING: Final = 256
"""Writes that may wait at one time; several rules that want the same of an output wait as one."""
TIMEOUT_S: Final = 5.0
PAUSES_S: Final = (0.3, 1.0, 3.0, 10.0)
"""Between one attempt and the next; after the last one the action has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Action number `index` of `rule`, which fired on `cause` (a device): write `value` to `output` of `device`.

    `number` is that of the wish, see `edge.outputs`.
    """

    rule: str
    cause: str
    index: int
    device: str
    output: str
    value: Value
    number: int = field(default=0, compare=False)


Done = Callable[[Task, LiandongError | None], None]
_Owner = tuple[str, str, int]


@dataclass(slots=True, kw_only=True, eq=False)
class _Write:
    """What several tasks want alike. `at` is monotonic; `aimless`: those whose rule has cleared meanwhile."""

    tasks: dict[_Owner, Task]
    at: float
    attempt: int = 0
    aimless: set[_Owner] = field(default_factory=set)

    @property
    def wish(self) -> Wish:
        """The newest of the wishes."""
        newest = max(self.tasks.values(), key=lambda task: task.number)
        return Wish(
            number=newest.number, device=newest.device, output=newest.output, value=newest.value, by=newest.rule
        )


class Actions:
    """A bounded pool that writes outputs. What a later wish or a cleared rule ended is not tried again."""

    def __init__(self, outputs: Outputs, done: Done, *, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        """`done` is told, from a worker, the outcome of each task that no later wish has ended."""
        self._outputs, self._done, self._pauses = outputs, done, pauses_s
        self._log = Log("rules")
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, str, Value], _Write] = {}
        self._flying: set[_Write] = set()
        self._ended: list[tuple[Task, LiandongError]] = []
        self._idle = 0
        self._workers: list[threading.Thread] = []
        self._stopping = False

    def submit(self, task: Task) -> None:
        """Do `task` now. Never blocks; with too many waiting it fails (told through `done`, by a worker, too)."""
        key, owner = _key(task), _owner(task)
        with self._changed:
            waiting = self._waiting.get(key)
            full = self._stopping or (waiting is None and len(self._waiting) >= MAX_WAITING)
            if not full:
                write = waiting or _Write(tasks={}, at=0.0)
                write.tasks[owner] = task
                write.aimless.discard(owner)
                write.at, write.attempt = time.monotonic(), 0
                self._put(write)
            elif len(self._ended) < MAX_WAITING:
                self._ended.append((task, DeviceError("edge.rules.too-many-actions", limit=MAX_WAITING)))
        if full:
            self._log.error(
                "action-not-begun", rule=task.rule, device=task.device, output=task.output, limit=MAX_WAITING
            )

    def withdraw(self, rule: str, cause: str) -> None:
        """The rule has cleared: what no device has confirmed yet is tried at most once, and soon."""
        with self._changed:
            for write in (*self._waiting.values(), *self._flying):
                write.aimless |= {owner for owner in write.tasks if owner[:2] == (rule, cause)}

    def close(self, timeout_s: float = TIMEOUT_S) -> None:
        """Start nothing new; wait for what is being written."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))

    def _put(self, write: _Write) -> None:
        self._waiting[_key(next(iter(write.tasks.values())))] = write
        if self._idle < len(self._waiting) and len(self._workers) < WORKERS:
            worker = threading.Thread(target=self._work, name=f"action-{len(self._workers)}", daemon=True)
            self._workers.append(worker)
            worker.start()
        self._changed.notify_all()  # not only one that waits for what is due later

    def _next(self) -> _Write | None:
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                write = min(self._waiting.values(), key=lambda one: one.at, default=None)
                if write is not None and write.at <= now:
                    del self._waiting[_key(next(iter(write.tasks.values())))]
                    self._sift(write, first=not write.attempt and now - write.at < TIMEOUT_S)
                    self._flying.add(write)
                    return write
                self._idle += 1
                self._changed.wait(write.at - now if write is not None else None)
                self._idle -= 1
            return None

    def _sift(self, write: _Write, *, first: bool = False) -> None:
        """Drop the tasks that were ended. A `first` attempt is made, though the rule has cleared."""
        for owner, task in tuple(write.tasks.items()):
            over = self._outputs.is_over(task.number, task.device, task.output)
            if over or (owner in write.aimless and not first):
                del write.tasks[owner]
                where = {"rule": task.rule, "device": task.device, "output": task.output}
                self._log.info("action-ended", **where, why="overruled" if over else "cleared")
                if not over:
                    self._outputs.close(task.number, task.device, task.output)
                    cleared = RefusedError("edge.rules.cleared", rule=task.rule, device=task.cause)
                    self._ended.append((task, cleared))

    def _work(self) -> None:
        while (write := self._next()) is not None:
            error = self._try(write.wish) if write.tasks else None
            for task in self._settled(write, error):
                self._done(task, error)
            with self._changed:
                ended, self._ended = self._ended, []
            for task, why in ended:
                self._done(task, why)

    def _settled(self, write: _Write, error: LiandongError | None) -> list[Task]:
        """The tasks for which this was the end; the others wait for the next attempt."""
        with self._changed:
            self._flying.discard(write)
            if error is None:
                return list(write.tasks.values())
            self._sift(write)
            if not write.tasks:
                return []
            wish = write.wish
            if write.attempt >= len(self._pauses):
                self._outputs.close(wish.number, wish.device, wish.output)
                return list(write.tasks.values())
            where = {"rule": wish.by, "device": wish.device, "output": wish.output}
            self._log.warning("action-retried", **where, attempt=write.attempt + 1, error=error)
            pause = self._pauses[write.attempt] * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
            newer = self._waiting.get((wish.device, wish.output, wish.value))
            if newer is not None:
                newer.tasks = write.tasks | newer.tasks
            elif not self._stopping:
                write.at, write.attempt = time.monotonic() + pause, write.attempt + 1
                self._put(write)
            return []

    def _try(self, wish: Wish) -> LiandongError | None:
        try:
            self._outputs.write(wish, TIMEOUT_S)
        except LiandongError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a driver's fault must not end the worker
            self._log.error("action-crashed", trace=True, rule=wish.by, device=wish.device, output=wish.output)
            return DeviceError("edge.rules.action-crashed", device=wish.device, why=repr(error))
        return None


def _key(task: Task) -> tuple[str, str, Value]:
    return task.device, task.output, task.value


def _owner(task: Task) -> _Owner:
    return task.rule, task.cause, task.index
