"""What benchmarks measure: the database, the broker and the cloud as processes, in a directory that goes away."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.figures import Order
from benchmarks.mosquitto import mosquitto
from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from liandong.up.broker import embedded_broker
from liandong.up.layout import DataDirectory, free_port, replace_file
from liandong.up.postgres import EmbeddedPostgres
from liandong.up.street import answers
from liandong.up.supervisor import Part, Supervisor
from protocols.errors import ConfigError, UnavailableError

HOST_ID: Final = "liandong"
USER: Final = "load"
TOOL: Final = Path(__file__).parents[1] / "tools" / "timescaledb"


class Site:
    """Open it, then `start_cloud` where the benchmark needs it; a context manager that ends every process it began.

    `broker` is the program of a Mosquitto that takes the place of the embedded broker.
    """

    def __init__(self, order: Order, *, broker: str | None = None) -> None:
        self._order = order
        self._broker = broker
        self._stack = ExitStack()
        self.dsn = order.dsn or ""
        self._pids: dict[str, int] = {}
        self.broker_port = free_port()
        self.url = f"http://127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="liandong-bench-"))
            self.data = DataDirectory(Path(folder) / "data")
            self.data.open()
            stack.callback(self.data.close)
            for name in ("logs", "mqtt"):
                (self.data.path / name).mkdir()
            self.supervisor = Supervisor(self.data.path / "logs", self._changed)
            stack.callback(self.supervisor.stop)
            parts = [self._broker_part(self.data.path / "mqtt")]
            if self._order.timescale:
                self.dsn = stack.enter_context(timescaledb())
            elif not self.dsn:
                postgres = EmbeddedPostgres(self.data, free_port())
                postgres.make()
                parts.append(postgres.part())
                self.dsn = postgres.dsn
            self.supervisor.start(*parts)
            self.database = Database(self.dsn, max_size=4, timeout_s=60)
            self.database.open()
            stack.callback(self.database.close)
            migrate(self.database)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _broker_part(self, home: Path) -> Part:
        users = {name: self.data.secret(f"mqtt-{name}") for name in ("cloud", USER)}
        if self._broker is not None:
            return mosquitto(self._broker, home, self.broker_port)
        return embedded_broker("broker", home, self.broker_port, users)

    @property
    def password(self) -> str:
        """Of `USER` at the broker."""
        return self.data.secret(f"mqtt-{USER}").read_text()

    def pid(self, part: str) -> int:
        """The process of a part."""
        return self._pids[part]

    def start_cloud(self) -> None:
        """The whole service, as ``liandong cloud run``."""
        replace_file(self.data.path / "dsn", self.dsn)
        tables: dict[str, dict[str, object]] = {
            "database": {"dsn_file": "dsn"},
            "broker": {
                "port": self.broker_port,
                "username": "cloud",
                "password_file": str(self.data.secret("mqtt-cloud")),
            },
            "http": {"port": int(self.url.rsplit(":", 1)[1])},
        }
        lines = [f'host_id = "{HOST_ID}"']
        for name, table in tables.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        config = self.data.path / "cloud.toml"
        replace_file(config, "\n".join(lines) + "\n")
        command = [sys.executable, "-m", "liandong", "cloud", "run", "--config", str(config)]
        ready = Part(name="cloud", command=command, ready=lambda: answers(f"{self.url}/healthz"), ready_within_s=60)
        self.supervisor.start(ready)

    def rows(self, statement: Any, **params: Any) -> list[dict[str, Any]]:
        """What a statement finds."""
        with self.database.transaction() as tx:
            return tx.fetch(statement, params)

    def run(self, *statements: Any) -> None:
        """Statements, each committed on its own."""
        for statement in statements:
            with self.database.transaction() as tx:
                tx.execute(statement)

    def checkpoint(self) -> None:
        """Nothing of an earlier run is left to be written while the next is timed."""
        self.run("CHECKPOINT")

    def _changed(self, pids: Any) -> None:
        self._pids = dict(pids)


class LoadProcess:
    """`benchmarks.load` as a child."""

    def __init__(self, site: Site, *, group: str, gateways: int, devices: int) -> None:
        command = [sys.executable, "-m", "benchmarks.load"]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        place = {"port": site.broker_port, "user": USER, "password": site.password, "group": group}
        self.ask(**place, gateways=gateways, devices=devices)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        self._child.kill()
        self._child.wait(10)

    def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order and wait for its answer. Raises UnavailableError when the child has ended."""
        self.tell(**order)
        return self.answer()

    def tell(self, **order: Any) -> None:
        """Give an order; `answer` is to be called for it later."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(json.dumps(order) + "\n")
            self._child.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """What the last order came to. Raises UnavailableError when the child has ended."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise UnavailableError("liandong.bench.load-ended")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def idling(share: float) -> Iterator[None]:
    """A process beside that uses `share` of a core (0 … 1)."""
    child = subprocess.Popen([sys.executable, "-m", "benchmarks.idler", str(share)])
    try:
        yield
    finally:
        child.kill()
        child.wait(10)


def until(holds: Callable[[], object], what: str, within_s: float = 60.0) -> None:
    """Poll until `holds`. Raises UnavailableError when it does not in time."""
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            raise UnavailableError("liandong.bench.waited", what=what, seconds=round(within_s))
        time.sleep(0.02)


@contextmanager
def timescaledb() -> Iterator[str]:
    """TimescaleDB by the repository's tool, as root. Raises ConfigError where that cannot be."""
    if not TOOL.exists() or os.geteuid() != 0:
        raise ConfigError("liandong.bench.no-timescaledb")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "liandong" / "timescaledb"
    name = f"bench-{os.getpid()}"
    words = [str(TOOL), "start", str(cache), name, str(free_port())]
    started = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=600, check=False
    )
    if started.returncode:
        raise ConfigError("liandong.bench.no-timescaledb")
    try:
        yield started.stdout.strip()
    finally:
        subprocess.run([str(TOOL), "stop", str(cache), name], timeout=120, check=False, capture_output=True)
