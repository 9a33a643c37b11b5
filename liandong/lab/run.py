"""One run of the lab: start the street, break it by the plan, let it drain, compare."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from liandong.lab import plan, sabotage, stored
from liandong.lab.account import compare
from liandong.lab.conductor import Conductor, Struck
from liandong.lab.report import Run
from liandong.lab.scenario import LabScenario
from liandong.lab.site import Site
from liandong.up.layout import DataDirectory, free_port
from liandong.up.street import Choices, Street
from liandong.up.supervisor import Part, Supervisor
from protocols.errors import UnavailableError
from simulators.ledger import read_ledger

_log = logging.getLogger("liandong.lab")

_SETTLE_S: Final = 8.0
"""So long after the last fault devices that were cut off are asked again, and what they showed is in the ledger."""
_DRAIN_S: Final = 180.0
_COMMIT_S: Final = 2.0
_ASK_S: Final = 0.25

Tell = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run. `sabotage`: one of `liandong.lab.sabotage.SABOTAGES`."""

    name: str
    scenario: LabScenario
    seed: int
    minutes: float
    sabotage: str | None = None


@dataclass(slots=True)
class _Progress:
    began_ms: int = 0
    ended_ms: int = 0
    waiting: int = -1
    drain_s: float = 0.0
    struck: list[Struck] = field(default_factory=list)
    failure: BaseException | None = None


def run(order: Order, data: DataDirectory, tell: Tell, stop: threading.Event) -> Run:
    """Run `order` in `data`, which is open and empty. `tell` gets a sentence's code and its values.

    Raises UnavailableError when a part does not start, or the database does not come back at the end.
    """
    choices = Choices(
        listen="127.0.0.1",
        port=free_port(),
        scenario=order.scenario.estate,
        seed=order.seed,
        speed=order.scenario.speed,
    )
    street = Street(data, choices, cabled=("postgres", "broker"), database={"track_commit_timestamp": "on"})
    street.prepare()
    if order.sabotage == sabotage.NO_ACKNOWLEDGEMENT:
        for gateway in street.gateways:
            sabotage.deliver_plainly(data.path / "config" / f"{gateway}.toml")
    site = Site(street)
    supervisor = Supervisor(street.logs, lambda pids: _remember(site, pids))
    try:
        tell("liandong.lab.starting", estate=order.scenario.estate)
        _start(street, supervisor, order)
        return _break_and_compare(order, site, supervisor, tell, stop)
    finally:
        supervisor.stop()


def _remember(site: Site, pids: Mapping[str, int]) -> None:
    site.pids = dict(pids)
    site.street.data.write_run({**site.street.facts(), "pids": dict(pids)})


def _start(street: Street, supervisor: Supervisor, order: Order) -> None:
    street.postgres.make()
    supervisor.start(*street.infrastructure(), street.estate())
    street.import_estate()
    cloud: Part = street.cloud()
    if order.sabotage == sabotage.RECEIVED_APART:
        cloud = sabotage.broken_cloud(cloud)
    supervisor.start(cloud, *street.agents())


def _break_and_compare(order: Order, site: Site, supervisor: Supervisor, tell: Tell, stop: threading.Event) -> Run:
    seconds = order.minutes * 60
    faults = plan.faults(order.scenario, site.gateways, order.seed, seconds)
    steps = plan.activity(order.scenario, order.seed, seconds)
    conductor = Conductor(
        site, faults, steps, lambda struck: _tell_struck(tell, struck), line_gateways=order.scenario.lines
    )
    progress = _Progress(began_ms=time.time_ns() // 1_000_000)
    over = threading.Event()

    def conduct() -> None:
        try:
            tell("liandong.lab.running", faults=len(faults), seconds=round(seconds))
            conductor.run(seconds, stop)
            progress.ended_ms = time.time_ns() // 1_000_000
            if not stop.is_set():
                tell("liandong.lab.draining")
                _drain(site, progress)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            progress.failure = error
        finally:
            over.set()

    worker = threading.Thread(target=conduct, name="lab-conductor", daemon=True)
    worker.start()
    supervisor.run(over)
    worker.join(10)
    if progress.failure is not None:
        raise progress.failure
    if stop.is_set():
        raise KeyboardInterrupt
    content = stored.read(site.street.postgres.dsn)
    time.sleep(_COMMIT_S)  # what was stored just now is in the ledger when its device is asked again
    ledger = list(read_ledger(site.street.data.path / "sim" / "ledger.jsonl"))
    interruptions = conductor.interruptions()
    from_ms = progress.began_ms + round(
        order.scenario.warm_up_s * 1000
    )  # a gateway that never ran misses what it misses
    return Run(
        scenario=order.name,
        seed=order.seed,
        sabotage=order.sabotage,
        began_ms=progress.began_ms,
        ended_ms=progress.ended_ms,
        waiting=progress.waiting,
        drain_s=progress.drain_s,
        struck=conductor.struck,
        missed=conductor.missed,
        account=compare(ledger, content, progress.ended_ms, interruptions, from_ms),
        content=content,
        ledger=ledger,
    )


def _drain(site: Site, progress: _Progress) -> None:
    """Wait until everything that was in the outboxes some seconds after the last fault has been confirmed."""
    began = time.monotonic()
    time.sleep(_SETTLE_S)
    newest = site.newest()
    until = time.monotonic() + _DRAIN_S
    while progress.waiting and time.monotonic() < until:
        time.sleep(_ASK_S)
        progress.waiting = site.waiting_up_to(newest)
    progress.drain_s = time.monotonic() - began
    time.sleep(_COMMIT_S)
    _await_database(site)


def _await_database(site: Site) -> None:
    until = time.monotonic() + _DRAIN_S
    while not site.street.postgres.answers():
        if time.monotonic() > until:
            raise UnavailableError("liandong.lab.no-database")
        time.sleep(_ASK_S)


def _tell_struck(tell: Tell, struck: Struck) -> None:
    tell(
        "liandong.lab.struck-hit" if struck.hit else "liandong.lab.struck-missed",
        kind=struck.kind,
        target=struck.target,
        seconds=round((struck.end_ms - struck.start_ms) / 1000, 1),
        waiting=struck.unacknowledged,
    )
