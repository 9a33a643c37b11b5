"""Scale-out on one machine: three RabbitMQ nodes, three hosts that ingest, one node killed; what was lost is counted.

Each host has a configuration and a process of its own and knows one node of the broker; gateways know all three. While
the fleet measures, node 1 is killed: its host has no way to the broker any more, the others take over what it carried
and say STATE. Then the node comes back. In the end the database is compared with the fleet's ledger, row by row.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, Order, figure
from benchmarks.fleets import FleetProcess, compare
from benchmarks.site import HOST_ID, Site, until
from liandong.up.layout import free_port, replace_file
from liandong.up.supervisor import Part
from protocols.errors import ConfigError, UnavailableError

TOOL: Final = Path(__file__).parents[1] / "tools" / "rabbitmq"
GATEWAYS: Final = 60
RATE: Final = 300.0
SECONDS: Final = 60.0
_NODES: Final = 3
_GOAL_S: Final = 10.0
_CARRIED: Final = """
SELECT count(*) FILTER (WHERE w.id IS NULL OR w.expires_at < clock_timestamp() OR (w.figures ->> 'connected') <> 'true'
    OR w.id = %(dead)s) AS uncarried, count(DISTINCT w.id) AS workers
FROM ingest_group g LEFT JOIN ingest_worker w ON w.id = g.worker
"""


def run(order: Order) -> Iterator[Figure]:
    """How long until others carried everything, and whether every reading is stored once. Raises UnavailableError."""
    seconds = order.seconds or SECONDS
    with Site(order) as site, rabbitmq() as broker, tempfile.TemporaryDirectory(prefix="liandong-ledger-") as ledger:
        for number in range(_NODES):
            site.supervisor.start(_host(site, number, broker.port + number))
        options: dict[str, object] = {
            "gateways": order.gateways or GATEWAYS,
            "groups": 2 * _NODES,
            "rate": order.load or RATE,
            "seconds": seconds,
            "host": HOST_ID,
            "ledger": ledger,
            "patience": 120,
        }
        brokers = [f"--broker=127.0.0.1:{broker.port + number}" for number in range(_NODES)]
        with FleetProcess(options, *brokers) as fleet:
            until(lambda: site.rows("SELECT FROM reading LIMIT 1"), "readings", 120)
            until(lambda: _shared(site) == (0, _NODES), "three hosts that share", 60)
            first = site.rows("SELECT id FROM ingest_worker WHERE name = %(name)s", name=_name(site, 0))[0]["id"]
            order.tell("liandong.bench.cluster-kill")
            broker.kill(1)
            killed = time.monotonic()
            until(lambda: _shared(site, first) == (0, _NODES - 1), "two hosts that carry everything", 60)
            taken_over = time.monotonic() - killed
            broker.again(1)
            until(lambda: _shared(site) == (0, _NODES), "three hosts again", 120)
            found = fleet.figures(within_s=seconds + 300)
        lost, doubled = compare(site, Path(ledger))
    order.tell("liandong.bench.cluster-told", lost=lost, doubled=doubled, readings=found["readings"])
    if lost or doubled or found["unacknowledged"]:
        raise UnavailableError("liandong.bench.wrong", lost=lost, doubled=doubled, open=found["unacknowledged"])
    yield figure("cluster-taken-over", "s", [taken_over], [_GOAL_S])
    yield figure("cluster-readings", "1/s", [found["readings"] / found["seconds"]], [float(order.load or RATE)])


def _shared(site: Site, dead: object = None) -> tuple[int, int]:
    """Groups that nobody with a way to the broker carries, and how many workers carry any."""
    row = site.rows(_CARRIED, dead=dead)[0]
    return row["uncarried"], row["workers"]


def _name(site: Site, number: int) -> str:
    return f"{os.uname().nodename}/{site.pid(f'host-{number}')}"


def _host(site: Site, number: int, port: int) -> Part:
    """A whole service in a folder of its own."""
    home = site.data.path / f"host-{number}"
    home.mkdir()
    http = free_port()
    replace_file(home / "dsn", site.dsn)
    lines = [f'host_id = "{HOST_ID}"', "[database]", 'dsn_file = "dsn"', "[broker]", f"port = {port}"]
    lines += ["state_every_s = 3", "[http]", f"port = {http}"]
    replace_file(home / "cloud.toml", "\n".join(lines) + "\n")
    command = [sys.executable, "-m", "liandong", "cloud", "run", "--config", str(home / "cloud.toml")]

    def ready() -> bool:
        log = site.data.path / "logs" / f"host-{number}.log"
        return log.exists() and "serving on" in log.read_text("utf-8", "replace")

    return Part(name=f"host-{number}", command=command, ready=ready, ready_within_s=90)


class RabbitMq:
    """Three nodes on ports `port`, `port + 1` and `port + 2`."""

    def __init__(self, cache: Path, name: str, port: int) -> None:
        self.port, self._cache, self._name = port, cache, name

    def kill(self, node: int) -> None:
        """Kill -9."""
        self._run("kill", str(node))

    def again(self, node: int) -> None:
        """Start a killed one; returns when it takes connections."""
        self._run("again", str(node))

    def start(self) -> None:
        """All of them. Raises ConfigError where that cannot be."""
        self._run("start", str(self.port))

    def stop(self) -> None:
        """All of them, and their data."""
        self._run("stop")

    def _run(self, verb: str, *words: str) -> None:
        command = [str(TOOL), verb, str(self._cache), self._name, *words]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600
        )
        if done.returncode:
            raise ConfigError("liandong.bench.no-rabbitmq")


@contextmanager
def rabbitmq() -> Iterator[RabbitMq]:
    """RabbitMQ by the repository's tool, as root. Raises ConfigError where that cannot be."""
    if not TOOL.exists() or os.geteuid() != 0:
        raise ConfigError("liandong.bench.no-rabbitmq")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "liandong" / "rabbitmq"
    cluster = RabbitMq(cache, f"bench-{os.getpid()}", free_port())
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
