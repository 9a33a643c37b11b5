"""The running street from outside: its processes, its cables and lines, what waits in its outboxes."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

from liandong.lab.repeater import Repeater
from liandong.up.street import Street
from protocols.errors import UnavailableError
from simulators.control import ask

_ANSWER_S: Final = 10.0
_TRANSACTIONS: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
"""


class Site:
    """What faults are made of, and how one sees what they hit. Used from several threads."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.gateways: Sequence[str] = street.gateways
        self.pids: Mapping[str, int] = {}
        password = street.data.secret("mqtt-cloud").read_text()
        self.repeater = Repeater(street.ports["broker"], "cloud", password)
        self._outboxes = {name: street.data.path / name / "outbox.db" for name in street.gateways}

    def kill(self, parts: Iterable[str]) -> None:
        """Kill -9. Raises UnavailableError when none of the parts runs."""
        pids = [pid for part in parts for pid in self._processes(part)]
        if not _signal(pids, signal.SIGKILL):
            raise UnavailableError("liandong.lab.nothing-to-break", part=", ".join(parts))

    def freeze(self, part: str) -> list[int]:
        """SIGSTOP; the processes. Raises UnavailableError when the part does not run."""
        pids = self._processes(part)
        if not _signal(pids, signal.SIGSTOP):
            raise UnavailableError("liandong.lab.nothing-to-break", part=part)
        return pids

    def thaw(self, pids: Iterable[int]) -> None:
        """SIGCONT to those that are still there."""
        _signal(pids, signal.SIGCONT)

    def limit_files(self, part: str, size: int | None) -> None:
        """No file of a part may grow beyond `size` bytes; None: as before. Raises UnavailableError."""
        pid = self.pids.get(part, -1)
        try:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))
        except (OSError, OverflowError) as error:
            raise UnavailableError("liandong.lab.nothing-to-break", part=part) from error

    def network(self, cable: str, do: str, **limits: float) -> None:
        """Do something to a cable (see `simulators.control`). Raises UnavailableError."""
        self._ask({"cmd": "network", "at": cable, "do": do, **limits})

    def line(self, name: str, do: str) -> None:
        """Do something to a serial line. Raises UnavailableError."""
        self._ask({"cmd": "line", "name": name, "do": do})

    def trigger(self, name: str, at: str | None = None, params: Mapping[str, Any] | None = None) -> None:
        """Make something happen in the estate. Raises UnavailableError."""
        self._ask({"cmd": "trigger", "name": name, "at": at, "params": params or {}})

    def unacknowledged(self, gateways: Iterable[str]) -> int:
        """Messages in the outboxes of `gateways` that the cloud has not confirmed, read from the files themselves."""
        return sum(self._count(name, "acknowledged = 0") or 0 for name in gateways)

    def newest(self) -> dict[str, int]:
        """Each outbox's newest message, to ask later whether all up to it have arrived."""
        return {name: self._count(name, "true", "coalesce(max(id), 0)") or 0 for name in self.gateways}

    def waiting_up_to(self, newest: Mapping[str, int]) -> int:
        """How many messages up to `newest` still wait for the cloud; a file that cannot be read counts as one."""
        counts = (self._count(name, f"acknowledged = 0 AND id <= {number:d}") for name, number in newest.items())
        return sum(1 if count is None else count for count in counts)

    def transactions(self) -> int:
        """Transactions that are open in the database now; 0 when it does not answer."""
        try:
            with psycopg.connect(self.street.postgres.dsn, connect_timeout=2, autocommit=True) as connection:
                row = connection.execute(_TRANSACTIONS).fetchone()
        except psycopg.OperationalError:
            return 0
        return int(row[0]) if row else 0

    def _ask(self, request: Mapping[str, Any]) -> None:
        ask(self.street.control, request, _ANSWER_S)

    def _count(self, gateway: str, where: str, what: str = "count(*)") -> int | None:
        path = self._outboxes[gateway]
        try:
            with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.2)) as file:
                found: int = file.execute(f"SELECT {what} FROM block WHERE {where}").fetchone()[0]  # noqa: S608 - ours
        except sqlite3.Error:
            return None
        return found

    def _processes(self, part: str) -> list[int]:
        pid = self.pids.get(part)
        return [] if pid is None else list(_with_children(pid))


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _with_children(int(child))


def _signal(pids: Iterable[int], number: signal.Signals) -> int:
    reached = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            reached += 1
    return reached
