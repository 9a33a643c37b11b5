"""Urgent: from the smoke at a detector to the commit in the cloud, while an hour of backlog drains over a narrow link.

The gateway's outbox holds what forty devices told in an hour at 100 readings/s; its cable to the broker carries the
bytes of 1,000 readings/s and no more. The limit is the same way over the same cable with nothing to drain.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.figures import Figure, Order, figure, quantile
from benchmarks.site import HOST_ID, USER, Site, until
from benchmarks.wire import Wire
from edge.outbox.gather import blocks
from edge.outbox.quota import Quota
from edge.outbox.store import Commit, Outbox
from edge.uplink.view import metric_of
from liandong.up.layout import free_port, replace_file
from liandong.up.street import agent_answers
from protocols.delivery import Lane, MessageId
from protocols.events import Reading
from protocols.mqtt import publish
from protocols.sparkplug.payload import Payload, encode
from simulators.cable import Cable

BACKLOG_S: Final = 3600
QUICK_S: Final = 60
DEVICES: Final = 40
RATE: Final = 100
LINK_READINGS: Final = 1000
ROUNDS: Final = 60
QUICK: Final = 3
_SMOKE: Final = "smoke-1"
_PATIENCE_S: Final = 60.0
_QUOTA: Final = Quota(total=1 << 30, acknowledged=1 << 20)


def run(order: Order) -> Iterator[Figure]:
    """`urgent-p50`, `urgent-p99` and `urgent-max` in milliseconds; ``--seconds`` is the length of the backlog."""
    seconds = int(order.seconds or (QUICK_S if order.quick else BACKLOG_S))
    rounds = QUICK if order.quick else ROUNDS
    with Site(order) as site:
        site.start_cloud()
        fill(site.data.path / "gateway", seconds)
        speed = LINK_READINGS * bytes_per_reading()
        with narrow(site.broker_port) as link, _agent(site, link.port), Detector(site) as detector:
            until(lambda: site.rows("SELECT FROM device WHERE code = 'smoke-1' AND online"), _SMOKE)
            detector.trip_ms()  # the first is the warm-up
            link.limit(speed)
            beside = _trips(detector, random.Random(1), seconds * RATE / LINK_READINGS / rounds, rounds)
            left = seconds * RATE - _drained(site)
            link.limit(0)
            until(lambda: _drained(site) >= seconds * RATE, "backlog", 600)
            link.limit(speed)
            alone = _trips(detector, random.Random(2), 1.0, rounds)
    order.tell("liandong.bench.urgent-told", speed=speed, left=left, readings=seconds * RATE)
    for name, share in (("urgent-p50", 0.5), ("urgent-p99", 0.99), ("urgent-max", 1.0)):
        yield figure(name, "ms", [quantile(beside, share)], [quantile(alone, share)])


def fill(folder: Path, seconds: int) -> None:
    """An outbox of a gateway that nobody heard for so long, as the agent would have left it."""
    folder.mkdir(parents=True)
    clock = 0.0
    begin_ms = time.time_ns() // 1_000_000 - seconds * 1000
    outbox = Outbox(folder / "outbox.db", now_ms=begin_ms, quota=_QUOTA, monotonic=lambda: clock)
    chance = random.Random(7)
    try:
        for second in range(seconds):
            clock = float(second)
            told = [
                Reading(
                    device=f"meter-{number % DEVICES}",
                    metric="power",
                    value=round(chance.uniform(10.0, 2000.0), 1),
                    at_ms=begin_ms + second * 1000 + number * (1000 // RATE),
                )
                for number in range(RATE)
            ]
            outbox.append(Commit(blocks=blocks(Lane.BULK, told)))
            while outbox.tend():
                pass
    finally:
        outbox.close()


def bytes_per_reading() -> int:
    """What a reading takes on the wire, in a message of a hundred of one device, with its share of the packet."""
    readings = [Reading(device="meter-1", metric="power", value=1.5 + n, at_ms=1_753_000_000_000) for n in range(100)]
    identity = MessageId.parse("00000000-0000-4000-8000-000000000001/bulk/100000-100100")
    metrics = tuple(replace(metric_of(one, "Double", historical=True), alias=200) for one in readings)
    payload = Payload(timestamp_ms=1_753_000_000_000, metrics=metrics, seq=100, uuid=str(identity))
    packet = publish("spBv1.0/bench/DDATA/gw-urgent/meter-1", encode(payload, brief=True))
    return round(len(packet) / len(readings))


class NarrowLink:
    """A cable with a loop of its own, in a thread."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cable", daemon=True)
        self._cable = Cable(self.port, target)

    def start(self) -> None:
        """Carry."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._cable.start(), self._loop).result(10)

    def limit(self, bytes_per_s: int) -> None:
        """From now on each way carries so much (0: as much as it can)."""
        self._loop.call_soon_threadsafe(lambda: self._cable.limit(bytes_per_s=bytes_per_s))

    def close(self) -> None:
        """End every connection."""
        asyncio.run_coroutine_threadsafe(self._cable.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@contextmanager
def narrow(target: int) -> Iterator[NarrowLink]:
    """A link to the port `target`."""
    link = NarrowLink(target)
    link.start()
    try:
        yield link
    finally:
        link.close()


class Detector:
    """A smoke detector on the gateway's own radio: its bridge speaks to the broker without the narrow cable."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._wire = Wire(site.broker_port, "bench-zigbee", USER, site.password)
        self._smoke = False

    def __enter__(self) -> Self:
        self._publish()
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def trip_ms(self) -> float:
        """Milliseconds from a change at the detector until the change is committed."""
        self._smoke = not self._smoke
        began = time.perf_counter()
        self._publish()
        until(self._is_committed, _SMOKE, _PATIENCE_S)
        return (time.perf_counter() - began) * 1000

    def _publish(self) -> None:
        told = {"smoke": self._smoke, "last_seen": datetime.now(UTC).isoformat(timespec="milliseconds")}
        self._wire.send(publish(f"zigbee2mqtt/{_SMOKE}", json.dumps(told).encode()))

    def _is_committed(self) -> bool:
        statement = (
            "SELECT latest.value FROM latest JOIN series ON series.id = series_id JOIN device ON device.id = device_id "
            "WHERE device.code = 'smoke-1' AND metric = 'smoke'"
        )
        rows: list[dict[str, Any]] = self._site.rows(statement)
        return bool(rows) and rows[0]["value"] == float(self._smoke)


def _trips(detector: Detector, chance: random.Random, pace_s: float, rounds: int) -> list[float]:
    """Alarms at random moments, `pace_s` apart at most, so that what drains meanwhile lasts to the end."""
    found = []
    for _ in range(rounds):
        time.sleep(chance.uniform(0.2, 0.8) * pace_s)
        found.append(detector.trip_ms())
    return found


def _drained(site: Site) -> int:
    (row,) = site.rows("SELECT count(*) AS n FROM reading JOIN series ON series.id = series_id WHERE metric = 'power'")
    found: int = row["n"]
    return found


@contextmanager
def _agent(site: Site, port: int) -> Iterator[None]:
    home = site.data.path / "gateway"
    uplink: dict[str, Any] = {"host": "127.0.0.1", "port": port, "primary_host": HOST_ID, "username": USER}
    uplink["password_file"] = str(site.data.secret(f"mqtt-{USER}"))
    radio = {"family": "zigbee2mqtt", "name": "zigbee", "host": "127.0.0.1", "port": site.broker_port}
    radio |= {"username": USER, "password_file": uplink["password_file"]}
    lines = ['[gateway]\ngroup = "bench"\nnode = "gw-urgent"', f"data = {json.dumps(str(home))}"]
    for head, table in (("[uplink]", uplink), ("[[driver]]", radio)):
        lines += [head, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    lines.append(f'[[driver.device]]\nid = "{_SMOKE}"\ntype = "smoke"')
    config = site.data.path / "gateway.toml"
    replace_file(config, "\n".join(lines) + "\n")
    command = [sys.executable, "-m", "liandong", "edge", "run", "--log-level", "ERROR", "--config", str(config)]
    child = subprocess.Popen(command)
    try:
        until(lambda: agent_answers(home), "agent")
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)
