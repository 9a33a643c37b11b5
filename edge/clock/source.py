"""What this machine has for clocks: which boot it is, how long it runs, what its wall clock says, who vouches for it.

Linux only. The steady clock is CLOCK_BOOTTIME: unlike CLOCK_MONOTONIC it goes on while the machine sleeps, so a laptop
that was shut for a night shows no step of its wall clock.
"""

from __future__ import annotations

import ctypes
import platform
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_RTC: Final = Path("/sys/class/rtc")
_HAVE_ALWAYS_ONE: Final = ("x86_64", "i686", "i386", "AMD64")
_RTC_AGREES_S: Final = 5.0
_ZONES_S: Final = 15 * 60
_MOST_ZONE_S: Final = 14 * 3600
_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5
_STATUS_AT: Final = 5 * ctypes.sizeof(ctypes.c_long)
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_TRIES: Final = 5
_TOGETHER_NS: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look at both clocks: `steady_ns` since the boot, `wall_ns` since 1970 UTC as the system has it.

    `synchronised`: whether the kernel says that the wall clock follows a time server; None where it does not tell.
    """

    steady_ns: int
    wall_ns: int
    synchronised: bool | None


class Source(Protocol):
    """A machine's clocks, or those of a test."""

    def boot(self) -> str:
        """Which boot this is: another text after every start of the machine."""

    def steady_ns(self) -> int:
        """Nanoseconds since the boot, sleep included; never steps."""

    def look(self) -> Sight:
        """Both clocks at one moment."""

    def keeps_time(self) -> bool:
        """Whether the wall clock went on while the machine was off."""


class Machine:
    """This machine's clocks."""

    def boot(self) -> str:
        """The kernel's id of this boot; where it has none, every start of the agent counts as a boot."""
        return boot_id()

    def steady_ns(self) -> int:
        """CLOCK_BOOTTIME."""
        return steady_ns()

    def look(self) -> Sight:
        """Both clocks, read close together: a pause of this process between the two is no step."""
        best: tuple[int, int, int] | None = None
        for _ in range(_TRIES):
            before = steady_ns()
            wall = time.time_ns()
            took = steady_ns() - before
            if best is None or took < best[0]:
                best = took, before + took // 2, wall
            if took <= _TOGETHER_NS:
                break
        assert best is not None
        return Sight(steady_ns=best[1], wall_ns=best[2], synchronised=synchronised())

    def keeps_time(self) -> bool:
        """Whether a clock with a battery (or a hypervisor) kept the time, and the system clock agrees with it."""
        return platform.machine() in _HAVE_ALWAYS_ONE or rtc_agrees(_RTC, time.time())


def boot_id() -> str:
    """The kernel's id of this boot, or a new one where there is none."""
    try:
        return str(uuid.UUID(_BOOT_ID.read_text("ascii").strip()))
    except (OSError, ValueError):
        return str(uuid.uuid4())


def steady_ns() -> int:
    """Nanoseconds since the boot, time asleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def synchronised() -> bool | None:
    """The kernel's word (adjtimex(2)): whether a time server steers the wall clock. None where it does not answer.

    Setting the clock by hand takes that word back (settimeofday sets STA_UNSYNC), so after a step it is a witness.
    """
    timex = ctypes.create_string_buffer(512)  # modes = 0: only read
    try:
        state = _LIBC.adjtimex(timex)
    except AttributeError:
        return None
    if state < 0:
        return None
    status = ctypes.c_int.from_buffer(timex, _STATUS_AT).value
    return state != _TIME_ERROR and not status & _STA_UNSYNC


def rtc_agrees(folder: Path, wall_s: float) -> bool:
    """Whether a real-time clock in `folder` shows `wall_s`, in UTC or in a zone's local time.

    A board whose clock lost its battery begins in 1970; a distribution then sets the system clock to the time of the
    last shutdown, and the two differ.
    """
    for clock in sorted(folder.glob("rtc*")):
        try:
            shows = int((clock / "since_epoch").read_text("ascii"))
        except (OSError, ValueError):
            continue
        apart = shows - wall_s
        beside = abs(apart - _ZONES_S * round(apart / _ZONES_S))
        if abs(apart) <= _MOST_ZONE_S + _RTC_AGREES_S and beside <= _RTC_AGREES_S:
            return True
    return False
