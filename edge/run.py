"""One agent after another in one process, until somebody stops it: a new configuration may need a new agent."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

from edge.app import EdgeAgent
from edge.config import EdgeConfig
from edge.config_store import Versions
from edge.notify import Supervisor, Watchdog
from protocols.errors import LiandongError

_M_ARENA_MAX: Final = -8  # malloc.h, mallopt(3)


def run(source: Path) -> None:
    """Run the agent of the configuration in `source` (or a newer one from the cloud) until SIGTERM or SIGINT."""
    _share_one_heap()
    versions = Versions(source)
    following: list[EdgeConfig] = [versions.start()]
    awake, stopping = threading.Event(), threading.Event()
    supervisor = Supervisor(os.environ)

    def stop(*_: object) -> None:
        stopping.set()
        awake.set()

    def anew(config: EdgeConfig) -> None:
        following.append(config)
        awake.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while following and not stopping.is_set():
        agent = EdgeAgent(following.pop(), versions, anew)
        try:
            agent.start()
        except LiandongError as error:
            if versions.trial is None:
                raise
            following.append(versions.fall_back(error))
            continue
        supervisor.tell("READY=1")
        watchdog = Watchdog(supervisor, agent.works)
        watchdog.start()
        try:
            with closing(watchdog):
                awake.wait()
                awake.clear()
        finally:
            if stopping.is_set():
                supervisor.tell("STOPPING=1")
            agent.stop()


def _share_one_heap() -> None:
    """Before there are threads: glibc would give each of them a heap of its own, 0.8 MB together.

    They would need it to allocate at the same time, which the interpreter does not let them. Another C library has no
    such call, and none such heaps.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
