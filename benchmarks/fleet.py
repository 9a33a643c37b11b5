"""10 → 100 → 1,000 → 5,000 gateways at the same total rate: what one more gateway costs the cloud.

Every size on a database and a cloud of its own, with real sessions (`liandong sim fleet`), twenty devices of two
metrics each. What the cloud stores per second, how long an acknowledgement takes, and how much memory it holds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import Figure, Order, figure
from benchmarks.fleets import FleetProcess, compare, cpu_s, resident_kb
from benchmarks.site import HOST_ID, USER, Site
from protocols.errors import UnavailableError

SIZES: Final = (10, 100, 1_000, 5_000)
QUICK: Final = (5, 20)
DEVICES: Final = 20
RATE: Final = 1_000.0
QUICK_RATE: Final = 200.0
SECONDS: Final = 60.0
_GOAL_KB: Final = 20.0


def run(order: Order) -> Iterator[Figure]:
    """The figures of every size beside those of the smallest; the memory of each further gateway beside the goal."""
    sizes = QUICK if order.quick else SIZES if order.gateways is None else (SIZES[0], order.gateways)
    least = sizes[0]
    first: dict[str, Any] = {}
    for gateways in sizes:
        order.tell("liandong.bench.fleet-size", gateways=gateways)
        found = _one(order, gateways)
        first = first or found
        yield figure(f"fleet-{gateways}-readings", "1/s", [found["readings"] / found["seconds"]], [found["rate"]])
        for name, unit in (("p50", "ms"), ("p99", "ms"), ("cpu", "%"), ("memory", "KB")):
            yield figure(f"fleet-{gateways}-{name}", unit, [found[name]], [first[name]])
        if gateways > least:
            each = (found["memory"] - first["memory"]) / (gateways - least)
            yield figure(f"fleet-{gateways}-each", "KB", [max(0.0, each)], [_GOAL_KB])


def _one(order: Order, gateways: int) -> dict[str, Any]:
    seconds = order.seconds or (5.0 if order.quick else SECONDS)
    rate = float(order.load or (QUICK_RATE if order.quick else RATE))
    with Site(order) as site, tempfile.TemporaryDirectory(prefix="liandong-ledger-") as ledger:
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
            "ramp": 50,
            "patience": 300,
            "ledger": ledger,
        }
        began = time.monotonic()
        before = cpu_s(site.pid("cloud"))
        with FleetProcess(options) as fleet:
            found = fleet.figures(within_s=seconds + gateways / 50 + 600)
        used = cpu_s(site.pid("cloud")) - before
        memory = resident_kb(site.pid("cloud"))
        lost, doubled = compare(site, Path(ledger))
    if lost or doubled or found["unacknowledged"]:
        raise UnavailableError("liandong.bench.wrong", lost=lost, doubled=doubled, open=found["unacknowledged"])
    waits = {name: max(0.1, found["ack_ms"][name] or 0.0) for name in ("p50", "p99")}
    return found | waits | {"rate": rate, "cpu": 100 * used / (time.monotonic() - began), "memory": memory}
