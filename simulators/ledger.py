"""What the hardware knows to have happened: JSON lines, one observation each, never rewritten.

``{"device", "metric", "counter", "value", "at_ms"}``; `counter` is the hardware's own, per device and metric, and goes
on over restarts. Tests and the fault lab compare this file with the database row by row. A street that lives for weeks
keeps the last 64 to 128 MB: what is older is in ``ledger.jsonl.old``, then gone.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_log = logging.getLogger("simulators.ledger")
_MOST_BYTES: Final = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One line of the ledger. `at_ms`: ms since 1970 UTC, by the hardware's clock."""

    device: str
    metric: str
    counter: int
    value: Any
    at_ms: int


class LedgerFile:
    """Appends observations to a file. Thread-safe; the line is with the kernel when `observed` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_torn_line(path)
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._size = path.stat().st_size
        self._lock = threading.Lock()

    def observed(self, device: str, metric: str, counter: int, value: object, at_ms: int) -> None:
        """Add a line (see `simulators.hardware.port.Ledger`). A full disk is logged; the hardware goes on."""
        row = {"device": device, "metric": metric, "counter": counter, "value": value, "at_ms": at_ms}
        line = (json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=str) + "\n").encode()
        with self._lock:
            try:
                self._write(line)
            except OSError as error:
                _log.error("observation not filed device=%s metric=%s why=%s", device, metric, error.strerror)

    def _write(self, line: bytes) -> None:
        if self._size > _MOST_BYTES:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".old"))
            self._file, self._size = self._path.open("ab", buffering=0), 0
        self._file.write(line)
        self._size += len(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_ledger(path: Path) -> Iterator[Observation]:
    """The whole lines of a ledger, in order. A torn last line is left out."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield Observation(**json.loads(line))


def _drop_torn_line(path: Path) -> None:
    """A kill may have cut the last line; what follows must not be glued to it."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)
