"""The fault lab: a short run finds nothing, and the same run finds what is broken on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KEYS = {
    *("scenario", "seed", "faults", "observed", "stored", "lost", "duplicated", "altered", "misordered", "thinned"),
    *("before_outbox", "ram_bound", "commit_latency_ms", "limits", "watch", "memory"),
}


def run_lab(*options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, report and progress of ``liandong lab run``."""
    done = subprocess.run(
        [sys.executable, "-m", "liandong", "lab", "run", *options, "--json"],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "LIANDONG_LANG": "en"},
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.mark.timeout(450)
def test_a_short_lab_loses_nothing_doubles_nothing_changes_nothing(tmp_path: Path, report: list[str]) -> None:
    page = tmp_path / "lab.html"
    code, found, said = run_lab("short", "--seed", "1", "--html", str(page))
    assert found.keys() >= KEYS, said
    assert (found["lost"], found["duplicated"], found["altered"]) == (0, 0, 0), (found["examples"], said)
    assert (code, found["ok"], found["drained"]) == (0, True, True), said
    assert found["faults"] >= 8, found["kinds"]
    assert found["observed"] > 200
    assert (found["misdated"], found["unexplained"], found["wrong"]) == (0, 0, [])
    assert found["ram_bound"] <= found["limits"]["ram_bound"]
    assert found["before_outbox"] <= found["limits"]["before_outbox"]
    assert found["watch"]["messages"] > 100
    assert found["watch"]["violations"] == []
    text = page.read_text("utf-8")
    assert "<svg" in text
    assert "http" not in text, "the page needs nothing from elsewhere"
    report.append(
        f"fault lab, short: {found['faults']} of {found['injected']} faults hit, {found['observed']} observations,"
        f" {found['lost']} lost, {found['duplicated']} doubled, {found['altered']} altered,"
        f" {found['ram_bound']} in memory when killed, commit p50 {found['commit_latency_ms']['p50']} ms"
    )


def run_until_found(scenario: str, sabotage: str, harm: str) -> tuple[int, dict[str, Any], str]:
    """The first of five runs that shows the harm: whether a fault meets a message on its way is chance."""
    for seed in range(1, 6):
        code, found, said = run_lab(scenario, "--seed", str(seed), "--sabotage", sabotage)
        if found.get(harm, 0) > 0:
            break
    return code, found, said


@pytest.mark.timeout(900)
def test_without_acknowledgements_the_lab_finds_losses(report: list[str]) -> None:
    code, found, said = run_until_found("short", "no-acknowledgement", "lost")
    assert found.get("lost", 0) > 0, said
    assert code == 1
    report.append(f"fault lab without acknowledgements: {found['lost']} of {found['observed']} lost")


@pytest.mark.timeout(900)
def test_with_received_sets_outside_the_transaction_the_lab_finds_doubles(report: list[str]) -> None:
    code, found, said = run_until_found("database", "received-apart", "duplicated")
    assert found.get("duplicated", 0) > 0, said
    assert code == 1
    report.append(f"fault lab with received sets stored apart: {found['duplicated']} doubled")


@pytest.mark.timeout(450)
def test_seeds_run_one_after_another_and_are_summed_up(tmp_path: Path) -> None:
    page = tmp_path / "all.html"
    code, found, said = run_lab("short", "--seed", "2..3", "--minutes", "0.15", "--html", str(page))
    assert (code, found["ok"], found["seeds"]) == (0, True, [2, 3]), said
    assert [run["seed"] for run in found["runs"]] == [2, 3]
    assert found["observed"] == sum(run["observed"] for run in found["runs"]) > 0
    assert "Run 2 of 2, seed 3" in said
    assert {"all.html", "all-2.html", "all-3.html"} == {entry.name for entry in tmp_path.iterdir()}


@pytest.mark.parametrize("seeds", ["3..1", "1..", "x", "1..9999"])
def test_seeds_that_are_none_are_one_sentence(seeds: str) -> None:
    code, found, said = run_lab("short", "--seed", seeds)
    assert (code, found) == (2, {})
    assert said.startswith(f"liandong: --seed {seeds} is not possible")


def test_an_unknown_scenario_is_one_sentence() -> None:
    code, found, said = run_lab("nothing")
    assert (code, found) == (2, {})
    assert said.startswith("liandong: There is no lab scenario nothing. There are: ")
