"""What the agent keeps in its data directory, opened: one agent to a directory."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from edge.clock.clock import Clock
from edge.clock.keeper import remembered
from edge.clock.source import Machine
from edge.config import EdgeConfig
from edge.identity.register import Register
from edge.outbox.quota import Quota
from edge.outbox.store import Outbox
from protocols.errors import StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The clock goes on from what it remembers in the file `remembers`."""

    clock: Clock
    remembers: Path
    register: Register
    outbox: Outbox


def open_disk(config: EdgeConfig, stack: ExitStack) -> Disk:
    """Everything open, until `stack` is closed. Raises StorageError, also when another agent works there."""
    data = config.gateway.data
    stack.callback(os.close, _claim(data))
    remembers = data / "clock.json"
    clock = Clock(Machine(), trust=config.clock.trust, memory=remembered(remembers))
    register = Register(data / "names.db", now_ms=clock.wall_ms())
    stack.callback(register.close)
    total = int(config.outbox.quota_mb * 1_000_000)
    quota = Quota(total=total, acknowledged=int(total * config.outbox.acknowledged_share))
    outbox = Outbox(data / "outbox.db", now_ms=clock.wall_ms(), quota=quota, boot=UUID(clock.boot))
    stack.callback(outbox.close)
    return Disk(clock=clock, remembers=remembers, register=register, outbox=outbox)


def _claim(data: Path) -> int:
    """The lock on the data directory (a file descriptor)."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o750)
        lock = os.open(data / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StorageError("edge.storage.unusable", file=data, why=error.strerror or error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StorageError("edge.storage.in-use", file=data) from error
    return lock
