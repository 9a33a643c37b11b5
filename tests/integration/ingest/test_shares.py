"""Workers as processes share out the groups: one joins, one is killed, groups move, nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cloud.storage.database import Database
from protocols.events import EVENT_METRIC
from simulators.fleet.plan import Plan
from simulators.fleet.processes import play
from simulators.ledger import read_ledger
from tests.integration.ingest.gateway import Gateway, wait_for
from tests.integration.ingest.service import ROOT
from tests.integration.ingest.test_ingest import T0, Rows, born, temperature
from tests.services.brokers import Broker
from tests.services.ports import end, free_port

HOST = "cloud"
GROUPS = 6


class Hosts:
    """Workers with a configuration file each, as on hosts of their own. Started and killed one by one."""

    def __init__(self, folder: Path, dsn: str, port: int) -> None:
        self._folder, self._dsn, self._port = folder, dsn, port
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Another host; usually of one worker."""
        number = len(self.processes)
        folder = self._folder / f"host-{number}"
        folder.mkdir()
        config = folder / "cloud.toml"
        http = f"[http]\nport = {free_port()}"
        tables = (f"host_id = {HOST!r}", f"[database]\ndsn = {self._dsn!r}", f"[broker]\nport = {self._port}", http)
        config.write_text("\n".join(tables))
        command = [sys.executable, "-m", "liandong", "cloud", *(words or ("worker",)), "--config", str(config)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def kill(self, number: int) -> None:
        """As a power cut."""
        self.processes[number].kill()
        self.processes[number].wait(10)

    def status(self) -> dict[str, Any]:
        """``liandong cloud status --json``, which needs nothing but the database."""
        config = self._folder / "host-0" / "cloud.toml"
        command = [sys.executable, "-m", "liandong", "cloud", "status", "--json", "--config", str(config)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def close(self) -> None:
        for process in self.processes:
            end(process)


@pytest.fixture
def hosts(tmp_path: Path, postgres: str, database: Database, broker: Broker) -> Iterator[Hosts]:
    made = Hosts(tmp_path, postgres, broker.port)
    yield made
    made.close()


@pytest.fixture
def fleet(tmp_path: Path, broker: Broker) -> Iterator[Callable[[], dict[str, Any]]]:
    """Fifty gateways in six groups that measure until the test has seen enough; called, it ends them: its figures."""
    plan = Plan(
        brokers=(("127.0.0.1", broker.port),),
        gateways=50,
        devices=4,
        groups=GROUPS,
        rate=400.0,
        seconds=600.0,
        host=HOST,
        urgent_every=10,
        ledger=str(tmp_path),
    )
    enough, found = threading.Event(), dict[str, Any]()
    thread = threading.Thread(target=lambda: found.update(play(plan, 2, lambda _: None, enough.is_set)))
    thread.start()

    def finish() -> dict[str, Any]:
        enough.set()
        thread.join(120)
        return found

    yield finish
    finish()


def carried(rows: Rows) -> list[int]:
    """How many groups each worker that lives carries, the most first; what nobody carries counts as -1."""
    found = rows(
        """
        SELECT count(g.code) FILTER (WHERE w.id IS NOT NULL) AS groups, w.id IS NULL AS nobody, count(g.code) AS lost
        FROM ingest_group g FULL JOIN (SELECT id FROM ingest_worker WHERE expires_at > clock_timestamp()) w
            ON w.id = g.worker GROUP BY w.id
        """
    )
    return sorted((-1 if row["nobody"] else row["groups"] for row in found), reverse=True)


def workers(rows: Rows) -> list[dict[str, Any]]:
    """Those that live."""
    living = "SELECT id, split_part(name, '/', 2)::int AS pid FROM ingest_worker WHERE expires_at > clock_timestamp()"
    return rows(living)


def told(status: dict[str, Any]) -> tuple[int, int]:
    """Workers and groups that the command tells of."""
    parts = status["parts"]
    return sum(part["name"].startswith("worker ") for part in parts), sum(part.get("groups", 0) for part in parts)


def stored(rows: Rows) -> int:
    return int(rows("SELECT count(*) AS count FROM reading")[0]["count"])


def test_groups_move_when_a_worker_joins_or_is_killed_and_every_reading_is_stored_once(
    hosts: Hosts, fleet: Callable[[], dict[str, Any]], rows: Rows, tmp_path: Path
) -> None:
    hosts.start("run", "--workers", "2")
    wait_for(lambda: carried(rows) == [3, 3], "two workers share")
    hosts.start()
    wait_for(lambda: carried(rows) == [2, 2, 2], "a third one on another host joins")
    wait_for(lambda: stored(rows) > 500, "data flow")
    wait_for(lambda: told(hosts.status()) == (3, GROUPS), "the status names all of them, with all groups")
    died = {row["id"]: row["pid"] for row in workers(rows)}
    os.kill(next(pid for pid in died.values() if pid != hosts.processes[1].pid), signal.SIGKILL)
    wait_for(lambda: len([one for one in workers(rows) if one["id"] not in died]) == 1, "it is started again")
    wait_for(lambda: carried(rows) == [2, 2, 2], "and has its part")
    before = stored(rows)
    hosts.kill(1)
    wait_for(lambda: carried(rows) == [3, 3], "the two that live share what it carried")
    wait_for(lambda: stored(rows) > before + 1000, "data of all go on")
    finished = fleet()
    assert finished["readings"] > 1000
    wait_for(lambda: not missing(rows, tmp_path), "all that was measured is stored")
    assert doubled(rows) == []
    assert not rows("SELECT FROM poison")


def test_a_group_that_nobody_knew_is_found_by_workers_that_share(hosts: Hosts, rows: Rows, broker: Broker) -> None:
    hosts.start()
    hosts.start()
    wait_for(lambda: len(rows("SELECT FROM ingest_worker")) == 2)
    with ExitStack() as stack:
        ours = Gateway(broker.port, group="new-estate")
        plain = Gateway(broker.port, "plc", group="werk", acknowledged=False)
        for one in (ours, plain):
            stack.callback(one.close)

        listened = time.monotonic()

        def known() -> bool:
            """As nodes do that nobody answers: they are born again, now and then."""
            nonlocal listened
            if time.monotonic() >= listened:
                listened = time.monotonic() + 1
                born(ours)
                ours.data(1, (temperature(1.0, T0),), device="cold-1")
                born(plain)
            return ours.acknowledged_up_to(1) and bool(rows("SELECT FROM gateway WHERE code = 'plc' AND online"))

        wait_for(known)
        wait_for(lambda: {"new-estate", "werk"} <= {row["code"] for row in rows("SELECT code FROM ingest_group")})
        wait_for(lambda: carried(rows) == [1, 1])


def missing(rows: Rows, folder: Path) -> list[Any]:
    """What the ledgers have and the database has not, or otherwise: readings by value, events by their device."""
    told = [row for path in folder.glob("ledger-*.jsonl") for row in read_ledger(path)]
    assert told
    wanted = {(row.device, row.metric, row.at_ms): row.value for row in told if row.metric != EVENT_METRIC}
    events = {(row.device, row.value) for row in told if row.metric == EVENT_METRIC}
    there = rows(
        """
        SELECT g.group_code || '/' || g.code || '/' || d.code AS device, s.metric,
               (extract(epoch FROM r.ts) * 1000)::bigint AS at_ms, r.value
        FROM reading r JOIN series s ON s.id = series_id JOIN device d ON d.id = device_id
        JOIN gateway g ON g.id = d.gateway_id
        """
    )
    found = {(row["device"], row["metric"], row["at_ms"]): row["value"] for row in there}
    happened = rows(
        """
        SELECT g.group_code || '/' || g.code || '/' || d.code AS device, e.data ->> 'card' AS card
        FROM event e JOIN device d ON d.id = e.device_id JOIN gateway g ON g.id = d.gateway_id
        WHERE e.kind = 'access.granted'
        """
    )
    different = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
    return [*different, *(events ^ {(row["device"], row["card"]) for row in happened})]


def doubled(rows: Rows) -> list[dict[str, Any]]:
    """Readings and events that are stored more than once."""
    return rows("SELECT series_id, ts FROM reading GROUP BY 1, 2 HAVING count(*) > 1") + rows(
        "SELECT device_id, data FROM event WHERE kind = 'access.granted' GROUP BY 1, 2 HAVING count(*) > 1"
    )
