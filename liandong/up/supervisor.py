"""Starts parts as processes, starts them again when they end, and stops them in the opposite order.

The supervisor is one thread (the one that calls `run`) and one small thread per child that files its output. Children
die with their supervisor (parent-death signal), so a killed `up` leaves nothing behind.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import pwd
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from protocols.errors import UnavailableError

_log = logging.getLogger("liandong.up")

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 15.0
_CALM_S: Final = 20.0  # who has run this long starts again without a pause
_LOG_BYTES: Final = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process: how it is started, how one sees that it is ready, and how it is asked to stop."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    ready_within_s: float = 20.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 8.0
    environment: Mapping[str, str] = field(default_factory=dict)
    unprivileged: bool = False  # PostgreSQL refuses to run as root


class _Child:
    """A part and its present process."""

    def __init__(self, part: Part, logs: Path) -> None:
        self.part = part
        self.log = logs / f"{part.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.again_at = 0.0
        self._pause_s = _FIRST_PAUSE_S

    def start(self) -> None:
        command = [*_guarded(self.part), *self.part.command]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.part.environment},
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops its parts in order
            cwd="/",
        )
        self.started_at = time.monotonic()
        threading.Thread(
            target=_file_output, args=(self.process, self.log), name=f"log-{self.part.name}", daemon=True
        ).start()

    def look(self, now: float, *, again: bool = True) -> None:
        """Notice an end; start again when its pause is over (and `again`)."""
        if self.process is None:
            if again and now >= self.again_at:
                self._start_again(now)
            return
        code = self.process.poll()
        if code is None:
            return
        self._pause_s = _FIRST_PAUSE_S if now - self.started_at > _CALM_S else min(self._pause_s * 2, _LONGEST_PAUSE_S)
        pause = self._pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
        _log.warning("part=%s ended code=%s restart_in_s=%.1f log=%s", self.part.name, code, pause, self.log)
        self.process, self.again_at = None, now + pause

    def _start_again(self, now: float) -> None:
        try:
            self.start()
        except OSError as error:  # no memory or no process left for it: later, perhaps
            self.again_at = now + _LONGEST_PAUSE_S
            _log.warning("part=%s not started error=%s", self.part.name, error)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.part.stop_signal)
        try:
            self.process.wait(self.part.stop_within_s)
        except subprocess.TimeoutExpired:
            _log.warning("part=%s does not stop, killed", self.part.name)
            self.process.kill()
            self.process.wait(5)


class Supervisor:
    """Owns the processes of its parts. Used from one thread."""

    def __init__(self, logs: Path, changed: Callable[[Mapping[str, int]], None]) -> None:
        """`changed` gets name → pid whenever a process has been started."""
        self._logs = logs
        self._changed = changed
        self._children: list[_Child] = []
        self._pids: dict[str, int] = {}
        self._held: set[str] = set()

    def hold(self, *names: str) -> None:
        """Do not start these parts again when they end, until `release`. From any thread."""
        self._held = self._held | set(names)

    def release(self, *names: str) -> None:
        """Start them again from now on."""
        self._held = self._held - set(names)

    def start(self, *parts: Part, stop: threading.Event | None = None) -> bool:
        """Start parts side by side and wait until each is ready; False when `stop` was set meanwhile.

        Raises UnavailableError when one ends or is not ready in time; its log is named.
        """
        stop = stop or threading.Event()
        fresh = [_Child(part, self._logs) for part in parts]
        for child in fresh:
            self._children.append(child)
            child.start()
        ready = all(_await_ready(child, stop) for child in fresh)
        self._tell()
        return ready

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set."""
        while not stop.wait(0.1):
            now = time.monotonic()
            for child in self._children:
                child.look(now, again=child.part.name not in self._held)
            self._tell()

    def stop(self) -> None:
        """Stop everything, the last started first. Bounded by the parts' own bounds."""
        for child in reversed(self._children):
            child.stop()
        self._children.clear()

    def _tell(self) -> None:
        pids = {child.part.name: child.process.pid for child in self._children if child.process}
        if pids != self._pids:
            self._pids = pids
            self._changed(pids)


def _guarded(part: Part) -> list[str]:
    """What makes a child end with its supervisor, and PostgreSQL run as somebody who is not root.

    As root the database runs as `nobody` and keeps one capability, to read its program wherever that was installed.
    """
    guard = ["setpriv", "--pdeathsig", part.stop_signal.name.removeprefix("SIG")]
    return guard + (unprivileged() if part.unprivileged else []) + ["--"]


def unprivileged() -> list[str]:
    """Options of setpriv that drop root, except for reading files; none when we are not root."""
    if os.geteuid() != 0:
        return []
    keep = "-all,+dac_read_search"
    nobody = pwd.getpwnam("nobody")  # its group has another name on every distribution
    return [
        f"--reuid={nobody.pw_uid}",
        f"--regid={nobody.pw_gid}",
        "--clear-groups",
        f"--inh-caps={keep}",
        f"--ambient-caps={keep}",
        f"--bounding-set={keep}",
        # Else access() ignores the capability, and PostgreSQL does not find its own programs below a closed /root.
        "--securebits=+no_setuid_fixup",
    ]


def _await_ready(child: _Child, stop: threading.Event) -> bool:
    deadline = time.monotonic() + child.part.ready_within_s
    while not child.part.ready():
        if child.process is None or child.process.poll() is not None:
            raise UnavailableError(
                "liandong.up.part-ended", part=child.part.name, log=child.log, last=_last_line(child.log)
            )
        if time.monotonic() > deadline:
            raise UnavailableError(
                "liandong.up.part-slow", part=child.part.name, log=child.log, seconds=child.part.ready_within_s
            )
        if stop.wait(0.05):
            return False
    return True


def _last_line(log: Path) -> str:
    time.sleep(0.2)  # the thread that files the output may still be writing
    try:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


class _LogFile(logging.handlers.RotatingFileHandler):
    """Drops the lines that a full disk does not take: a part whose words nobody reads would stand still."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Nothing."""


def _file_output(process: subprocess.Popen[bytes], path: Path) -> None:
    """Copy a child's output into its log until it ends; two files of 5 MB at most."""
    handler = _LogFile(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8", delay=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            text = line.decode("utf-8", "replace").rstrip("\n")
            handler.emit(logging.makeLogRecord({"msg": text, "levelno": logging.INFO}))
    finally:
        process.stdout.close()
        handler.close()
