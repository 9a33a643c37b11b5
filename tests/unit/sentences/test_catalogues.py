"""Every code that is raised has its sentence in both languages, with the values that it names; no sentence is spare."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from protocols.messages import LANGUAGES, catalogue

# the cloud has a test of its own, with its rules, metrics and roles
PACKAGES = ("edge", "liandong", "protocols", "simulators")
ROOT = Path(str(files("liandong"))).parent
SPEAKERS = (*PACKAGES, "benchmarks")  # who says what stands in these catalogues
TREES = {path: ast.parse(path.read_text("utf-8")) for folder in SPEAKERS for path in (ROOT / folder).rglob("*.py")}
CODE = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.[a-z0-9-]+)+")


def _names(sentence: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", sentence))


def _raised() -> Iterator[tuple[str, set[str], str]]:
    """Every ``SomethingError("code", name=…)``: code, given names, where. Calls with ``**more`` are left out."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            code = node.args[0].value
            if called.endswith("Error") and isinstance(code, str) and all(word.arg for word in node.keywords):
                yield code, {str(word.arg) for word in node.keywords}, f"{path.relative_to(ROOT)}:{node.lineno}"


def _said() -> Iterator[tuple[str, bool]]:
    """Every text in the sources that could be a code: whole, or (False) its beginning up to a formatted part."""
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                yield str(node.values[0].value), False
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, not node.value.endswith((".", "-"))


@pytest.mark.parametrize("package", PACKAGES)
def test_both_languages_say_the_same(package: str) -> None:
    chinese, english = (catalogue(package, language) for language in LANGUAGES)
    assert set(chinese) == set(english)
    different = [code for code, sentence in english.items() if _names(sentence) != _names(chinese[code])]
    assert different == []


def test_what_is_raised_has_its_sentence_and_its_values() -> None:
    raised = [row for row in _raised() if CODE.fullmatch(row[0])]
    assert len(raised) > 50  # the search finds something
    missing, unfilled = [], []
    for code, given, where in raised:
        sentence = catalogue(code.partition(".")[0], "en").get(code)
        if sentence is None:
            missing.append((code, where))
        elif _names(sentence) - given:
            unfilled.append((code, sorted(_names(sentence) - given), where))
    assert missing == []
    assert unfilled == []


def test_no_sentence_is_spare() -> None:
    said = set(_said())
    whole = {text for text, complete in said if complete}
    begun = tuple(text for text, complete in said if not complete and CODE.match(text))
    short = {text for text in whole if re.fullmatch(r"[a-z0-9-]+", text)}  # the last word, where a prefix is added
    spare = [
        code
        for package in PACKAGES
        for code in catalogue(package, "en")
        if not {code, code.partition(".")[2]} & whole
        and not code.startswith(begun)
        and code.rpartition(".")[2] not in short
    ]
    assert spare == []
