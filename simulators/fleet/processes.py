"""A fleet over some processes: each plays its slice of the gateways, one asks, watches and adds up."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

from protocols.errors import ConfigError, UnavailableError
from simulators.fleet.fleet import Fleet
from simulators.fleet.plan import Plan

_SPARE_FILES: Final = 64
_END_S: Final = 30.0

Said = Callable[[dict[str, Any]], None]


def play(plan: Plan, processes: int, said: Said, stops: Callable[[], int]) -> dict[str, Any]:
    """The whole fleet, until its plan is over; its figures.

    `stops`: how often it was asked to stop. After the first time it measures no more and waits, as long as the plan's
    patience lasts, for what is not acknowledged; after the second it leaves at once.

    Raises ConfigError when a process may not open as many connections, UnavailableError when one has died.
    """
    parts = _parts(plan, processes)
    for part in parts:
        make_room(part.last - part.first, processes)
    context = multiprocessing.get_context("spawn")
    children, pipes = [], []
    try:
        for part in parts:
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(target=_play, args=(part, theirs), daemon=True)
            child.start()
            theirs.close()
            children.append(child)
            pipes.append(ours)
        return _watch(pipes, said, stops, children)
    finally:
        until = time.monotonic() + _END_S
        for child in children:
            child.join(max(0.1, until - time.monotonic()))
            if child.is_alive():
                child.kill()
        for pipe in pipes:
            pipe.close()


def make_room(connections: int, processes: int) -> None:
    """Let this process (and its children) open so many files. Raises ConfigError when the system does not allow it."""
    wanted = connections + _SPARE_FILES
    limit = allow_files(wanted)
    if limit is not None:
        raise ConfigError("simulators.fleet.files", wanted=wanted, limit=limit, processes=processes + 1)


def allow_files(wanted: int) -> int | None:
    """Let this process and those that it starts open `wanted` files; the system's limit, where that is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return None
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return None


def together(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures of all processes as those of one fleet; of waits the longest."""
    first, *rest = figures
    whole = dict(first)
    for other in rest:
        for key, value in other.items():
            if key == "ack_ms":
                whole[key] = {name: _longest(whole[key][name], value[name]) for name in value}
            else:
                whole[key] = max(whole[key], value) if key == "seconds" else whole[key] + value
    return whole


def _longest(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _parts(plan: Plan, processes: int) -> list[Plan]:
    edges = [plan.gateways * index // processes for index in range(processes + 1)]
    return [replace(plan, first=first, last=last) for first, last in pairwise(edges) if last > first]


def _watch(
    pipes: Sequence[Connection], said: Said, stops: Callable[[], int], children: Sequence[BaseProcess]
) -> dict[str, Any]:
    """Until every process has told its last figures."""
    newest: dict[int, dict[str, Any]] = {}
    over: dict[int, dict[str, Any]] = {}
    asked = 0
    while len(over) < len(pipes):
        if asked < stops():
            asked += 1
            for child in children:
                child.terminate()
        for index, pipe in enumerate(pipes):
            try:
                while index not in over and pipe.poll(0.05):
                    kind, newest[index] = pipe.recv()
                    if kind == "over":
                        over[index] = newest[index]
            except EOFError as error:
                raise UnavailableError("simulators.fleet.died") from error
        if newest:
            said(together(list(newest.values())))
    return together(list(over.values()))


def _play(plan: Plan, told: Connection) -> None:
    """In a child."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everybody; the parent says when to leave

    async def live() -> dict[str, Any]:
        enough, leave = asyncio.Event(), asyncio.Event()

        def asked() -> None:
            """Once: finish; again: leave."""
            (leave if enough.is_set() else enough).set()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked)
        return await Fleet(plan, enough, leave, lambda figures: told.send(("now", figures))).run()

    told.send(("over", asyncio.run(live())))
    told.close()
