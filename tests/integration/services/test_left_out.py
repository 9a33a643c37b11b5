"""A run on a machine that lacks a service: it says what was left out, and CI does not accept it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

RUN_WITHOUT = """
import dataclasses, sys
import pytest
from tests.services.capabilities import CAPABILITIES
for name in CAPABILITIES:
    CAPABILITIES[name] = dataclasses.replace(CAPABILITIES[name], present=lambda: False)
sys.exit(pytest.main([*sys.argv[1:], "-p", "no:cacheprovider"]))
"""


@pytest.mark.parametrize(("ci", "exit_code"), [("", 0), ("true", 1)])
def test_left_out_tests_are_listed_and_fail_only_in_ci(ci: str, exit_code: int) -> None:
    services = "tests/integration/services/test_services.py"
    done = subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT, services, "-k", "chromium or makes_hypertables or unicode"],
        cwd=ROOT,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout
    assert "browser tests (1): no Chromium - apt-get install chromium" in done.stdout
    assert "TimescaleDB tests (1): needs root and mmdebstrap" in done.stdout
    assert "1 passed" in done.stdout
