"""``liandong sim fleet`` as a child of a benchmark: its figures, and what its ledger says against the database."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.site import Site
from protocols.errors import UnavailableError
from protocols.events import EVENT_METRIC
from simulators.ledger import read_ledger

_LOOK_S: Final = 1.0
_EVENTS: Final = """
SELECT g.group_code || '/' || g.code || '/' || d.code || '/' || (e.data ->> 'card') AS key, count(*) AS count
FROM event e JOIN device d ON d.id = e.device_id JOIN gateway g ON g.id = d.gateway_id
WHERE e.kind = 'access.granted' GROUP BY 1
"""
_READINGS: Final = """
SELECT g.group_code || '/' || g.code || '/' || d.code AS device, s.metric,
       (extract(epoch FROM r.ts) * 1000)::bigint AS at_ms, r.value, count(*) AS count
FROM reading r JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id
JOIN gateway g ON g.id = d.gateway_id GROUP BY 1, 2, 3, 4
"""


class FleetProcess:
    """Runs beside the benchmark until it has measured as long as it was told."""

    def __init__(self, options: Mapping[str, object], *more: str) -> None:
        words = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "liandong", "sim", "fleet", "--json", *words, *more]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGTERM):
            if self._child.poll() is None:
                self._child.send_signal(number)
        try:
            self._child.wait(30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(10)
        if self._child.stdout is not None:
            self._child.stdout.close()

    def figures(self, within_s: float, beside: Callable[[], object] = lambda: None) -> dict[str, Any]:
        """What it tells at its end; `beside` is called every second until then.

        Raises UnavailableError when it does not come to it in time.
        """
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            beside()
            with contextlib.suppress(subprocess.TimeoutExpired):
                said, _ = self._child.communicate(timeout=_LOOK_S)
                with contextlib.suppress(ValueError):
                    found: dict[str, Any] = json.loads(said)
                    return found
                break
        raise UnavailableError("liandong.bench.waited", what="fleet", seconds=round(within_s))


def compare(site: Site, ledger: Path) -> tuple[int, int]:
    """How many readings and events of the ledger are not in the database as they were told, and how many twice."""
    readings: dict[tuple[str, str, int], Any] = {}
    events: set[str] = set()
    for path in sorted(ledger.glob("ledger-*.jsonl")):
        for one in read_ledger(path):
            if one.metric == EVENT_METRIC:
                events.add(f"{one.device}/{one.value}")
            else:
                readings[one.device, one.metric, one.at_ms] = one.value
    stored = site.rows(_READINGS)
    there = {(row["device"], row["metric"], row["at_ms"]): row["value"] for row in stored}
    happened = {row["key"]: row["count"] for row in site.rows(_EVENTS)}
    lost = sum(there.get(key) != value for key, value in readings.items()) + len(events - happened.keys())
    doubled = sum(row["count"] - 1 for row in stored) + sum(count - 1 for count in happened.values())
    return lost, doubled + len(there.keys() - readings.keys())


def resident_kb(pid: int) -> int:
    """The memory of a process (RSS) in KB."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
