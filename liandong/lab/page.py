"""The report of a run as one HTML page that needs nothing else: figures, and a picture of faults and flow."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any, Final

from liandong.lab.conductor import Struck
from liandong.lab.report import Run

Say = Callable[..., str]

_LEFT, _RIGHT, _LANE, _FLOW = 170, 20, 22, 150
_WIDTH: Final = 1200
_COUNTS: Final = ("observed", "stored", "lost", "duplicated", "altered", "misordered", "before_outbox", "ram_bound")
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #17212b; --soft: #5b6b7a; --line: #d7dee5; --paper: #fff; --hit: #c4382e;
  --miss: #9aa7b3; --seen: #2b7bb9; --kept: #2e8b57; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa7b3; --line: #303a44; --paper: #12181e;
  --hit: #ff7b6e; --miss: #5b6b7a; --seen: #6cb6f0; --kept: #5fcf8f; } }
body { margin: 2rem auto; max-width: 1240px; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); }
h1 { font-size: 1.4rem; margin: 0 0 .2rem } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
.verdict { font-weight: 600 } .well { color: var(--kept) } .bad { color: var(--hit) }
dl { display: flex; flex-wrap: wrap; gap: .6rem 2.2rem; margin: 1rem 0 } dt { color: var(--soft); font-size: .85rem }
dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums }
table { border-collapse: collapse } td, th { padding: .25rem .9rem .25rem 0; text-align: right;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left }
svg { width: 100%; height: auto } text { fill: var(--soft); font-size: 12px } .grid { stroke: var(--line) }
.hit { fill: var(--hit) } .missed { fill: none; stroke: var(--miss) } .seen { stroke: var(--seen) }
.kept { stroke: var(--kept) } polyline { fill: none; stroke-width: 1.6 } pre { overflow: auto; color: var(--soft) }
"""


def page(run: Run, report: dict[str, Any], say: Say, language: str) -> str:
    """The whole page."""
    verdict = "well" if report["ok"] else "bad"
    title = say("liandong.lab.title", name=run.scenario, seed=run.seed, seconds=report["seconds"])
    latency = report["commit_latency_ms"]
    counts = [(say("liandong.lab." + name.replace("_", "-")), str(report[name])) for name in _COUNTS]
    counts.append((say("liandong.lab.latency"), f"{latency['p50']} / {latency['p99']} ms"))
    figures = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in counts)
    return f"""<!doctype html>
<html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{_STYLE}</style>
<h1>{escape(title)}</h1>
<p class="verdict {verdict}">{escape(say("liandong.lab." + verdict))}</p>
<dl>{figures}</dl>
<h2>{escape(say("liandong.lab.timeline"))}</h2>
{_picture(run, say)}
<h2>{escape(say("liandong.lab.faults", hit=report["faults"], injected=report["injected"]))}</h2>
{_table(report, say)}
{_examples(report, say)}
</html>
"""


def _table(report: dict[str, Any], say: Say) -> str:
    heads = "".join(f"<th>{escape(say('liandong.lab.col-' + name))}</th>" for name in ("kind", "hit", "made", "duty"))
    rows = "".join(
        f"<tr><td>{escape(kind)}</td><td>{row['hit']}</td><td>{row['injected']}</td>"
        f"<td>{row['duty'] * 100:.1f} %</td></tr>"
        for kind, row in report["kinds"].items()
    )
    return f"<table><tr>{heads}</tr>{rows}</table>"


def _examples(report: dict[str, Any], say: Say) -> str:
    if not report["examples"]:
        return ""
    lines = [f"{name}: {row}" for name, rows in report["examples"].items() for row in rows]
    return f"<h2>{escape(say('liandong.lab.examples'))}</h2><pre>{escape(chr(10).join(lines))}</pre>"


def _picture(run: Run, say: Say) -> str:
    """A lane for each kind of fault above two lines: observations shown and stored per second."""
    kinds = sorted({one.kind for one in run.struck})
    ends = [run.ended_ms, *(row.committed_ms or 0 for row in run.content.rows)]
    seconds = max(1, math.ceil((max(ends) - run.began_ms) / 1000))
    scale = (_WIDTH - _LEFT - _RIGHT) / seconds
    top = _LANE * len(kinds) + 20
    height = top + _FLOW + 40
    lanes = "".join(
        f'<text x="{_LEFT - 10}" y="{_LANE * row + 15}" text-anchor="end">{kind}</text>'
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_LANE * row + 20}" y2="{_LANE * row + 20}"/>'
        + "".join(_bar(one, run.began_ms, scale, _LANE * row, say) for one in run.struck if one.kind == kind)
        for row, kind in enumerate(kinds)
    )
    shown = Counter((one.at_ms - run.began_ms) // 1000 for one in run.ledger)
    kept = Counter(int((row.committed_ms or 0) - run.began_ms) // 1000 for row in run.content.rows)
    most = max([1, *shown.values(), *kept.values()])
    flow = "".join(
        f'<polyline class="{name}" points="{_points(counts, seconds, scale, top, most)}"/>'
        for name, counts in (("kept", kept), ("seen", shown))
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(say("liandong.lab.timeline"))}">'
        f"{lanes}{_axis(seconds, scale, top)}{flow}"
        f'<text x="{_LEFT - 10}" y="{top + 12}" text-anchor="end">{most} /s</text>'
        f'<text class="legend" x="{_LEFT}" y="{height - 4}">{escape(say("liandong.lab.legend"))}</text></svg>'
    )


def _bar(one: Struck, began_ms: int, scale: float, y: int, say: Say) -> str:
    x = _LEFT + (one.start_ms - began_ms) / 1000 * scale
    seconds = (one.end_ms - one.start_ms) / 1000
    width = max(3.0, seconds * scale)
    waiting = say("liandong.lab.waiting", count=one.unacknowledged)
    about = f"{one.kind} {one.target} {seconds:.1f} s, {waiting}"
    style = "hit" if one.hit else "missed"
    return (
        f'<rect class="{style}" x="{x:.1f}" y="{y + 5}" width="{width:.1f}" height="12" rx="2">'
        f"<title>{escape(about)}</title></rect>"
    )


def _axis(seconds: int, scale: float, top: int) -> str:
    step = next(s for s in (5, 10, 30, 60, 300, 600, 1800, 3600, seconds) if seconds / s <= 15)
    return "".join(
        f'<line class="grid" x1="{_LEFT + at * scale:.1f}" x2="{_LEFT + at * scale:.1f}" y1="0" y2="{top + _FLOW}"/>'
        f'<text x="{_LEFT + at * scale + 3:.1f}" y="{top + _FLOW + 13}">{at} s</text>'
        for at in range(0, seconds + 1, step)
    )


def _points(counts: Counter[int], seconds: int, scale: float, top: int, most: int) -> str:
    wide = max(1, seconds // 600)
    sums: Sequence[int] = [sum(counts[at + more] for more in range(wide)) for at in range(0, seconds, wide)]
    points: Iterable[str] = (
        f"{_LEFT + index * wide * scale:.1f},{top + _FLOW - min(1.0, count / wide / most) * (_FLOW - 10):.1f}"
        for index, count in enumerate(sums)
    )
    return " ".join(points)
