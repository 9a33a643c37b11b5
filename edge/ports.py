"""Serial ports: is one there, may this user open it, does another program hold it, and how it is set."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Literal

PortState = Literal["free", "held", "missing", "forbidden", "no-port"]


def state(path: Path) -> PortState:
    """How the serial port `path` is. It is opened for a moment, without a byte or a change of its settings.

    Programs that follow the custom (ours, and all that use pyserial's `exclusive`) lock the ports that they use.
    """
    try:
        if not stat.S_ISCHR(path.stat().st_mode):
            return "no-port"
        port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return "missing"
    except PermissionError:
        return "forbidden"
    except OSError:
        return "held"  # EBUSY: another program has it for itself (TIOCEXCL)
    try:
        if not os.isatty(port):
            return "no-port"
        fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "held"
    finally:
        os.close(port)
    return "free"


def parity(path: Path | str, wanted: str) -> str:
    """What to set for parity `wanted`. A pseudo terminal has none, and refuses whoever wants only that changed."""
    return "N" if Path(path).resolve().is_relative_to("/dev/pts") else wanted


def holder(path: Path) -> str | None:
    """The name and id of a process that has `path` open, as far as this user may see; None for nobody known."""
    wanted = path.resolve()
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError):
            if any(_leads_to(entry, wanted) for entry in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text('utf-8').strip()} ({process.name})"
    return None


def _leads_to(entry: Path, wanted: Path) -> bool:
    with suppress(OSError):
        return entry.readlink() == wanted
    return False
