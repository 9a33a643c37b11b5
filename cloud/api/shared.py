"""A question that anybody may ask, asked once for all who want to know it at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from fastapi.concurrency import run_in_threadpool

T = TypeVar("T")

FRESH_S: Final = 0.5
"""So old an answer may be: what asking costs, it costs twice a second at most."""


class Shared(Generic[T]):
    """What `ask` says, for all who want it: one asks, and the others wait for the same answer without a thread each.

    For one event loop. An error is an answer too, and as long.
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._task: asyncio.Task[T] | None = None
        self._until = 0.0

    async def get(self) -> T:
        """The answer, at most `FRESH_S` old when it came. Raises what `ask` raises."""
        if self._task is None or (self._task.done() and time.monotonic() >= self._until):
            self._task = asyncio.create_task(run_in_threadpool(self._ask))
            self._task.add_done_callback(self._answered)
        # Who gives up does not end it for the others.
        return await asyncio.shield(self._task)

    def _answered(self, task: asyncio.Task[T]) -> None:
        self._until = time.monotonic() + FRESH_S
        if not task.cancelled():
            task.exception()  # somebody has been told, or nobody wanted to know any more
