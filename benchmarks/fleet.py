"""10 → 100 → 1,000 → 5,000 gateways at the same total rate: what one more gateway costs the cloud.

Every size on a database and a cloud of its own, with real sessions (`liandong sim fleet`), twenty devices of two
metrics each. What the cloud stores per second, how long an acknowledgement takes, and how much memory it holds while
the fleet is there. On Mosquitto where that is installed: the embedded broker is meant for one street.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks import mosquitto
from benchmarks.figures import Figure, Order, figure
from benchmarks.fleets import FleetProcess, compare, cpu_s, resident_kb
from benchmarks.site import HOST_ID, USER, Site
from protocols.errors import ConfigError, UnavailableError
from simulators.fleet.processes import allow_files

SIZES: Final = (10, 100, 1_000, 5_000)
QUICK: Final = (2, 6)
DEVICES: Final = 20
RATE: Final = 1_000.0
QUICK_RATE: Final = 100.0
QUICK_S: Final = 2.0
SECONDS: Final = 60.0
RAMP: Final = 25.0
"""Gateways that connect per second. Each is 21 births, which the cloud must store before it stores anything else."""
_SPARE_FILES: Final = 200
_PATIENCE_S: Final = 300
"""For births that wait for their answer, and for the last messages; the fleet needs it twice at most."""
_GOAL_KB: Final = 20.0


def run(order: Order) -> Iterator[Figure]:
    """The figures of every size beside those of the smallest; the memory of each further gateway beside the goal."""
    sizes = QUICK if order.quick else SIZES if order.gateways is None else (SIZES[0], order.gateways)
    least = sizes[0]
    _allow(max(sizes))
    broker = mosquitto.program()
    if broker is None:
        order.tell("liandong.bench.no-mosquitto")
    first: dict[str, Any] = {}
    for gateways in sizes:
        order.tell("liandong.bench.fleet-size", gateways=gateways)
        found = _one(order, gateways, broker)
        first = first or found
        yield figure(f"fleet-{gateways}-readings", "1/s", [found["readings"] / found["seconds"]], [found["rate"]])
        for name, unit in (("p50", "ms"), ("p99", "ms"), ("cpu", "%"), ("memory", "KB")):
            yield figure(f"fleet-{gateways}-{name}", unit, [found[name]], [first[name]])
        if gateways > least:
            each = (found["memory"] - first["memory"]) / (gateways - least)
            yield figure(f"fleet-{gateways}-each", "KB", [max(0.0, each)], [_GOAL_KB])


def _allow(gateways: int) -> None:
    """Let the broker, which inherits our limit, hold a connection to each. Raises ConfigError when it may not."""
    wanted = gateways + _SPARE_FILES
    limit = allow_files(wanted)
    if limit is not None:
        raise ConfigError("liandong.bench.files", wanted=wanted, limit=limit, gateways=gateways)


def _one(order: Order, gateways: int, broker: str | None) -> dict[str, Any]:
    seconds = order.seconds or (QUICK_S if order.quick else SECONDS)
    rate = float(order.load or (QUICK_RATE if order.quick else RATE))
    with Site(order, broker=broker) as site, tempfile.TemporaryDirectory(prefix="liandong-ledger-") as ledger:
        site.start_cloud()
        options = {
            "gateways": gateways,
            "devices": DEVICES,
            "rate": rate,
            "seconds": seconds,
            "processes": min(2, gateways),
            "broker": f"127.0.0.1:{site.broker_port}",
            "user": USER,
            "password-file": site.data.secret(f"mqtt-{USER}"),
            "host": HOST_ID,
            "ramp": RAMP,
            "patience": _PATIENCE_S,
            "ledger": ledger,
        }
        began = time.monotonic()
        before = cpu_s(site.pid("cloud"))
        memory: list[int] = []
        with FleetProcess(options) as fleet:
            within_s = seconds + gateways / RAMP + _PATIENCE_S * 3
            found = fleet.figures(within_s, lambda: memory.append(resident_kb(site.pid("cloud"))))
        used = cpu_s(site.pid("cloud")) - before
        lost, doubled = compare(site, Path(ledger))
    if lost or doubled or found["unacknowledged"]:
        raise UnavailableError("liandong.bench.wrong", lost=lost, doubled=doubled, open=found["unacknowledged"])
    waits = {name: max(0.1, found["ack_ms"][name] or 0.0) for name in ("p50", "p99")}
    return found | waits | {"rate": rate, "cpu": 100 * used / (time.monotonic() - began), "memory": max(memory)}
