"""One run of the lab: start the street, break it by the plan, let it drain, compare."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from liandong.lab import clock, losses, memory, plan, sabotage, stored
from liandong.lab.account import Account, compare
from liandong.lab.changes import SECOND_HOST
from liandong.lab.conductor import Conductor
from liandong.lab.disk import Disks
from liandong.lab.interrupted import Struck, interruptions
from liandong.lab.late import explain
from liandong.lab.limits import limits, rates
from liandong.lab.report import Run
from liandong.lab.scenario import LabScenario
from liandong.lab.site import Site, with_children
from liandong.lab.wiretap import Wiretap
from liandong.up.layout import DataDirectory, free_port
from liandong.up.street import HOST_ID, Choices, Street
from liandong.up.supervisor import Part, Supervisor
from protocols.errors import UnavailableError
from simulators.ledger import read_ledger

_log = logging.getLogger("liandong.lab")

_SETTLE_S: Final = 8.0
"""So long after the last fault devices that were cut off are asked again, and what they showed is in the ledger."""
_DRAIN_S: Final = 180.0
_BROKEN_DRAIN_S: Final = 20.0
"""What is broken on purpose need not come to rest."""
_COMMIT_S: Final = 2.0
_ASK_S: Final = 0.25
_TOLD_WITHIN_S: Final = 90.0
"""So soon the cloud must say what is gone."""
_DEATH: Final = "tck-id-payloads-ndeath-bdseq"
_CAUGHT_UP_MS: Final = 5000
_BDSEQ: Final = "tck-id-topics-nbirth-bdseq-increment"
_DOORS: Final = ("door-1", "door-2")

Tell = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run. `sabotage`: one of `liandong.lab.sabotage.SABOTAGES`; `watch`: judge what the broker hears."""

    name: str
    scenario: LabScenario
    seed: int
    minutes: float
    sabotage: str | None = None
    watch: bool = False


@dataclass(slots=True)
class _Progress:
    began_ms: int = 0
    ended_ms: int = 0
    waiting: int = -1
    drain_s: float = 0.0
    failure: BaseException | None = None


@dataclass(slots=True, kw_only=True)
class _Lab:
    """What a run is made of."""

    order: Order
    site: Site
    supervisor: Supervisor
    wiretap: Wiretap
    scale: memory.Scale


def run(order: Order, data: DataDirectory, tell: Tell, stop: threading.Event) -> Run:
    """Run `order` in `data`, which is open and empty. `tell` gets a sentence's code and its values.

    Raises UnavailableError when a part does not start, or the database does not come back at the end.
    """
    street = _street(order, data)
    with ExitStack() as stack:
        disks = None
        if order.scenario.own_disks:
            disks = Disks(data.path / "disks", {name: data.path / name for name in street.gateways})
            stack.callback(disks.close)
            disks.make()
        supervisor = Supervisor(street.logs, lambda pids: _remember(site, pids))
        stack.callback(supervisor.stop)
        site = Site(street, supervisor, disks, order.scenario.fields)
        tell("liandong.lab.starting", estate=order.scenario.estate)
        _start_infrastructure(street, supervisor)
        password = data.secret("mqtt-cloud").read_text()
        hosts = (HOST_ID, SECOND_HOST) if order.scenario.moves_host else (HOST_ID,)
        wiretap = Wiretap(street.ports["broker"], "cloud", password, site.repeater, hosts)
        stack.callback(wiretap.close)
        wiretap.start()
        _start_street(site, supervisor, order)
        stack.callback(site.outboxes.close)
        site.outboxes.start()
        scale = memory.Scale(lambda: site.pids, with_children)
        stack.callback(scale.close)
        scale.start()
        lab = _Lab(order=order, site=site, supervisor=supervisor, wiretap=wiretap, scale=scale)
        return _break_and_compare(lab, tell, stop)


def _street(order: Order, data: DataDirectory) -> Street:
    scenario = order.scenario
    choices = Choices(
        listen="127.0.0.1", port=free_port(), scenario=scenario.estate, seed=order.seed, speed=scenario.speed
    )
    street = Street(data, choices, cabled=("postgres", "broker"), database={"track_commit_timestamp": "on"})
    street.prepare()
    for gateway in street.gateways:
        config = data.path / "config" / f"{gateway}.toml"
        if order.sabotage == sabotage.NO_ACKNOWLEDGEMENT:
            sabotage.deliver_plainly(config)
        if settings := scenario.outbox.get(gateway):
            rows = "".join(f"{key} = {value}\n" for key, value in settings.items())
            config.write_text(f"{config.read_text('utf-8')}\n[outbox]\n{rows}", "utf-8")
    return street


def _remember(site: Site, pids: Mapping[str, int]) -> None:
    site.pids = dict(pids)
    site.street.data.write_run({**site.street.facts(), "pids": dict(pids)})


def _start_infrastructure(street: Street, supervisor: Supervisor) -> None:
    street.postgres.make()
    supervisor.start(*street.infrastructure(), street.estate())
    street.import_estate()


def _start_street(site: Site, supervisor: Supervisor, order: Order) -> None:
    cloud: Part = site.street.cloud()
    if order.sabotage == sabotage.RECEIVED_APART:
        cloud = sabotage.broken_cloud(cloud)
    agents: Sequence[Part] = tuple(site.street.agents())
    if order.scenario.turns_clocks:
        agents = [clock.turnable(part, site.clocks[part.name]) for part in agents]
    supervisor.start(cloud, *agents)


def _break_and_compare(lab: _Lab, tell: Tell, stop: threading.Event) -> Run:
    order, site = lab.order, lab.site
    seconds = order.minutes * 60
    faults = plan.faults(order.scenario, site.gateways, order.seed, seconds)
    steps = plan.activity(order.scenario, order.seed, seconds)
    conductor = Conductor(site, faults, steps, lambda struck: _tell_struck(tell, struck), scenario=order.scenario)
    progress = _Progress(began_ms=time.time_ns() // 1_000_000)
    over = threading.Event()

    def conduct() -> None:
        try:
            tell("liandong.lab.running", faults=len(faults), seconds=round(seconds))
            conductor.run(seconds, stop)
            progress.ended_ms = time.time_ns() // 1_000_000
            if not stop.is_set():
                tell("liandong.lab.draining")
                _drain(site, progress, _BROKEN_DRAIN_S if lab.order.sabotage else _DRAIN_S)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            progress.failure = error
        finally:
            over.set()

    worker = threading.Thread(target=conduct, name="lab-conductor", daemon=True)
    worker.start()
    lab.supervisor.run(over)
    worker.join(10)
    if progress.failure is not None:
        raise progress.failure
    if stop.is_set():
        raise KeyboardInterrupt
    return _compare(lab, conductor, progress)


def _compare(lab: _Lab, conductor: Conductor, progress: _Progress) -> Run:
    order, site, scenario = lab.order, lab.site, lab.order.scenario
    content = stored.read(site.street.postgres.dsn)
    time.sleep(_COMMIT_S)  # what was stored just now is in the ledger when its device is asked again
    ledger = list(read_ledger(site.street.data.path / "sim" / "ledger.jsonl"))
    interrupted = interruptions(conductor.struck, site.gateways, {**scenario.lines, **scenario.fields})
    # A gateway that never ran misses what it misses.
    from_ms = progress.began_ms + round(scenario.warm_up_s * 1000)
    account = compare(ledger, content, progress.ended_ms, interrupted, from_ms)
    gone = _hold_against_view(lab, account, content) if scenario.loses else None
    lab.wiretap.close()
    lab.scale.close()
    return Run(
        scenario=order.name,
        seed=order.seed,
        sabotage=order.sabotage,
        began_ms=progress.began_ms,
        ended_ms=progress.ended_ms,
        waiting=progress.waiting,
        drain_s=progress.drain_s,
        struck=conductor.struck,
        not_possible=_not_possible(conductor, site),
        account=account,
        late=explain(account.misordered, lab.wiretap.sendings, lab.wiretap.unheard),
        gone=gone,
        limits=limits(interrupted, rates(ledger, "energy-total"), _DOORS, content.gateway_of),
        watch=_judged(lab.wiretap.report(), conductor.struck) if order.watch else None,
        memory=memory.report(list(lab.scale.lives.values()), progress.began_ms),
        memory_judged=scenario.memory,
        urgent_within_ms=scenario.urgent_within_ms,
        content=content,
        ledger=ledger,
    )


def _judged(watch: dict[str, Any], struck: Sequence[Struck]) -> dict[str, Any]:
    """Mark what a fault planted.

    A gateway that is killed with a read-only disk gives its bdSeq again, as declared. A broker that stood still may
    tell the death of a connection that was cut meanwhile before the birth that it had not read yet.
    """
    unwritten = {one.target: one.start_ms for one in reversed(struck) if one.kind == "disk-read-only"}
    stood = [(one.start_ms, one.end_ms + _CAUGHT_UP_MS) for one in struck if one.kind == "stop-broker"]
    for found in watch["violations"]:
        since_ms = unwritten.get(found["node"].rpartition("/")[2])
        again = found["rule"] == _BDSEQ and since_ms is not None and found["at_ms"] >= since_ms
        overtook = found["rule"] == _DEATH and any(first <= found["at_ms"] <= last for first, last in stood)
        found["planted"] = again or overtook
    return watch


def _hold_against_view(lab: _Lab, account: Account, content: stored.Content) -> losses.Compared:
    """What is missing after a database was set back must be what the cloud says is gone, in time; then it is told."""
    present = {row.key for row in content.rows}
    until = time.monotonic() + _TOLD_WITHIN_S
    while True:
        view = losses.read(lab.site.street.postgres.dsn)
        found = losses.compare(account.lost, present, view, lab.wiretap.sendings)
        if not found.untold or time.monotonic() > until:
            break
        time.sleep(1)
    account.lost = found.untold
    account.told += found.told
    return found


def _not_possible(conductor: Conductor, site: Site) -> dict[str, Any]:
    """Kind → how often, and why when the machine is the reason: as code and parameters of a sentence."""
    error = None if site.disks is None else site.disks.why_not
    cause = None if error is None else {"code": error.code, "params": error.texts()}
    causes = {"disk-read-only": cause}
    return {kind: {"count": count, "cause": causes.get(kind)} for kind, count in conductor.not_possible.items()}


def _drain(site: Site, progress: _Progress, patience_s: float) -> None:
    """Wait until everything that was in the outboxes some seconds after the last fault has been confirmed."""
    began = time.monotonic()
    time.sleep(_SETTLE_S)
    since_ms = time.time_ns() // 1_000_000
    until = time.monotonic() + patience_s
    while (waiting := site.outboxes.not_empty_since(since_ms)) and time.monotonic() < until:
        time.sleep(_ASK_S)
    progress.waiting = sum(waiting.values())
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
