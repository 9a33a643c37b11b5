"""The page of the rules: ``python -m tests.rules.reference > docs/reference/delivery-rules.md``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.rules.rulebook import rules

PAGE: Final = Path("docs/reference/delivery-rules.md")
_PREFACE: Final = Path(__file__).with_name("preface.md")
_TITLES: Final = {"gateway": "On the gateway · 网关", "cloud": "In the cloud · 云端"}


def page() -> str:
    """The whole page."""
    lines = [_PREFACE.read_text("utf-8").rstrip(), ""]
    for part, title in _TITLES.items():
        lines += [f"## {title}", "", "| rule | 规则 | where | test | id |", "|---|---|---|---|---|"]
        for rule in rules():
            if rule.part == part:
                tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in rule.tests)
                lines.append(f"| {rule.en} | {rule.zh} | `{rule.file}` | {tests} | {rule.id} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
