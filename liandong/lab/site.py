"""The running street from outside: its processes, its cables and lines, what waits in its outboxes."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

from liandong.lab.disk import Disks
from liandong.lab.outboxes import Outboxes
from liandong.lab.repeater import Repeater
from liandong.up.street import Street
from liandong.up.supervisor import Supervisor
from protocols.errors import UnavailableError
from simulators.control import ask

_ANSWER_S: Final = 10.0
_END_S: Final = 10.0
_LOOK_S: Final = 0.02
_TRANSACTIONS: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
"""


class Site:
    """What faults are made of, and how one sees what they hit. Used from several threads."""

    def __init__(
        self,
        street: Street,
        supervisor: Supervisor,
        disks: Disks | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """`disks`: the file systems of the gateways, if they have their own; `supervisor` runs the street's parts.

        `fields`: field bus → the gateway on whose machine its bridge runs.
        """
        self.fields = fields or {}
        self.street = street
        self.gateways: Sequence[str] = street.gateways
        self.pids: Mapping[str, int] = {}
        self.disks = disks
        self.group = _group(street)
        self.cluster = street.data.path / "postgres" / "cluster"
        self.backup = street.data.path / "postgres" / "backup"
        self.homes = {name: street.data.path / name for name in street.gateways}
        self.clocks = {name: street.data.path / "config" / f"clock-{name}.json" for name in street.gateways}
        self.outboxes = Outboxes(self.homes)
        self._supervisor = supervisor
        password = street.data.secret("mqtt-cloud").read_text()
        self.repeater = Repeater(street.ports["broker"], "cloud", password)

    @contextlib.contextmanager
    def held_down(self, *parts: str) -> Iterator[None]:
        """Kill parts; they are started again after the block. Raises UnavailableError when they do not end."""
        self._supervisor.hold(*parts)
        try:
            with contextlib.suppress(UnavailableError):  # it is between two lives: it stays so
                self.kill(parts)
            until = time.monotonic() + _END_S
            while any(part in self.pids for part in parts):
                if time.monotonic() > until:
                    raise UnavailableError("liandong.lab.nothing-to-break", part=", ".join(parts))
                time.sleep(_LOOK_S)
            yield
        finally:
            self._supervisor.release(*parts)

    def kill(self, parts: Iterable[str]) -> None:
        """Kill -9. Raises UnavailableError when none of the parts runs."""
        pids = [pid for part in parts for pid in self._processes(part)]
        if not _signal(pids, signal.SIGKILL):
            raise UnavailableError("liandong.lab.nothing-to-break", part=", ".join(parts))

    def end(self, part: str) -> None:
        """Ask a part to stop in order. Raises UnavailableError when it does not run."""
        pid = self.pids.get(part)
        if pid is None or not _signal((pid,), signal.SIGTERM):
            raise UnavailableError("liandong.lab.nothing-to-break", part=part)

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

    def line(self, name: str, do: str, **params: object) -> None:
        """Do something to a serial line or a field bus. Raises UnavailableError."""
        self._ask({"cmd": "line", "name": name, "do": do, "params": params})

    def trigger(self, name: str, at: str | None = None, params: Mapping[str, Any] | None = None) -> None:
        """Make something happen in the estate. Raises UnavailableError."""
        self._ask({"cmd": "trigger", "name": name, "at": at, "params": params or {}})

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

    def _processes(self, part: str) -> list[int]:
        pid = self.pids.get(part)
        return [] if pid is None else list(with_children(pid))


def _group(street: Street) -> str:
    """The Sparkplug group of the street's gateways."""
    group: str = tomllib.loads((street.data.path / "config" / "hardware.toml").read_text("utf-8"))["group"]
    return group


def with_children(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from with_children(int(child))


def _signal(pids: Iterable[int], number: signal.Signals) -> int:
    reached = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            reached += 1
    return reached
