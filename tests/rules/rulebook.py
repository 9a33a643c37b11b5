"""The rules of delivery: what each one says, where it lives, the tests that prove it, and how it is taken out.

``rules.toml`` holds them. A taking-out replaces a piece of the source in a copy of the tree; under it the rule's tests
must fail.
"""

from __future__ import annotations

import compileall
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BOOK: Final = Path(__file__).with_name("rules.toml")
PACKAGES: Final = ("protocols", "edge", "cloud", "simulators", "liandong", "benchmarks", "tests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `old` in `file` becomes `new`; `tests` are node ids, relative to the tree."""

    id: str
    part: str
    en: str
    zh: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def is_quick(self) -> bool:
        """Whether unit tests prove it."""
        return all(test.startswith("tests/unit/") for test in self.tests)


def rules() -> tuple[Rule, ...]:
    """All of them, in the order of the book."""
    book = tomllib.loads(BOOK.read_text("utf-8"))
    return tuple(Rule(**{**row, "tests": tuple(row["tests"])}) for row in book["rule"])


def copy_tree(target: Path) -> None:
    """The sources, without what browsers load, compiled: each taking-out runs them in a process of its own."""
    ignore = shutil.ignore_patterns("node_modules", "vendor", ".hypothesis", "*.tmp")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, target / package, ignore=ignore)
        compileall.compile_dir(target / package, quiet=2)
    shutil.copy(ROOT / "pyproject.toml", target)


def take_out(tree: Path, rule: Rule) -> str:
    """Take `rule` out of the copy; what the file said before. Raises ValueError when the file no longer says `old`."""
    path = tree / rule.file
    before = path.read_text("utf-8")
    if rule.old not in before:
        raise ValueError(f"{rule.id}: {rule.file} does not contain what the taking-out replaces:\n{rule.old}")
    path.write_text(before.replace(rule.old, rule.new), "utf-8")
    return before
