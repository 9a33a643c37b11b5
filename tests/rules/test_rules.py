"""Each rule of delivery has a test that fails when the rule is taken out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rules.reference import PAGE, page
from tests.rules.rulebook import ROOT, Rule, copy_tree, rules, take_out
from tests.services.databases import DatabaseServer

Ask = Callable[[list[str]], dict[str, Any]]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    copy_tree(folder)
    return folder


@pytest.fixture(scope="module")
def ask(tree: Path, postgres_server: DatabaseServer) -> Iterator[Ask]:
    """Run tests in the copy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment |= {
        "LIANDONG_TEST_DSN": postgres_server.dsn,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CI": "",
    }
    command = [sys.executable, str(ROOT / "tests" / "rules" / "child.py"), str(tree)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=tree
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def ask_it(tests: list[str]) -> dict[str, Any]:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(json.dumps(tests) + "\n")
            child.stdin.flush()
            told: dict[str, Any] = json.loads(child.stdout.readline())
            return told

        yield ask_it
        child.stdin.close()
        child.wait(20)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Rules that a unit test proves are always taken out, the others with ``--all-rules``."""
    if "rule" in metafunc.fixturenames:
        chosen = [rule for rule in rules() if rule.is_quick or metafunc.config.getoption("--all-rules")]
        metafunc.parametrize("rule", chosen, ids=[rule.id for rule in chosen])


@pytest.mark.timeout(200)
def test_without_the_rule_its_test_fails(rule: Rule, tree: Path, ask: Ask) -> None:
    before = take_out(tree, rule)
    try:
        for test in rule.tests:
            told = ask([test])
            assert not told["broken"], told["broken"]
            assert told["failed"], f"{test} passes without the rule: {rule.en}"
    finally:
        (tree / rule.file).write_text(before, "utf-8")


def test_no_taking_out_is_stale() -> None:
    """The code still says what each of them replaces, and each id is given once."""
    for rule in rules():
        assert rule.old in (ROOT / rule.file).read_text("utf-8"), f"{rule.id}: {rule.file} has changed"
        for test in rule.tests:
            assert (ROOT / test.partition("::")[0]).is_file(), test
    assert len({rule.id for rule in rules()}) == len(rules())


def test_the_reference_is_up_to_date() -> None:
    written = (ROOT / PAGE).read_text("utf-8")
    assert written == page(), f"python -m tests.rules.reference > {PAGE}"
