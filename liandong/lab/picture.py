"""The picture of a run: a lane for each kind of fault above what the hardware showed and what was stored, by second."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from liandong.lab.interrupted import Struck
from liandong.lab.report import Run

Say = Callable[..., str]

_LEFT, _RIGHT, _TOP, _LANE, _FLOW, _GAP = 190, 24, 8, 19, 170, 26
_WIDTH: Final = 1200
_STEPS: Final = (5, 10, 15, 30, 60, 300, 600, 1800, 3600)
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "process": ("kill", "stop", "restart", "power"),
    "gateway-link": ("link",),
    "cloud-link": ("cloud-link",),
    "database": ("database",),
    "disk": ("disk", "torn", "file"),
    "clock": ("clock",),
    "line": ("line",),
}
"""What a kind's name begins with → its colour; everything else is ``message``."""


def group(kind: str) -> str:
    """The group of a kind of fault, which gives it its colour and its place."""
    return next((name for name, begins in _GROUPS.items() if kind.startswith(begins)), "message")


def timeline(run: Run, say: Say) -> str:
    """The whole picture as one SVG element."""
    order = [*_GROUPS, "message"]
    kinds = sorted({one.kind for one in run.struck}, key=lambda kind: (order.index(group(kind)), kind))
    ends = [run.ended_ms, *(row.committed_ms or 0 for row in run.content.rows)]
    seconds = max(1, math.ceil((max(ends) - run.began_ms) / 1000))
    scale = (_WIDTH - _LEFT - _RIGHT) / seconds
    top = _TOP + _LANE * len(kinds) + _GAP
    floor = top + _FLOW
    lanes = "".join(_lane(run, kind, row, scale, say) for row, kind in enumerate(kinds))
    draining = _LEFT + (run.ended_ms - run.began_ms) / 1000 * scale
    rest = (
        f'<rect class="rest" x="{draining:.1f}" y="0" width="{max(0.0, _WIDTH - _RIGHT - draining):.1f}" '
        f'height="{floor}"/><text class="rest-name" x="{draining + 5:.1f}" y="{top - 8}">'
        f"{escape(say('liandong.lab.rest'))}</text>"
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {floor + 26}" role="img" aria-label="{escape(say("liandong.lab.timeline"))}">'
        f"{rest}{_axis(seconds, scale, floor)}{lanes}{_flow(run, seconds, scale, top, floor, say)}</svg>"
    )


def _lane(run: Run, kind: str, row: int, scale: float, say: Say) -> str:
    y = _TOP + _LANE * row
    shade = f'<rect class="lane" x="{_LEFT}" y="{y}" width="{_WIDTH - _LEFT - _RIGHT}" height="{_LANE}"/>'
    bars = "".join(_bar(one, run.began_ms, scale, y, say) for one in run.struck if one.kind == kind)
    name = f'<text class="name" x="{_LEFT - 12}" y="{y + 14}" text-anchor="end">{escape(say_kind(kind, say))}</text>'
    return f"{shade if row % 2 == 0 else ''}{name}{bars}"


def say_kind(kind: str, say: Say) -> str:
    """The name of a kind of fault for a reader."""
    return say(f"liandong.lab.kind-{kind}")


def _bar(one: Struck, began_ms: int, scale: float, y: int, say: Say) -> str:
    x = _LEFT + (one.start_ms - began_ms) / 1000 * scale
    seconds = (one.end_ms - one.start_ms) / 1000
    waiting = say("liandong.lab.waiting", count=one.unacknowledged)
    about = f"{say_kind(one.kind, say)} · {one.target} · {seconds:.1f} s · {waiting}"
    style = f"{group(one.kind)} {'hit' if one.hit else 'missed'}"
    return (
        f'<rect class="bar {style}" x="{x:.1f}" y="{y + 4}" width="{max(4.0, seconds * scale):.1f}" height="11" rx="3">'
        f"<title>{escape(about)}</title></rect>"
    )


def _axis(seconds: int, scale: float, floor: int) -> str:
    step = next((s for s in _STEPS if seconds / s <= 14), seconds)
    return "".join(
        f'<line class="grid" x1="{_LEFT + at * scale:.1f}" x2="{_LEFT + at * scale:.1f}" y1="{_TOP}" y2="{floor}"/>'
        f'<text x="{_LEFT + at * scale:.1f}" y="{floor + 16}" text-anchor="middle">{_clock(at)}</text>'
        for at in range(0, seconds + 1, step)
    )


def _clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02d}"


def _flow(run: Run, seconds: int, scale: float, top: int, floor: int, say: Say) -> str:
    """Shown as an area, stored as a line; the root of the count, so that a flood does not flatten the rest."""
    shown = Counter((one.at_ms - run.began_ms) // 1000 for one in run.ledger)
    kept = Counter(int((row.committed_ms or 0) - run.began_ms) // 1000 for row in run.content.rows)
    wide = max(1, seconds // 500)
    seen, stored = (
        [sum(counts[at + more] for more in range(wide)) / wide for at in range(0, seconds, wide)]
        for counts in (shown, kept)
    )
    most = max([1.0, *seen, *stored])
    marks = [mark for mark in (1, 10, 100, 1000, 10_000) if mark <= most]
    scales = "".join(
        f'<line class="grid soft" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 12}" y="{y + 4:.1f}" text-anchor="end">{mark:,} /s</text>'
        for mark in marks
        for y in (_height(mark, most, top, floor),)
    )
    title = f'<text class="name" x="{_LEFT}" y="{top - 8}">{escape(say("liandong.lab.flow"))}</text>'
    points = [_points(values, wide * scale, most, top, floor) for values in (seen, stored)]
    area = (
        f'<polygon class="seen" points="{_LEFT},{floor} {points[0]} {_LEFT + len(seen) * wide * scale:.1f},{floor}"/>'
    )
    return f'{scales}{title}{area}<polyline class="kept" points="{points[1]}"/>'


def _height(count: float, most: float, top: int, floor: int) -> float:
    return floor - math.sqrt(count / most) * (floor - top)


def _points(values: Sequence[float], step: float, most: float, top: int, floor: int) -> str:
    points: Iterable[str] = (
        f"{_LEFT + (index + 0.5) * step:.1f},{_height(value, most, top, floor):.1f}"
        for index, value in enumerate(values)
    )
    return " ".join(points)


def spark(samples: Sequence[Sequence[float]], most: float) -> str:
    """A small line of (seconds, value)."""
    if not samples:
        return ""
    end = max(1.0, max(at for at, _ in samples))
    points = " ".join(f"{at / end * 160:.1f},{30 - value / most * 28:.1f}" for at, value in samples)
    return (
        f'<svg class="spark" viewBox="0 0 160 32" aria-hidden="true"><polyline class="kept" points="{points}"/></svg>'
    )


def share(value: float, kind: str) -> str:
    """A bar for a share of one, in the colour of the kind's group."""
    width = min(1.0, max(0.0, value)) * 100
    return (
        f'<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="lane" width="100" height="8" rx="2"/>'
        f'<rect class="bar hit {group(kind)}" width="{width:.1f}" height="8" rx="2"/></svg>'
    )


def legend(say: Say) -> str:
    """What the colours mean."""
    names: list[Any] = [*_GROUPS, "message"]
    swatches = "".join(
        f'<li><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="bar hit {name}" width="12" height="12" rx="3"/>'
        f"</svg>{escape(say('liandong.lab.group-' + name))}</li>"
        for name in names
    )
    flow = (
        '<li><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="seen" width="12" height="12" rx="3"/></svg>'
        f"{escape(say('liandong.lab.shown'))}</li>"
        '<li><svg viewBox="0 0 12 12" aria-hidden="true"><polyline class="kept" points="0,6 12,6"/></svg>'
        f"{escape(say('liandong.lab.kept'))}</li>"
    )
    return f'<ul class="legend">{swatches}{flow}</ul>'
