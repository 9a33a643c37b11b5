"""The report of a run, or of many, as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, Final

from liandong.lab import picture
from liandong.lab.report import COUNTS, Run, not_possible

Say = Callable[..., str]

_NEVER: Final = frozenset({"lost", "duplicated", "altered", "misdated", "unexplained"})
_LATENCIES: Final = ("commit_latency_ms", "urgent_latency_ms")
_PARTS: Final = ("outside_faults", "inside_faults")


def page(run: Run, report: Mapping[str, Any], say: Say, language: str) -> str:
    """The page of one run."""
    title = say("liandong.lab.title", name=run.scenario, seed=run.seed, seconds=report["seconds"])
    about = say("liandong.lab.about-page", hit=report["faults"], injected=report["injected"], drain=report["drain_s"])
    drawn = f'<div class="wide">{picture.timeline(run, say)}</div>{picture.legend(say)}'
    beside = _section(say("liandong.lab.latencies"), _latencies(report, say)) + _watch(report, say) + _late(report, say)
    body = [
        _section("", _figures(report, say)),
        _section(say("liandong.lab.timeline"), drawn),
        f'<div class="two">{beside}</div>',
        _section(say("liandong.lab.faults", hit=report["faults"], injected=report["injected"]), _kinds(report, say)),
        _memory(report, say),
        _examples(report, say),
    ]
    return _page(title, about, report, "".join(body), say, language)


def sum_page(
    total: Mapping[str, Any], reports: Sequence[Mapping[str, Any]], links: Sequence[str], say: Say, language: str
) -> str:
    """The page of many runs; `links`: where the page of each is."""
    title = say("liandong.lab.sum", name=total["scenario"], runs=len(reports), minutes=total["minutes"])
    about = say(
        "liandong.lab.about-page", hit=total["faults"], injected=total["injected"], drain=total["longest_drain_s"]
    )
    columns = ("seed", "faults", "observed", "lost", "duplicated", "altered", "misordered", "drain_s")
    heads = "".join(f"<th>{escape(say('liandong.lab.col-' + name.replace('_', '-')))}</th>" for name in columns)
    rows = "".join(
        f'<tr><td><a href="{escape(link)}">{report["seed"]}</a> {"✓" if report["ok"] else "✗"}</td>'
        + "".join(f"<td>{report[name]}</td>" for name in columns[1:])
        + f"<td>{escape(', '.join(report['wrong']))}</td></tr>"
        for report, link in zip(reports, links, strict=True)
    )
    body = [
        _section("", _figures(total, say)),
        _section(say("liandong.lab.latencies-worst"), _latencies(total, say)),
        _section(say("liandong.lab.runs"), f'<div class="wide"><table><tr>{heads}<th></th></tr>{rows}</table></div>'),
        _section(say("liandong.lab.faults", hit=total["faults"], injected=total["injected"]), _kinds(total, say)),
    ]
    return _page(title, about, total, "".join(body), say, language)


def _page(title: str, about: str, report: Mapping[str, Any], body: str, say: Say, language: str) -> str:
    verdict = "well" if report["ok"] else "bad"
    style = files("liandong.lab").joinpath("style.css").read_text("utf-8")
    return f"""<!doctype html>
<html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{style}</style><main>
<h1>{escape(title)}</h1>
<p class="about">{escape(about)}</p>
<p class="verdict {verdict}">{escape(say("liandong.lab." + verdict))} {escape(_wrong(report))}</p>
{body}
</main></html>
"""


def _wrong(report: Mapping[str, Any]) -> str:
    found = report.get("wrong") or sorted({name for names in report.get("failed", {}).values() for name in names})
    return f"({', '.join(found)})" if found else ""


def _section(title: str, body: str) -> str:
    head = f"<h2>{escape(title)}</h2>" if title else ""
    return f"<section>{head}{body}</section>" if body else ""


def _figures(report: Mapping[str, Any], say: Say) -> str:
    return f"<dl>{''.join(_figure(report, name, say) for name in COUNTS)}</dl>"


def _figure(report: Mapping[str, Any], name: str, say: Say) -> str:
    value, most = report[name], report["limits"].get(name)
    style = ""
    if name in _NEVER:
        style = "fault" if value else "zero"
    elif most is not None:
        style = "fault" if value > most else ""
    bound = "" if most is None else f" <small>≤ {most:,}</small>"
    label = escape(say("liandong.lab." + name.replace("_", "-")))
    return f'<div><dt>{label}</dt><dd class="{style}">{value:,}{bound}</dd></div>'


def _latencies(report: Mapping[str, Any], say: Say) -> str:
    heads = "".join(f"<th>{escape(say('liandong.lab.' + part.replace('_', '-')))}<br>p50 / p99</th>" for part in _PARTS)
    rows = "".join(
        f"<tr><td>{escape(say('liandong.lab.' + name.partition('_')[0]))}</td>"
        + "".join(f"<td>{_ms(report[name][part]['p50'])} / {_ms(report[name][part]['p99'])}</td>" for part in _PARTS)
        + "</tr>"
        for name in _LATENCIES
    )
    return f"<table><tr><th></th>{heads}</tr>{rows}</table>"


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value / 1000:,.1f} s" if value >= 1000 else f"{value:,.0f} ms"


def _kinds(report: Mapping[str, Any], say: Say) -> str:
    heads = "".join(f"<th>{escape(say('liandong.lab.col-' + name))}</th>" for name in ("kind", "hit", "made", "duty"))
    rows = "".join(
        f"<tr><td>{escape(picture.say_kind(kind, say))} <code>{escape(kind)}</code></td><td>{row['hit']}</td>"
        f"<td>{row['injected']}</td><td>{row['duty'] * 100:.1f} % {picture.share(row['duty'], kind)}</td></tr>"
        for kind, row in report["kinds"].items()
    )
    missing = "".join(
        f'<p class="bad">{escape(not_possible(kind, row, say))}</p>' for kind, row in report["not_possible"].items()
    )
    return f'<div class="wide"><table><tr>{heads}</tr>{rows}</table></div>{missing}'


def _watch(report: Mapping[str, Any], say: Say) -> str:
    watch = report["watch"]
    if watch is None:
        return ""
    told = say(
        "liandong.lab.watched",
        messages=watch["messages"],
        nodes=watch["nodes"],
        violations=sum(found["count"] for found in watch["violations"] if not found["planted"]),
    )
    rows = "".join(
        f"<tr><td>{escape(found['rule'])}</td><td>{escape(found['node'])}</td><td>{found['count']}</td></tr>"
        for found in watch["violations"]
    )
    return _section(
        say("liandong.lab.sparkplug"), f'<p>{escape(told)}</p><div class="wide"><table>{rows}</table></div>'
    )


def _late(report: Mapping[str, Any], say: Say) -> str:
    rows = "".join(
        f"<tr><td>{escape(say('liandong.lab.late-' + reason))}</td><td>{count}</td></tr>"
        for reason, count in report["misordered_because"].items()
    )
    return _section(say("liandong.lab.misordered"), f"<table>{rows}</table>" if rows else "")


def _memory(report: Mapping[str, Any], say: Say) -> str:
    rows = "".join(
        f"<tr><td>{escape(part)}</td><td>{picture.spark(row['samples'], max(1.0, row['most_mb']))}</td>"
        f"<td>{row['most_mb']} MB</td><td>{_slope(row['slope_mb_per_hour'])}</td></tr>"
        for part, row in report["memory"].items()
    )
    heads = "".join(f"<th>{escape(say('liandong.lab.col-' + name))}</th>" for name in ("part", "over", "most", "slope"))
    return _section(say("liandong.lab.memories"), f"<table><tr>{heads}</tr>{rows}</table>" if rows else "")


def _slope(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f} MB/h"


def _examples(report: Mapping[str, Any], say: Say) -> str:
    lines = [f"{name}: {row}" for name, rows in report["examples"].items() for row in rows]
    return _section(say("liandong.lab.examples"), f"<pre>{escape(chr(10).join(lines))}</pre>" if lines else "")
