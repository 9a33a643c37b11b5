"""One agent after another in one process, until somebody stops it: a new configuration may need a new agent."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from edge.app import EdgeAgent
from edge.config import EdgeConfig
from edge.config_store import Versions
from protocols.errors import LiandongError


def run(source: Path) -> None:
    """Run the agent of the configuration in `source` (or a newer one from the cloud) until SIGTERM or SIGINT."""
    versions = Versions(source)
    following: list[EdgeConfig] = [versions.start(_usable)]
    awake, stopping = threading.Event(), threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        awake.set()

    def anew(config: EdgeConfig) -> None:
        following.append(config)
        awake.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while following and not stopping.is_set():
        try:
            agent = EdgeAgent(following.pop(), versions, anew)
            agent.start()
        except LiandongError as error:
            if versions.trial is None:
                raise
            following.append(versions.fall_back(error))
            continue
        try:
            awake.wait()
            awake.clear()
        finally:
            agent.stop()


def _usable(config: EdgeConfig) -> None:
    """Raise ConfigError for what only an agent can find."""
    EdgeAgent(config)
