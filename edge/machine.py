"""What Linux tells of the machine that the agent runs on: processor, memory, disk, wear, temperature, network.

Everything is read from /proc and /sys below a `root`, which a test may replace. What a machine does not tell is None.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path("/")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_QUALITY_MOST: Final = 70.0
"""What the drivers of the kernel's wireless stack (cfg80211) give as the best link quality."""
_WORN_STEP: Final = 10
_WORN_UNTOLD: Final = 0
_WORN_BEYOND: Final = 0x0B
_UP: Final = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The file system of a directory, in bytes. `read_only`: it takes no more writes."""

    free: int
    total: int
    read_only: bool


def memory_bytes(root: Path = ROOT) -> int:
    """The resident memory of this process."""
    return int((root / "proc/self/statm").read_text("ascii").split()[1]) * _PAGE


def memory_available(root: Path = ROOT) -> tuple[int, int] | None:
    """Bytes that programs may still take, and all there are."""
    try:
        rows = (line.split() for line in (root / "proc/meminfo").read_text("ascii").splitlines())
        found = {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) > 1}
        return found["MemAvailable"], found["MemTotal"]
    except (OSError, ValueError, KeyError):
        return None


def disk(folder: Path) -> Disk | None:
    """The file system that `folder`, or the nearest directory above it that exists, lies on."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    read_only = bool(found.f_flag & os.ST_RDONLY)
    return Disk(free=found.f_bavail * found.f_frsize, total=found.f_blocks * found.f_frsize, read_only=read_only)


def wear_percent(root: Path = ROOT) -> float | None:
    """How much of the flash's life is used up, by the worst of its own estimates (eMMC 5.0, JESD84-B50, 7.4.40).

    The device tells it in steps of ten per cent; 110 stands for "beyond". SD cards and most disks tell nothing here.
    """
    used = [step for text in _texts(root / "sys/block", "*/device/life_time") for step in _steps(text)]
    known = [step for step in used if _WORN_UNTOLD < step <= _WORN_BEYOND]
    return float(max(known) * _WORN_STEP) if known else None


def cpu_celsius(root: Path = ROOT) -> float | None:
    """The temperature of the hottest part that has a sensor."""
    found = []
    for text in _texts(root / "sys/class/thermal", "thermal_zone*/temp"):
        try:
            found.append(int(text) / 1000)
        except ValueError:
            continue
    return max(found, default=None)


def default_interface(root: Path = ROOT) -> str | None:
    """The network interface that leads out, IPv4 before IPv6."""
    for row in _rows(root / "proc/net/route"):
        if len(row) > 3 and row[1] == "00000000" and _hex(row[3]) & _UP:
            return row[0]
    for row in _rows(root / "proc/net/ipv6_route"):
        if len(row) > 9 and row[0] == "0" * 32 and row[1] == "00" and row[9] != "lo":
            return row[9]
    return None


def link_quality(root: Path = ROOT) -> float | None:
    """The quality in % of the wireless link that leads out; None for a cable or where nothing leads out."""
    interface = default_interface(root)
    for row in _rows(root / "proc/net/wireless"):
        if len(row) > 2 and row[0].rstrip(":") == interface:
            try:
                return min(100.0, round(float(row[2].rstrip(".")) / _QUALITY_MOST * 100, 1))
            except ValueError:
                return None
    return None


class Processor:
    """How busy all processors were since it was asked last."""

    def __init__(self, root: Path = ROOT) -> None:
        self._path = root / "proc/stat"
        self._before = self._times()

    def percent(self) -> float | None:
        """0 to 100; None the first time after nothing was told, or when no time has passed."""
        before, self._before = self._before, self._times()
        if before is None or self._before is None:
            return None
        total = self._before[1] - before[1]
        idle = self._before[0] - before[0]
        return round(100 * (1 - idle / total), 1) if total > 0 and 0 <= idle <= total else None

    def _times(self) -> tuple[int, int] | None:
        """Ticks spent idle or waiting for a disk, and all ticks (proc(5): the first eight columns)."""
        try:
            row = [int(value) for value in self._path.read_text("ascii").split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        return (row[3] + row[4], sum(row)) if len(row) > 4 else None


def _texts(folder: Path, pattern: str) -> Iterator[str]:
    for path in sorted(folder.glob(pattern)):
        try:
            yield path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        yield line.split()


def _steps(text: str) -> Iterator[int]:
    for word in text.split():
        yield _hex(word)


def _hex(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def size(count: int) -> str:
    """A number of bytes for a person."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}" if name == "GB" or count < 10 * unit else f"{count / unit:.0f} {name}"
    return f"{count} B"
