"""Fixtures of real services, and the account of what a run measured and left out.

`make test` spreads the files over several processes (pytest-xdist), for most tests wait more than they compute. What
the processes have to say reaches the one that prints it: what was left out by their output, the rest by the reports.

A test marked `needs("chromium")` runs where the machine has it. Elsewhere it is deselected, and the end of the report
names what was left out with the command that adds it. With CI=true a run that left anything out fails.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.services.capabilities import CAPABILITIES

# A busy machine is no failure: no test asserts a wall-clock time, and so no example has a deadline either.
settings.register_profile("liandong", deadline=None, print_blob=True)
settings.register_profile("long", deadline=None, print_blob=True, max_examples=2000, stateful_step_count=80)
settings.load_profile("liandong")

pytest_plugins = ["tests.services.brokers", "tests.services.browser", "tests.services.databases"]

ORDER = ("unit", "contract", "integration", "acceptance", "browser")
"""Quick tests first; folders of other names come last."""

BUSY = ("acceptance", "browser", "rules")
QUICK = ("unit", "fuzz")

BUILD_TIMEOUT_S = 420
"""The first test on a machine that needs TimescaleDB waits until it is built."""

LEFT_OUT = pytest.StashKey[Counter[str]]()
SKIPPED = pytest.StashKey[list[str]]()
MEASURED = pytest.StashKey[list[str]]()
_SAID = "measured"
"""The name under which a test's report carries what the test measured."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """What takes longer than CI has time for."""
    parser.addoption("--all-rules", action="store_true", help="tests/rules: also take out what only services can show")


def pytest_configure(config: pytest.Config) -> None:
    """Begin the account."""
    config.stash[LEFT_OUT] = Counter()
    config.stash[SKIPPED] = []
    config.stash[MEASURED] = []
    config.pluginmanager.register(_Account(config))


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines that the end of the run prints: what was measured."""
    lines: list[str] = []
    yield lines
    request.node.user_properties += [(_SAID, line) for line in lines]


class _Account:
    """What the tests say, wherever they run."""

    def __init__(self, config: pytest.Config) -> None:
        self._stash = config.stash

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._stash[SKIPPED].append(report.nodeid)
        if report.when == "teardown":
            self._stash[MEASURED] += [str(line) for name, line in report.user_properties if name == _SAID]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        # Every process leaves out the same, for each collects all tests.
        left_out: dict[str, int] = getattr(node, "workeroutput", {}).get("left_out", {})
        self._stash[LEFT_OUT].clear()
        self._stash[LEFT_OUT].update(left_out)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests, and leave out what this machine cannot run."""
    missing = {name for name, capability in CAPABILITIES.items() if not capability.present()}
    kept: list[pytest.Item] = []
    deselected: list[pytest.Item] = []
    for item in items:
        needs = _needs(item)
        if "timescaledb" in needs and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(BUILD_TIMEOUT_S))
        lacking = needs & missing
        config.stash[LEFT_OUT].update(lacking)
        (deselected if lacking else kept).append(item)
    kept.sort(key=_rank)
    items[:] = _side_by_side(kept) if hasattr(config, "workerinput") else kept
    if deselected:
        config.hook.pytest_deselected(items=deselected)


def _needs(item: pytest.Item) -> set[str]:
    needs = {name for marker in item.iter_markers("needs") for name in marker.args}
    if unknown := needs - CAPABILITIES.keys():
        raise pytest.UsageError(f"{item.nodeid} needs {sorted(unknown)}; known are {sorted(CAPABILITIES)}")
    return needs


def _rank(item: pytest.Item) -> int:
    return ORDER.index(_folder(item.path)) if _folder(item.path) in ORDER else len(ORDER)


def _folder(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


def _side_by_side(items: list[pytest.Item]) -> list[pytest.Item]:
    """File by file: those that run whole streets and those that mostly wait take turns, and the quick ones come last.

    A street that starts last would keep everybody waiting, and several at one time starve one another.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    busy = [path for path in files if _folder(path) in BUSY]
    quick = [path for path in files if _folder(path) in QUICK]
    waiting = [path for path in files if path not in {*busy, *quick}]
    turns = [path for pair in zip_longest(busy, waiting) for path in pair if path is not None]
    return [item for path in (*turns, *quick) for item in files[path]]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run of CI that left anything out has failed."""
    stash = session.config.stash
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        left_out = stash[LEFT_OUT]
        output["left_out"] = dict(left_out)
        return
    if _is_ci() and (stash[LEFT_OUT] or stash[SKIPPED]) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out and what adds it."""
    if config.stash[MEASURED]:
        terminalreporter.section("measured")
        for line in config.stash[MEASURED]:
            terminalreporter.line(line)
    left_out, skipped = config.stash[LEFT_OUT], config.stash[SKIPPED]
    if not left_out and not skipped:
        return
    terminalreporter.section("left out" + (" (CI=true: the run fails)" if _is_ci() else ""))
    for name, count in sorted(left_out.items()):
        capability = CAPABILITIES[name]
        terminalreporter.line(f"{capability.title} ({count}): {capability.missing}")
    for nodeid in skipped:
        terminalreporter.line(f"skipped itself: {nodeid}")


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"
