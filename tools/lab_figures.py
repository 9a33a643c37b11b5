"""Sums reports of ``liandong lab run --json`` up, as the tables of docs/reliability.md: lab_figures.py REPORT.json …"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

SUMMED: Final = (
    *("faults", "injected", "observed", "stored", "lost", "duplicated", "altered", "poison", "thinned"),
    *("misordered", "before_outbox", "ram_bound"),
)


def figures(reports: Sequence[Mapping[str, Any]]) -> str:
    """Two Markdown tables: the sums over all runs, and the faults by kind."""
    sums = {name: sum(report[name] for report in reports) for name in SUMMED}
    slowest = max(report["commit_latency_ms"]["p99"] or 0 for report in reports)
    calm = [report["commit_latency_ms"]["outside_faults"] for report in reports]
    lines = ["| sum over the runs | |", "|---|---:|"]
    lines.append(f"| runs, minutes | {len(reports)}, {sum(report['seconds'] for report in reports) / 60:.0f} |")
    lines += [f"| {name.replace('_', ' ')} | {value:,} |" for name, value in sums.items()]
    lines.append(f"| commit latency outside faults, p50 (worst run) | {max(c['p50'] or 0 for c in calm):,.0f} ms |")
    lines.append(f"| commit latency with faults, p99 (worst run) | {slowest:,.0f} ms |")
    hit: Counter[str] = Counter()
    made: Counter[str] = Counter()
    lasted: Counter[str] = Counter()
    for report in reports:
        for kind, row in report["kinds"].items():
            hit[kind] += row["hit"]
            made[kind] += row["injected"]
            lasted[kind] += round(row["duty"] * report["seconds"])
    lines += ["", "| fault | hit | made | lasted, s |", "|---|---:|---:|---:|"]
    lines += [f"| {kind} | {hit[kind]} | {made[kind]} | {lasted[kind]} |" for kind in sorted(made)]
    return "\n".join(lines)


if __name__ == "__main__":
    print(figures([json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:]]))
