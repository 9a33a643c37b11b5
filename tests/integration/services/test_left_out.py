"""A run on a machine that lacks a service: it says what was left out, and CI does not accept it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

LACKING = """
import dataclasses
from tests.services.capabilities import CAPABILITIES
for name in CAPABILITIES:
    CAPABILITIES[name] = dataclasses.replace(CAPABILITIES[name], present=lambda: False)
"""
"""A plugin, so that every process of a spread run loads it."""


@pytest.mark.parametrize(("ci", "processes", "exit_code"), [("", "0", 0), ("true", "0", 1), ("true", "2", 1)])
def test_left_out_tests_are_listed_and_fail_only_in_ci(tmp_path: Path, ci: str, processes: str, exit_code: int) -> None:
    (tmp_path / "lacking.py").write_text(LACKING)
    services = "tests/integration/services/test_services.py"
    command = [sys.executable, "-m", "pytest", "-p", "lacking", "-p", "no:cacheprovider", "-n", processes, services]
    done = subprocess.run(
        [*command, "-k", "chromium or makes_hypertables or unicode"],
        cwd=ROOT,
        env={**os.environ, "CI": ci, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "browser tests (1): no Chromium - apt-get install chromium" in done.stdout
    assert "TimescaleDB tests (1): needs root and mmdebstrap" in done.stdout
    assert "1 passed" in done.stdout
