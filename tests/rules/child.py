"""Runs pytest again and again in forks of one process that has the libraries loaded already: ``python -m … TREE``.

Each line of standard input is a JSON list of node ids; the answer is a line with what passed, failed and broke. The
program itself is imported in the fork, from the tree as it is then.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any, Final

import pytest

LIBRARIES: Final = (
    "anyio.pytest_plugin", "google.protobuf.message", "httpx", "hypothesis.stateful", "numpy", "paho.mqtt.client",
    "playwright.sync_api", "prometheus_client", "psycopg", "psycopg_pool", "pydantic", "pytest_timeout",
)  # fmt: skip
BROKEN: Final = 70


class Recorder:
    """What became of each test."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: dict[str, str] = {}
        self.broken: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test is over."""
        if report.failed:
            where = self.failed if report.when == "call" else self.broken
            where[report.nodeid] = str(report.longrepr)[-2000:]
        elif report.when == "call":
            self.passed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file could not even be read."""
        if report.failed:
            self.broken[report.nodeid] = str(report.longrepr)[-2000:]


def run(tests: list[str]) -> dict[str, Any]:
    """Run `tests` in this process."""
    recorder = Recorder()
    options = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-x", "--timeout=60", "--assert=plain"]
    code = pytest.main([*options, *tests], plugins=[recorder])
    return {"code": int(code), "passed": recorder.passed, "failed": recorder.failed, "broken": recorder.broken}


def forked(tests: list[str]) -> dict[str, Any]:
    """Run `tests` in a fork."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        code = BROKEN
        try:
            os.close(reader)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
            with os.fdopen(writer, "w") as answer:
                json.dump(run(tests), answer)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    if not text:
        return {"code": BROKEN, "passed": [], "failed": {}, "broken": {"": f"the process ended with {status}"}}
    told: dict[str, Any] = json.loads(text)
    return told


def main() -> None:
    """Answer until the input ends."""
    os.chdir(sys.argv[1])
    sys.path.insert(0, sys.argv[1])
    for library in LIBRARIES:
        importlib.import_module(library)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(forked(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
