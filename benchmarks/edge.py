"""Edge: what an agent with forty meters on four Modbus buses needs of a small gateway, at 100 readings per second.

The buses are simulated on ptys in this process; the agent is ``liandong edge run``, the cloud the real one.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import mosquitto, rival
from benchmarks.figures import Figure, Order, figure
from benchmarks.site import HOST_ID, USER, Site, until
from liandong.up.layout import replace_file
from liandong.up.street import agent_answers
from protocols.modbus.profile import load_profile
from protocols.modbus.reads import plan_reads
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus import ModbusBus, PowerMeter

RATE: Final = 100
SECONDS: Final = 20.0
OFFLINE_S: Final = 300.0
"""Without a cloud: long enough that what a minute's merging saves, and what it writes, is in the figures."""
QUICK_S: Final = 5.0
BUSES: Final = 4
UNITS: Final = 10
BAUD: Final = 115_200
PROFILE: Final = load_profile("eastron-sdm120")
READS: Final = plan_reads(PROFILE)
INTERVAL_S: Final = BUSES * UNITS * len(PROFILE.registers) / RATE
_DAY_S: Final = 86_400
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_IMPORTS: Final = "import edge.app, edge.cli, edge.drivers.modbus, paho.mqtt.client; print(flush=True); input()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a process has used so far."""

    at: float
    cpu_s: float
    written: int
    rss: int
    readings: float
    """Values that the agent has read from the buses."""


class NoLedger:
    """Nobody compares."""

    def observed(self, device: str, metric: str, counter: int, value: object, at_ms: int) -> None:
        """Nothing is filed."""


def run(order: Order) -> Iterator[Figure]:
    """Start, memory and CPU with the cloud there; outbox, days of a gigabyte and flash without it.

    And ``…-beside``: memory, work and rate beside thingsboard-gateway's, where that is installed.
    """
    asked = order.seconds or (QUICK_S if order.quick else SECONDS)
    seconds = math.ceil(asked / INTERVAL_S) * INTERVAL_S  # whole rounds of the meters, or the rate is off by a round
    with Site(order) as site, _buses(site.data.path / "lines") as buses:
        site.start_cloud()
        starts, bare_starts, bare_sizes = [], [], []
        for _ in range(order.repeats):
            began, imported = _imports()
            bare_starts.append(began)
            bare_sizes.append(imported)
            with _agent(site) as (_, took):
                starts.append(took)
        yield figure("edge-cold-start", "s", starts, bare_starts)
        with _agent(site) as (pid, _):
            until(lambda: site.rows("SELECT count(*) AS n FROM reading")[0]["n"] > RATE, "reading")
            online = _windows(pid, order.repeats, seconds, lambda: _read(buses))
            memory = [after.rss / 1e6 for _, after in online]
            yield figure("edge-memory", "MB", memory, bare_sizes)
            cpu = [_cpu_percent(*window) for window in online]
            os.kill(site.pid("cloud"), signal.SIGTERM)
            until(lambda: _queued(site) > 0, "outbox")
            yield from _offline(order, site, pid, buses, order.seconds or (QUICK_S if order.quick else OFFLINE_S))
        yield figure("edge-cpu", "%", cpu, _bare_poll(site, order.repeats, seconds))
        theirs = _rival(order, site, seconds)
        if theirs:
            yield figure("edge-memory-beside", "MB", memory, [after.rss / 1e6 for _, after in theirs])
            yield figure("edge-work-beside", "us/reading", *([_us_each(*w) for w in ws] for ws in (online, theirs)))
            yield figure("edge-rate-beside", "readings/s", *([_rate(*w) for w in ws] for ws in (online, theirs)))


def _offline(order: Order, site: Site, pid: int, buses: list[ModbusBus], seconds: float) -> Iterator[Figure]:
    outbox, bodies, flash, told = [], [], [], []
    # From the beginning each time: what was written before a window may be merged in it, and shrink.
    size, queued, begun = _size(site), _queued(site), _use(pid, _read(buses))
    for _ in range(order.repeats):
        ((before, after),) = _windows(pid, 1, seconds, lambda: _read(buses))
        readings, lasted = after.readings - begun.readings, after.at - begun.at
        # In a few seconds, merging what waited before may free more than was added.
        grown, taken = max(1, _queued(site) - queued), max(1, _size(site) - size)
        outbox.append(taken / readings)
        bodies.append(grown / readings)
        flash.append((after.written - before.written) / (after.at - before.at) * _DAY_S / 1e6)
        told.append(grown / lasted * _DAY_S / 1e6)
    yield figure("edge-outbox", "bytes/reading", outbox, bodies)
    lasts = [[1e9 / (RATE * _DAY_S * each) for each in sizes] for sizes in (outbox, bodies)]
    yield figure("edge-offline", "days/GB", *lasts)
    yield figure("edge-flash", "MB/day", flash, told)


def _rival(order: Order, site: Site, seconds: float) -> list[tuple[Use, Use]]:
    """What thingsboard-gateway uses for the same; nothing where it or its broker is not there."""
    interpreter, broker = rival.python(), mosquitto.program()
    if interpreter is None or broker is None:
        order.tell("liandong.bench.no-rival")
        return []
    lines = [site.data.path / "lines" / f"bus-{bus}" for bus in range(BUSES)]
    units = range(1, UNITS + 1)
    street = rival.Street(buses=lines, units=units, profile=PROFILE, interval_s=INTERVAL_S, baud=BAUD)
    with rival.running(interpreter, broker, site.data.path / "rival", street) as (pid, heard):
        until(lambda: heard.values > RATE, "thingsboard-gateway")
        return _windows(pid, order.repeats, seconds, lambda: heard.values)


def _read(buses: Sequence[ModbusBus]) -> float:
    """Values that the buses were asked for: what one read brings on average for each request."""
    return sum(bus.requests for bus in buses) * len(PROFILE.registers) / len(READS)


def _us_each(before: Use, after: Use) -> float:
    return (after.cpu_s - before.cpu_s) * 1e6 / max(1, after.readings - before.readings)


def _rate(before: Use, after: Use) -> float:
    return (after.readings - before.readings) / (after.at - before.at)


@contextmanager
def _buses(folder: Path) -> Iterator[list[ModbusBus]]:
    chance = random.Random(1)
    buses = [
        ModbusBus(PtyLine(folder / f"bus-{number}"), _meters(number, chance), ledger=NoLedger(), rng=chance, baud=BAUD)
        for number in range(BUSES)
    ]
    stop = threading.Event()

    def live() -> None:
        while not stop.wait(1.0):
            for bus in buses:
                bus.step(time.time_ns() // 1_000_000, 1.0)

    thread = threading.Thread(target=live, name="meters", daemon=True)
    thread.start()
    for bus in buses:
        bus.start()
    try:
        yield buses
    finally:
        stop.set()
        thread.join(5)
        for bus in buses:
            bus.stop()


def _meters(bus: int, chance: random.Random) -> list[PowerMeter]:
    return [PowerMeter(f"meter-{bus}-{unit}", unit, chance) for unit in range(1, UNITS + 1)]


@contextmanager
def _agent(site: Site) -> Iterator[tuple[int, float]]:
    """An agent's process, and the seconds from its start until it answered."""
    home = site.data.path / "gateway"
    command = [sys.executable, "-m", "liandong", "edge", "run", "--log-level", "ERROR", "--config", str(_config(site))]
    began = time.monotonic()
    child = subprocess.Popen(command)
    try:
        until(lambda: agent_answers(home), "agent")
        yield child.pid, time.monotonic() - began
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(20)


def _config(site: Site) -> Path:
    lines = ['[gateway]\ngroup = "bench"\nnode = "gw-edge"', f"data = {json.dumps(str(site.data.path / 'gateway'))}"]
    uplink: dict[str, Any] = {"host": "127.0.0.1", "port": site.broker_port, "primary_host": HOST_ID, "username": USER}
    uplink["password_file"] = str(site.data.secret(f"mqtt-{USER}"))
    lines += ["[uplink]", *(f"{key} = {json.dumps(value)}" for key, value in uplink.items())]
    for bus in range(BUSES):
        port = json.dumps(str(site.data.path / "lines" / f"bus-{bus}"))
        lines.append(f'[[driver]]\nfamily = "modbus"\nname = "bus-{bus}"\nport = {port}\nbaud = {BAUD}')
        for unit in range(1, UNITS + 1):
            lines.append(f'[[driver.device]]\nid = "meter-{bus}-{unit}"\ntype = "power-meter"\nunit = {unit}')
            lines.append(f'profile = "eastron-sdm120"\ninterval_s = {INTERVAL_S}')
    path = site.data.path / "gateway.toml"
    replace_file(path, "\n".join(lines) + "\n")
    return path


def _imports() -> tuple[float, float]:
    """Seconds until Python has imported the agent and its driver, and the MB that this takes."""
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, "-c", _IMPORTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    with child:
        child.stdout.readline()
        took = time.monotonic() - began
        size = _use(child.pid).rss / 1e6
        child.communicate(b"\n", timeout=10)
    return took, size


def _bare_poll(site: Site, repeats: int, seconds: float) -> list[float]:
    """Percent of a core that reading the same registers takes without any agent."""
    units = list(range(1, UNITS + 1))
    lines = site.data.path / "lines"
    buses = [
        {
            "port": str(lines / f"bus-{bus}"),
            "baud": BAUD,
            "units": units,
            "interval_s": INTERVAL_S,
            "reads": [(block.address, block.count) for block in READS],
        }
        for bus in range(BUSES)
    ]
    with subprocess.Popen([sys.executable, "-m", "benchmarks.bare_poll"], stdin=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdin is not None
            child.stdin.write(json.dumps(buses) + "\n")
            child.stdin.flush()
            time.sleep(INTERVAL_S)
            return [_cpu_percent(*window) for window in _windows(child.pid, repeats, seconds)]
        finally:
            child.kill()


def _windows(pid: int, count: int, seconds: float, read: Callable[[], float] = lambda: 0.0) -> list[tuple[Use, Use]]:
    windows = []
    for _ in range(count):
        before = _use(pid, read())
        time.sleep(seconds)
        windows.append((before, _use(pid, read())))
    return windows


def _cpu_percent(before: Use, after: Use) -> float:
    return max(1 / _TICKS, after.cpu_s - before.cpu_s) / (after.at - before.at) * 100


def _use(pid: int, readings: float = 0.0) -> Use:
    """What the kernel says about a process (proc(5))."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return Use(
        at=time.monotonic(),
        cpu_s=(int(words[11]) + int(words[12])) / _TICKS,
        written=int(io["write_bytes"]),
        rss=int(words[21]) * os.sysconf("SC_PAGE_SIZE"),
        readings=readings,
    )


def _size(site: Site) -> int:
    """Bytes of the outbox's pages that are in use."""
    count, free, size = (_outbox(site, f"PRAGMA {what}") for what in ("page_count", "freelist_count", "page_size"))
    return (count - free) * size


def _queued(site: Site) -> int:
    """Bytes of the bodies that wait in the outbox."""
    return _outbox(site, "SELECT coalesce(sum(length(body)), 0) FROM block WHERE acknowledged = 0")


def _outbox(site: Site, statement: str) -> int:
    path = site.data.path / "gateway" / "outbox.db"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as file:
        found: int = file.execute(statement).fetchone()[0]
    return found
