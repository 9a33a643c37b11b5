"""A diagnosis as a page for a phone: what is not well first, the identity as a QR code at the end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final

from edge.doctor.checks import Check, Diagnosis, Grade
from edge.doctor.screen import MARKS
from edge.doctor.words import advice, title, told
from edge.page import qr
from protocols.messages import LANGUAGES, Language, sentence

_QUIET: Final = 4
"""Modules of white that a code needs around it."""
_NAMES: Final[dict[Language, str]] = {"zh-CN": "中文", "en": "English"}


def identity(group: str, node: str) -> str:
    """What the QR code holds: who this gateway is, without any secret."""
    return f"liandong:{group}/{node}"


def render(diagnosis: Diagnosis, language: Language, *, everybody: bool) -> str:
    """The page. `everybody`: it can be seen from other machines."""

    def say(key: str, **values: object) -> str:
        return escape(sentence(f"edge.page.{key}", values, language))

    who = escape(f"{diagnosis.group}/{diagnosis.node}")
    name = escape(diagnosis.name) or who
    grade = diagnosis.grade.word
    verdict = escape(sentence(f"edge.doctor.all-{grade}", {}, language))
    when = datetime.fromtimestamp(diagnosis.at_ms / 1000, UTC)
    troubled = [check for check in diagnosis.checks if check.grade is not Grade.WELL]
    well = [check for check in diagnosis.checks if check.grade is Grade.WELL]
    others = " ".join(f'<a href="/?lang={one}" lang="{one}">{_NAMES[one]}</a>' for one in LANGUAGES if one != language)
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="10">
<title>{MARKS[diagnosis.grade]} {name}</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>
<p class="who">{say("gateway")} {who}</p>
<h1>{name}</h1>
<p class="verdict {grade}"><span aria-hidden="true">{MARKS[diagnosis.grade]}</span> {verdict}</p>
<p class="when"><time datetime="{when.isoformat(timespec="seconds")}">{when:%Y-%m-%d %H:%M:%S} UTC</time></p>
</header>
<main>
{_section(say("to-do"), troubled, language)}{_section(say("well"), well, language)}
</main>
<footer>
{_code(identity(diagnosis.group, diagnosis.node), say("code"))}
<p>{say("everybody" if everybody else "only-here")}</p>
<p>{say("commission")}</p>
<p>{others} <a href="/status.json">JSON</a></p>
</footer>
</body>
</html>
"""


def _section(title: str, checks: Iterable[Check], language: Language) -> str:
    rows = "".join(_row(check, language) for check in checks)
    return f"<section><h2>{title}</h2><ul>{rows}</ul></section>\n" if rows else ""


def _row(check: Check, language: Language) -> str:
    do = advice(check, language)
    todo = f'<p class="todo">→ {escape(do)}</p>' if do else ""
    grade = check.grade.word
    word = escape(sentence(f"edge.page.grade-{grade}", {}, language))
    return (
        f'<li class="{grade}"><span class="mark" role="img" aria-label="{word}">{MARKS[check.grade]}</span>'
        f"<div><h3>{escape(title(check, language))}</h3><p>{escape(told(check, language))}</p>{todo}</div></li>"
    )


def _code(text: str, label: str) -> str:
    matrix = qr.encode(text)
    side = len(matrix) + 2 * _QUIET
    return (
        f'<figure><svg viewBox="{-_QUIET} {-_QUIET} {side} {side}" role="img" aria-label="{label}: {escape(text)}" '
        f'shape-rendering="crispEdges"><rect x="{-_QUIET}" y="{-_QUIET}" width="{side}" height="{side}" fill="#fff"/>'
        f'<path d="{qr.svg_path(matrix)}" fill="#000"/></svg>'
        f"<figcaption>{label}<br><code>{escape(text)}</code></figcaption></figure>"
    )
