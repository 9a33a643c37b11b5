"""One agent after another in one process, until somebody stops it: a new configuration may need a new agent."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import closing
from pathlib import Path

from edge.app import EdgeAgent
from edge.config import EdgeConfig
from edge.config_store import Versions
from edge.notify import Supervisor, Watchdog
from protocols.errors import LiandongError


def run(source: Path) -> None:
    """Run the agent of the configuration in `source` (or a newer one from the cloud) until SIGTERM or SIGINT."""
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
