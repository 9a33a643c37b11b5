"""A diagnosis of one gateway: by the agent that runs, or by what can be seen while none does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from edge.config import EdgeConfig
from edge.doctor import agent, machine
from edge.doctor.checks import AGENT, Check, Diagnosis, Grade
from edge.local import ask
from edge.status import Report
from protocols.errors import UnavailableError

ANSWER_S: Final = 5.0


def diagnose(config: EdgeConfig) -> Diagnosis:
    """Ask the agent of `config`; where none answers, look for oneself (up to ten seconds)."""
    try:
        report = ask(config.gateway.data, {"ask": "status"}, ANSWER_S)
    except UnavailableError:
        from edge.doctor import unstarted

        stopped = Check(
            name=AGENT,
            grade=Grade.ATTENTION,
            code="edge.doctor.agent-stopped",
            data={"file": str(config.source)},
            todo="edge.doctor.do-agent-stopped",
        )
        found = [stopped, *machine.look(config.gateway.data, config.uplink.host), *unstarted.look(config)]
        return _diagnosis(config, found, running=False)
    return of_running(config, report)


def of_running(config: EdgeConfig, report: Report) -> Diagnosis:
    """The diagnosis by the report of the agent that works by `config`. Waits for nothing."""
    from edge.doctor.unstarted import files

    now = datetime.now(UTC)
    uplink = config.uplink
    parts = agent.look(report["parts"], int(now.timestamp() * 1000), tls=uplink.tls is not None)
    host = machine.look(config.gateway.data, uplink.host)
    gateway = [check for check in parts if "/" not in check.name]
    rest = [check for check in parts if "/" in check.name]
    running = Check(name=AGENT, grade=Grade.WELL, code="edge.doctor.agent-running")
    return _diagnosis(config, [running, *host, *gateway, *files(uplink, now), *rest], running=True)


def _diagnosis(config: EdgeConfig, checks: list[Check], *, running: bool) -> Diagnosis:
    gateway = config.gateway
    return Diagnosis(
        group=gateway.group,
        node=gateway.node,
        name=gateway.name,
        at_ms=int(datetime.now(UTC).timestamp() * 1000),
        running=running,
        checks=tuple(checks),
    )
