"""What the documents tell people to type is understood, and what they link to is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from liandong.cli import parse

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "docker" / "README.md", *(ROOT / "docs").rglob("*.md")])
COMMAND = re.compile(r"(?:\.venv/bin/)liandong [^`#\n]+")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def test_every_command_that_is_told_is_understood() -> None:
    told = {found.strip() for path in DOCUMENTS for found in COMMAND.findall(path.read_text("utf-8"))}
    assert len(told) > 5  # the search finds something
    for command in sorted(told):
        words = [word for word in shlex.split(command)[1:] if word != "--help"]
        parse(words, "en")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    missing = [link for link in LINK.findall(document.read_text("utf-8")) if not (document.parent / link).exists()]
    assert missing == []


def test_make_names_its_targets() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    for target in phony[1].split():
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
