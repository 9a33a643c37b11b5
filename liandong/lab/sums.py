"""Several runs as one report: what they had in sum, kind by kind, and whether every one was well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from liandong.lab.report import COUNTS, not_possible

SUMMED: Final = ("faults", "injected", *COUNTS, "poison", "thinned", "unconfirmed")
_WORST: Final = ("p50", "p99")


def total(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``{"ok", "scenario", "seeds", "failed", "minutes", …sums…, "limits", "kinds", "commit_latency_ms", …}``.

    Latencies are those of the worst run. `reports`: of `liandong.lab.report.document`, at least one.
    """
    summed = {name: sum(report[name] for report in reports) for name in SUMMED}
    return {
        "ok": all(report["ok"] for report in reports),
        "scenario": reports[0]["scenario"],
        "seeds": [report["seed"] for report in reports],
        "failed": {report["seed"]: report["wrong"] for report in reports if not report["ok"]},
        "minutes": round(sum(report["seconds"] for report in reports) / 60, 1),
        **summed,
        "limits": {name: sum(report["limits"][name] for report in reports) for name in ("ram_bound", "before_outbox")},
        "misordered_because": _added(reports, "misordered_because"),
        "violations": sum(_violations(report) for report in reports),
        "longest_drain_s": max(report["drain_s"] for report in reports),
        "commit_latency_ms": _worst(reports, "commit_latency_ms"),
        "urgent_latency_ms": _worst(reports, "urgent_latency_ms"),
        "kinds": _kinds(reports),
        "not_possible": _not_possible(reports),
    }


def summary(told: Mapping[str, Any], say: Callable[..., str]) -> str:
    """The sum for a person at a terminal."""
    seeds = told["seeds"]
    lines = [
        say("liandong.lab.sum", name=told["scenario"], runs=len(seeds), minutes=told["minutes"]),
        "",
        *(f"  {say('liandong.lab.' + name.replace('_', '-')):<34}{told[name]:>10}" for name in COUNTS),
        f"  {say('liandong.lab.violations'):<34}{told['violations']:>10}",
        "",
        say("liandong.lab.faults", hit=told["faults"], injected=told["injected"]),
    ]
    for kind, row in told["kinds"].items():
        lines.append(f"  {kind:<22}{row['hit']:>5} / {row['injected']:<5}{row['seconds']:>6} s")
    lines += [f"  {not_possible(kind, row, say)}" for kind, row in told["not_possible"].items()]
    lines += ["", say("liandong.lab.well" if told["ok"] else "liandong.lab.bad")]
    lines += [f"  {seed}: {', '.join(wrong)}" for seed, wrong in told["failed"].items()]
    return "\n".join(lines)


def _violations(report: Mapping[str, Any]) -> int:
    found = report["watch"]["violations"] if report["watch"] else []
    return sum(broken["count"] for broken in found if not broken["planted"])


def _added(reports: Sequence[Mapping[str, Any]], name: str) -> dict[str, int]:
    keys = sorted({key for report in reports for key in report[name]})
    return {key: sum(report[name].get(key, 0) for report in reports) for key in keys}


def _worst(reports: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    def most(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
        return {share: max((row[share] for row in rows if row[share] is not None), default=None) for share in _WORST}

    return {
        **most([report[name] for report in reports]),
        **{part: most([report[name][part] for report in reports]) for part in ("inside_faults", "outside_faults")},
    }


def _kinds(reports: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for kind in sorted({kind for report in reports for kind in report["kinds"]}):
        rows = [(report["kinds"][kind], report["seconds"]) for report in reports if kind in report["kinds"]]
        lasted = sum(row["duty"] * seconds for row, seconds in rows)
        found[kind] = {
            "injected": sum(row["injected"] for row, _ in rows),
            "hit": sum(row["hit"] for row, _ in rows),
            "duty": round(lasted / sum(report["seconds"] for report in reports), 4),
            "seconds": round(lasted),
        }
    return found


def _not_possible(reports: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for report in reports:
        for kind, row in report["not_possible"].items():
            before = found.setdefault(kind, {"count": 0, "cause": row["cause"]})
            before["count"] += row["count"]
    return found
