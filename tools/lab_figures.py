"""Reports of ``liandong lab run --json``, of one run or of many, as the tables of docs/reliability.md.

lab_figures.py REPORT.json …
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from liandong.lab.report import COUNTS
from liandong.lab.sums import total


def figures(reports: Sequence[Mapping[str, Any]]) -> str:
    """Three Markdown tables: the sums over all runs, how long it took, and the faults by kind."""
    told = total(reports)
    lines = ["| sum over the runs | |", "|---|---:|"]
    lines.append(f"| runs, minutes of faults | {len(reports)}, {told['minutes']:.0f} |")
    lines.append(f"| faults that hit, of | {told['faults']:,} of {told['injected']:,} |")
    lines += [f"| {name.replace('_', ' ')} | {_count(told, name)} |" for name in (*COUNTS, "poison", "thinned")]
    lines.append(f"| broken Sparkplug rules | {told['violations']} |")
    lines.append(f"| longest time until the outboxes were empty | {told['longest_drain_s']:.0f} s |")
    lines += ["", "| worst run, ms | p50 | p99 |", "|---|---:|---:|"]
    for name, about in (("commit_latency_ms", "shown to committed"), ("urgent_latency_ms", "states and events")):
        for part in ("outside_faults", "inside_faults"):
            row = told[name][part]
            lines.append(f"| {about}, {part.replace('_', ' ')} | {row['p50'] or 0:,.0f} | {row['p99'] or 0:,.0f} |")
    lines += ["", "| fault | hit | made | lasted, s |", "|---|---:|---:|---:|"]
    lines += [
        f"| {kind} | {row['hit']} | {row['injected']} | {row['seconds']} |" for kind, row in told["kinds"].items()
    ]
    lines += [f"| {kind} | not possible {row['count']} times | | |" for kind, row in told["not_possible"].items()]
    return "\n".join(lines)


def _count(told: Mapping[str, Any], name: str) -> str:
    most = told["limits"].get(name)
    return f"{told[name]:,}" if most is None else f"{told[name]:,} (limit {most:,})"


def _runs(documents: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        yield from document.get("runs", [document])


if __name__ == "__main__":
    print(figures(list(_runs([json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:]]))))
