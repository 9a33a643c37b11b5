"""The report of a run as one JSON document."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from liandong.lab.account import RAM_BOUND_MS, Account, Missing
from liandong.lab.interrupted import Struck
from liandong.lab.late import UNEXPLAINED, Late
from liandong.lab.losses import Compared
from liandong.lab.stored import Content
from simulators.ledger import Observation

COUNTS: Final = (
    *("observed", "stored", "lost", "duplicated", "altered", "misdated", "misordered", "unexplained"),
    *("before_outbox", "ram_bound", "told"),
)
"""The counts that people read, in this order."""
_SHOWN: Final = 20
"""How many observations of each sort are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that a run gave. Times: ms since 1970 UTC; `waiting`: messages that outboxes held still at the end.

    `late`: misordered rows by their reason; `limits`: of what no protocol can keep; `watch`: of the wiretap, None where
    nobody judged; `memory`: see `liandong.lab.memory.report`; `gone`: what is
    missing beside the cloud's own account of it, where a database was set back.
    """

    scenario: str
    seed: int
    sabotage: str | None
    began_ms: int
    ended_ms: int
    waiting: int
    drain_s: float
    struck: Sequence[Struck]
    not_possible: Mapping[str, Any]
    account: Account
    late: Mapping[str, Sequence[Late]]
    gone: Compared | None
    limits: Mapping[str, int]
    watch: Mapping[str, Any] | None
    memory: Mapping[str, Any]
    memory_judged: bool
    urgent_within_ms: float | None
    content: Content
    ledger: Sequence[Observation]

    @property
    def well(self) -> bool:
        """Whether everything that reached an outbox is in the database once, as it was, and nothing else is wrong."""
        return not self.wrong()

    def wrong(self) -> list[str]:
        """What is wrong, as keys of the report."""
        account, watch = self.account, self.watch
        urgent = quantiles(ms for _, ms in account.urgent)["p99"]
        most = self.urgent_within_ms
        found = {
            "observed": not account.observed,
            **{name: getattr(account, name) for name in ("lost", "duplicated", "altered", "misdated")},
            "unexplained": self.late.get(UNEXPLAINED),
            "loss_view": self.gone is not None and self.gone.wrongly,
            "poison": self.content.poison,
            "waiting": self.waiting,
            **{name: len(getattr(account, name)) > limit for name, limit in self.limits.items()},
            "watch": watch is not None
            and any(broken["must"] and not broken["planted"] for broken in watch["violations"]),
            "memory": self.memory_judged and any(part["grows"] for part in self.memory.values()),
            "urgent_latency_ms": most is not None and (urgent is None or urgent > most),
        }
        return [name for name, is_wrong in found.items() if is_wrong]


def document(run: Run) -> dict[str, Any]:
    """The report. The keys of docs/reliability.md keep their names."""
    account = run.account
    return {
        "scenario": run.scenario,
        "seed": run.seed,
        "sabotage": run.sabotage,
        "ok": run.well,
        "wrong": run.wrong(),
        "seconds": round((run.ended_ms - run.began_ms) / 1000, 1),
        "faults": sum(one.hit for one in run.struck),
        "injected": len(run.struck),
        "not_possible": dict(run.not_possible),
        "observed": account.observed,
        "stored": account.stored,
        "lost": len(account.lost),
        "duplicated": len(account.duplicated),
        "altered": len(account.altered),
        "misdated": len(account.misdated),
        "misordered": len(account.misordered),
        "misordered_because": {reason: len(rows) for reason, rows in sorted(run.late.items())},
        "unexplained": len(run.late.get(UNEXPLAINED, ())),
        "thinned": run.content.thinned,
        "poison": run.content.poison,
        "before_outbox": len(account.before_outbox),
        "ram_bound": len(account.ram_bound),
        "limits": {**run.limits, "ram_bound_ms": RAM_BOUND_MS},
        "told": len(account.told),
        "loss_view": _gone(run.gone),
        "unconfirmed": len(account.unconfirmed),
        "drained": not run.waiting,
        "waiting": run.waiting,
        "drain_s": round(run.drain_s, 1),
        "commit_latency_ms": _latency(account.latency, run.struck),
        "urgent_latency_ms": _latency(account.urgent, run.struck),
        "kinds": _kinds(run),
        "watch": run.watch,
        "memory": dict(run.memory),
        "timeline": [{**asdict(one), "at_s": round((one.start_ms - run.began_ms) / 1000, 2)} for one in run.struck],
        "examples": _examples(run),
    }


def _gone(gone: Compared | None) -> dict[str, int] | None:
    if gone is None:
        return None
    return {
        "numbers": gone.numbers,
        "told": len(gone.told),
        "untold": len(gone.untold),
        "wrongly": len(gone.wrongly),
    }


def quantiles(values: Iterable[float]) -> dict[str, float | None]:
    """The median and the 99th percentile; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p99": None}
    return {f"p{share}": round(ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)], 1) for share in (50, 99)}


def _latency(latency: Sequence[tuple[int, float]], struck: Sequence[Struck]) -> dict[str, Any]:
    """Of all; of what was observed or stored while something was broken; of the rest."""
    broken = merge((one.start_ms, one.end_ms) for one in struck)
    inside: list[float] = []
    outside: list[float] = []
    for at_ms, took_ms in latency:
        touched = any(start <= at_ms + took_ms and at_ms <= end for start, end in broken)
        (inside if touched else outside).append(took_ms)
    return {
        **quantiles(ms for _, ms in latency),
        "inside_faults": quantiles(inside),
        "outside_faults": quantiles(outside),
    }


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


def _examples(run: Run) -> dict[str, list[Any]]:
    def missing(ones: Sequence[Missing]) -> list[Any]:
        return [{"what": list(one.key), "counter": one.counter, "at_ms": one.at_ms} for one in ones[:_SHOWN]]

    account = run.account
    found = {
        "lost": missing(account.lost),
        "before_outbox": missing(account.before_outbox),
        "told": missing(account.told),
        "duplicated": [list(key) for key in account.duplicated[:_SHOWN]],
        "altered": [list(key) for key in account.altered[:_SHOWN]],
        "misdated": [[*key, off_ms, at_ms] for key, off_ms, at_ms in account.misdated[:_SHOWN]],
        "unexplained": [asdict(late) for late in run.late.get(UNEXPLAINED, ())[:_SHOWN]],
    }
    return {name: rows for name, rows in found.items() if rows}


def summary(report: Mapping[str, Any], say: Callable[..., str]) -> str:
    """The report for a person at a terminal."""
    lines = [
        say("liandong.lab.title", name=report["scenario"], seed=report["seed"], seconds=report["seconds"]),
        "",
        *(f"  {say('liandong.lab.' + name.replace('_', '-')):<34}{_count(report, name):>10}" for name in COUNTS),
    ]
    for name in ("commit_latency_ms", "urgent_latency_ms"):
        for part in ("outside_faults", "inside_faults"):
            found = report[name][part]
            about = f"{say('liandong.lab.' + name.partition('_')[0])}, {say('liandong.lab.' + part.replace('_', '-'))}"
            lines.append(f"  {about:<34}{found['p50']!s:>10} / {found['p99']} ms")
    if (watch := report["watch"]) is not None:
        told = sum(found["count"] for found in watch["violations"] if not found["planted"])
        lines.append(f"  {say('liandong.lab.violations'):<34}{told:>10} / {watch['messages']}")
    if any(part["slope_mb_per_hour"] is not None for part in report["memory"].values()):
        for part, row in report["memory"].items():
            about = say("liandong.lab.memory", part=part)
            lines.append(f"  {about:<34}{row['most_mb']:>10} MB {row['slope_mb_per_hour']} MB/h")
    lines += ["", say("liandong.lab.faults", hit=report["faults"], injected=report["injected"])]
    for kind, row in report["kinds"].items():
        lines.append(f"  {kind:<22}{row['hit']:>4} / {row['injected']:<4}{row['duty'] * 100:>6.1f} %")
    for kind, row in report["not_possible"].items():
        lines.append(f"  {not_possible(kind, row, say)}")
    lines += ["", say("liandong.lab.well" if report["ok"] else "liandong.lab.bad")]
    if report["wrong"]:
        lines.append(f"  {', '.join(report['wrong'])}")
    return "\n".join(lines)


def not_possible(kind: str, row: Mapping[str, Any], say: Callable[..., str]) -> str:
    """The sentence about faults that this machine, or the moment, did not allow."""
    cause = row["cause"]
    why = say(cause["code"], **cause["params"]) if cause else ""
    return say("liandong.lab.not-possible", kind=kind, count=row["count"], why=why)


def _count(report: Mapping[str, Any], name: str) -> str:
    most = report["limits"].get(name)
    return str(report[name]) if most is None else f"{report[name]} ≤ {most}"
