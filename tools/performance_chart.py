"""The chart of docs/performance.md: each figure over time beside its goal, from docs/performance-history.json.

python tools/performance_chart.py                              draws docs/images/performance.svg
python tools/performance_chart.py add FIGURES.json EDITION     adds what `liandong bench --json` printed, then draws
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from html import escape
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).parents[1] / "docs"
HISTORY: Final = DOCS / "performance-history.json"
PICTURE: Final = DOCS / "images" / "performance.svg"
GOALS: Final = {
    "ingest-100": 150_000.0,
    "alert-p99": 100.0,
    "idle-p50": 20.0,
    "urgent-p99": 2000.0,
    "query-latest": 20.0,
    "query-day": 20.0,
    "query-month": 20.0,
    "query-bytes": 3.0,
    "edge-cold-start": 2.0,
    "edge-memory": 45.0,
    "edge-cpu": 5.0,
    "edge-outbox": 3.0,
    "edge-flash": 1500.0,
}
COLOURS: Final = {
    "embedded PostgreSQL": "#2f6fde",
    "TimescaleDB Apache": "#c77700",
    "TimescaleDB Community": "#1b9e5a",
    "no database": "#8a8f98",
}
COLUMNS: Final = 3
WIDE, HIGH, LEFT, TOP, PLOT_WIDE, PLOT_HIGH = 330, 150, 60, 38, 250, 84


def add(figures: list[dict[str, Any]], edition: str, day: date) -> None:
    """Keep the figures of a run. Raises ValueError for an edition that the chart has no colour for."""
    if edition not in COLOURS:
        raise ValueError(f"{edition!r} is none of {sorted(COLOURS)}")
    kept = json.loads(HISTORY.read_text("utf-8"))
    names = ("name", "value", "unit", "limit", "ratio", "busy")
    told = [one for one in figures if not one["name"].endswith("-sorted")]  # the same value beside another limit
    kept += [{"day": day.isoformat(), "edition": edition} | {name: one.get(name) for name in names} for one in told]
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in kept)
    HISTORY.write_text(f"[\n{lines}\n]\n", "utf-8")


def picture(kept: list[dict[str, Any]]) -> str:
    """The chart as SVG."""
    names = sorted({one["name"] for one in kept})
    rows = -(-len(names) // COLUMNS)
    wide, high = COLUMNS * WIDE, rows * HIGH + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="system-ui" font-size="11">',
        f'<rect width="{wide}" height="{high}" fill="#fff"/>',
    ]
    for number, (edition, colour) in enumerate(COLOURS.items()):
        x = 14 + number * 180
        parts.append(f'<circle cx="{x}" cy="16" r="4" fill="{colour}"/><text x="{x + 9}" y="20">{edition}</text>')
    parts.append('<text x="740" y="20" fill="#c22">- - goal</text>')
    for number, name in enumerate(names):
        x, y = number % COLUMNS * WIDE, number // COLUMNS * HIGH + 34
        parts.append(_small(name, [one for one in kept if one["name"] == name], x, y))
    return "\n".join([*parts, "</svg>", ""])


def _small(name: str, points: list[dict[str, Any]], x: int, y: int) -> str:
    """One figure: runs from left to right in the order in which they were made."""
    goal = GOALS.get(name)
    top = 1.1 * max([one["value"] for one in points] + ([goal] if goal else [])) or 1.0

    def at(index: int, value: float) -> tuple[float, float]:
        across = LEFT + PLOT_WIDE * (index + 0.5) / len(points)
        return x + across, y + TOP + PLOT_HIGH * (1 - value / top)

    unit = escape(points[0]["unit"])
    parts = [
        f'<text x="{x + LEFT}" y="{y + 20}" font-weight="600">{escape(name)}, {unit}</text>',
        f'<path d="M{x + LEFT} {y + TOP}v{PLOT_HIGH}h{PLOT_WIDE}" fill="none" stroke="#bbb"/>',
        f'<text x="{x + LEFT - 4}" y="{y + TOP + 8}" text-anchor="end" fill="#666">{_said(top)}</text>',
    ]
    if goal:
        level = at(0, goal)[1]
        parts.append(f'<path d="M{x + LEFT} {level:.1f}h{PLOT_WIDE}" stroke="#c22" stroke-dasharray="4 3"/>')
    for edition, colour in COLOURS.items():
        course = [at(index, one["value"]) for index, one in enumerate(points) if one["edition"] == edition]
        places = " ".join(f"{across:.1f},{up:.1f}" for across, up in course)
        parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-opacity="0.5"/>')
    for index, one in enumerate(points):
        across, up = at(index, one["value"])
        said = f"{one['day']}, {one['edition']}: {one['value']:g} {unit}, load {one['busy']}"
        dot = f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4" fill="{COLOURS[one["edition"]]}">'
        parts.append(
            f"{dot}<title>{said}</title></circle>"
            f'<text x="{across:.1f}" y="{up - 7:.1f}" text-anchor="middle">{_said(one["value"])}</text>'
        )
        if index in (0, len(points) - 1):
            parts.append(
                f'<text x="{across:.1f}" y="{y + TOP + PLOT_HIGH + 13}" text-anchor="middle" fill="#666">'
                f"{one['day'][5:]}</text>"
            )
    return "\n".join(parts)


def _said(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def main(words: list[str]) -> None:
    """See above."""
    if words:
        verb, figures, edition = words
        if verb != "add":
            raise SystemExit(__doc__)
        add(json.loads(Path(figures).read_text("utf-8")), edition, datetime.now(UTC).date())
    PICTURE.write_text(picture(json.loads(HISTORY.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
