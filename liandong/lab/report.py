"""The report of a run as one JSON document."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from liandong.lab.account import RAM_BOUND_MS, Account, Missing
from liandong.lab.conductor import Struck
from liandong.lab.stored import Content
from simulators.ledger import Observation

_SHOWN: Final = 20
"""How many observations of each sort are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that a run gave. Times: ms since 1970 UTC; `waiting`: messages that outboxes held still at the end."""

    scenario: str
    seed: int
    sabotage: str | None
    began_ms: int
    ended_ms: int
    waiting: int
    drain_s: float
    struck: Sequence[Struck]
    missed: int
    account: Account
    content: Content
    ledger: Sequence[Observation]

    @property
    def well(self) -> bool:
        """Whether everything that reached an outbox is in the database once, as it was."""
        account = self.account
        bad = account.lost or account.duplicated or account.altered or self.content.poison
        return not self.waiting and account.observed > 0 and not bad


def document(run: Run) -> dict[str, Any]:
    """The report. The keys of docs/reliability.md keep their names."""
    account = run.account
    inside, outside = _by_faults(run)
    return {
        "scenario": run.scenario,
        "seed": run.seed,
        "sabotage": run.sabotage,
        "ok": run.well,
        "seconds": round((run.ended_ms - run.began_ms) / 1000, 1),
        "faults": sum(one.hit for one in run.struck),
        "injected": len(run.struck),
        "not_possible": run.missed,
        "observed": account.observed,
        "stored": account.stored,
        "lost": len(account.lost),
        "duplicated": len(account.duplicated),
        "altered": len(account.altered),
        "misordered": len(account.misordered),
        "thinned": run.content.thinned,
        "poison": run.content.poison,
        "before_outbox": len(account.before_outbox),
        "ram_bound": len(account.ram_bound),
        "ram_bound_limit_ms": RAM_BOUND_MS,
        "unconfirmed": len(account.unconfirmed),
        "drained": not run.waiting,
        "waiting": run.waiting,
        "drain_s": round(run.drain_s, 1),
        "commit_latency_ms": {
            **_quantiles(ms for _, ms in account.latency),
            "inside_faults": _quantiles(inside),
            "outside_faults": _quantiles(outside),
        },
        "kinds": _kinds(run),
        "timeline": [{**asdict(one), "at_s": round((one.start_ms - run.began_ms) / 1000, 2)} for one in run.struck],
        "examples": _examples(account),
    }


def _quantiles(values: Iterable[float]) -> dict[str, float | None]:
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p99": None}
    return {f"p{share}": round(ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)], 1) for share in (50, 99)}


def _by_faults(run: Run) -> tuple[list[float], list[float]]:
    """Latencies of what was observed or stored while something was broken, and of the rest."""
    broken = merge((one.start_ms, one.end_ms) for one in run.struck)
    inside: list[float] = []
    outside: list[float] = []
    for at_ms, took_ms in run.account.latency:
        touched = any(start <= at_ms + took_ms and at_ms <= end for start, end in broken)
        (inside if touched else outside).append(took_ms)
    return inside, outside


def merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of time that overlap, joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _kinds(run: Run) -> dict[str, dict[str, Any]]:
    """Per kind: how many were made, how many hit something, which share of the run they lasted."""
    made: dict[str, list[Struck]] = defaultdict(list)
    for one in run.struck:
        made[one.kind].append(one)
    length = max(1, run.ended_ms - run.began_ms)
    return {
        kind: {
            "injected": len(group),
            "hit": sum(one.hit for one in group),
            "duty": round(sum(end - start for start, end in merge((o.start_ms, o.end_ms) for o in group)) / length, 4),
            "targets": dict(sorted(Counter(one.target for one in group).items())),
        }
        for kind, group in sorted(made.items())
    }


def _examples(account: Account) -> dict[str, list[Any]]:
    def missing(ones: Sequence[Missing]) -> list[Any]:
        return [{"what": list(one.key), "counter": one.counter, "at_ms": one.at_ms} for one in ones[:_SHOWN]]

    found = {
        "lost": missing(account.lost),
        "before_outbox": missing(account.before_outbox),
        "duplicated": [list(key) for key in account.duplicated[:_SHOWN]],
        "altered": [list(key) for key in account.altered[:_SHOWN]],
        "misordered": [list(key) for key in account.misordered[:_SHOWN]],
    }
    return {name: rows for name, rows in found.items() if rows}


def summary(report: dict[str, Any], say: Callable[..., str]) -> str:
    """The report for a person at a terminal."""
    counts = ("observed", "stored", "lost", "duplicated", "altered", "misordered", "before_outbox", "ram_bound")
    latency = report["commit_latency_ms"]
    lines = [
        say("liandong.lab.title", name=report["scenario"], seed=report["seed"], seconds=report["seconds"]),
        "",
        *(f"  {say('liandong.lab.' + name.replace('_', '-')):<34}{report[name]:>10}" for name in counts),
        f"  {say('liandong.lab.latency'):<34}{latency['p50']!s:>10} / {latency['p99']} ms",
        "",
        say("liandong.lab.faults", hit=report["faults"], injected=report["injected"]),
    ]
    for kind, row in report["kinds"].items():
        lines.append(f"  {kind:<22}{row['hit']:>4} / {row['injected']:<4}{row['duty'] * 100:>6.1f} %")
    lines += ["", say("liandong.lab.well" if report["ok"] else "liandong.lab.bad")]
    return "\n".join(lines)
