"""Idle: from a message handed to the broker until its acknowledgement is back, one message at a time.

The acknowledgement follows the commit, so the commit is earlier still. The limit is an empty round trip: a message
through the same broker to a client that commits one row.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.alert import Echo
from benchmarks.figures import Figure, Order, figure, quantile
from benchmarks.gateways import METRICS, Gateway, now_ms
from benchmarks.site import USER, Site, until
from benchmarks.wire import Wire
from protocols.errors import UnavailableError

ROUNDS: Final = 200
QUICK: Final = 5
READINGS: Final = 5
PAUSE_S: Final = 0.1
"""On average: some ten messages a second, as a house of quiet devices tells."""
_PATIENCE_S: Final = 10.0


def run(order: Order) -> Iterator[Figure]:
    """`idle-p50` and `idle-p99` in milliseconds."""
    rounds = QUICK if order.quick else ROUNDS
    chance = random.Random(1)
    values, limits = [], []
    with Site(order) as site:
        site.start_cloud()
        gateway = Gateway("gw-0", 2)
        wire = Wire(site.broker_port, "bench-idle", USER, site.password)
        wire.subscribe(f"spBv1.0/{gateway.group}/NCMD/{gateway.name}")
        wire.send(gateway.births())
        wanted = len(gateway.devices) * len(METRICS)
        until(lambda: site.rows("SELECT count(*) AS n FROM series")[0]["n"] >= wanted, "series")
        with Echo(site) as echo:
            for number in range(rounds + 1):
                value, limit = _trip_ms(wire, gateway), echo.trip_ms()
                if number:  # the first is the warm-up
                    values.append(value)
                    limits.append(limit)
                time.sleep(PAUSE_S * chance.uniform(0.5, 1.5))
        wire.close()
    for name, share in (("idle-p50", 0.5), ("idle-p99", 0.99)):
        yield figure(name, "ms", [quantile(values, share)], [quantile(limits, share)])


def _trip_ms(wire: Wire, gateway: Gateway) -> float:
    while wire.heard(0.0):
        pass  # what came before: acknowledgements of births
    gateway.packets.clear()
    gateway.encode(1, READINGS, now_ms())
    began = time.perf_counter()
    for packet in gateway.packets:
        wire.send(packet)
    if not wire.heard(_PATIENCE_S):
        raise UnavailableError("liandong.bench.waited", what="acknowledgement", seconds=round(_PATIENCE_S))
    return (time.perf_counter() - began) * 1000
