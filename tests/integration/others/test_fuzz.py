"""A short run of the coverage-guided fuzzing of every kind of `liandong decode`; `make fuzz` runs longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.seeds import KINDS, seeds
from tools.fuzz import run

pytestmark = pytest.mark.needs("others")


def test_a_short_run_finds_nothing(tmp_path: Path, report: list[str]) -> None:
    told = run("all", tmp_path, "-runs=2000", "-seed=1", seconds=30)
    report.append(f"atheris, every kind of decode: {told['executions']} executions, {told['edges']} edges")
    assert told["findings"] == []
    assert told["ended_well"]
    executions = told["executions"]
    assert isinstance(executions, int)
    assert executions > sum(len(seeds(kind)) for kind in KINDS)
