"""``liandong cloud run --workers N``: ingest workers as processes of their own, started again when they end.

A worker ends when its standard input does: so none outlives a service that was killed.
"""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

_LOG: Final = logging.getLogger("liandong.cloud.processes")
_FIRST_PAUSE_S: Final = 0.5
_MOST_PAUSE_S: Final = 15.0
_CALM_S: Final = 20.0
"""Who has run this long starts again without a long pause."""
_LOOK_S: Final = 0.1
STOP_S: Final = 20.0
MOST: Final = 256


class _Process:
    """One worker's place, and its present process. One thread."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._again_at = 0.0
        self._pause_s = _FIRST_PAUSE_S

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._child is not None and self._child.poll() is None

    def look(self, now: float) -> None:
        """Start it when it is to be started; notice its end."""
        if self._child is None:
            if now >= self._again_at:
                self._start(now)
            return
        code = self._child.poll()
        if code is None:
            return
        self._close_input()
        calm = now - self._started_at > _CALM_S
        self._pause_s = _FIRST_PAUSE_S if calm else min(self._pause_s * 2, _MOST_PAUSE_S)
        pause = self._pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        _LOG.warning("worker-ended pid=%d code=%s restart_in_s=%.1f", self._child.pid, code, pause)
        self._child, self._again_at = None, now + pause

    def ask_to_end(self) -> None:
        """It finishes the group at hand."""
        self._close_input()

    def end(self, until: float) -> None:
        """Wait until `until` (monotonic seconds); then it is killed."""
        if self._child is None:
            return
        try:
            self._child.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            _LOG.warning("worker-killed pid=%d", self._child.pid)
            self._child.kill()
            self._child.wait(5)

    def _start(self, now: float) -> None:
        try:
            # A session of its own: Ctrl-C reaches the service alone, which ends its workers in order.
            self._child = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)
        except OSError as error:  # no memory or no process left for it: later, perhaps
            _LOG.warning("worker-not-started why=%s", error)
            self._again_at = now + _MOST_PAUSE_S
            return
        self._started_at = now
        _LOG.info("worker-started pid=%d", self._child.pid)

    def _close_input(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()


class WorkerProcesses:
    """`count` workers from `start` to `stop`."""

    def __init__(self, config: Path, count: int) -> None:
        """`config`: the service's configuration file, which every worker reads."""
        command = [sys.executable, "-m", "liandong", "cloud", "worker", "--with-parent", "--config", str(config)]
        self._processes = [_Process(command) for _ in range(count)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker-processes", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether they are watched, and at least one of them runs."""
        return self._thread.is_alive() and any(process.runs for process in self._processes)

    def start(self) -> None:
        """Begin to start and to watch them."""
        self._thread.start()

    def stop(self) -> None:
        """End all of them, side by side; bounded."""
        self._stop.set()
        self._thread.join(2 * STOP_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            for process in self._processes:
                process.look(time.monotonic())
            self._stop.wait(_LOOK_S)
        for process in self._processes:
            process.ask_to_end()
        until = time.monotonic() + STOP_S
        for process in self._processes:
            process.end(until)
