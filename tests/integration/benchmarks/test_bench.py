"""Every benchmark but the cluster's runs and says what it must say. What it measures is not judged.

Other work shares this machine; and the cluster takes minutes and a root file system of its own.
"""

from __future__ import annotations

import json

import pytest

from benchmarks import fleet, mosquitto, rival
from benchmarks.cli import NAMES
from benchmarks.figures import figure, quantile
from liandong.cli import main

FIGURES = {
    "ingest": {"ingest-100", "ingest-5", "ingest-100-sorted", "ingest-5-sorted"},
    "edge": {"edge-cold-start", "edge-memory", "edge-outbox", "edge-offline", "edge-flash", "edge-cpu"},
    "alert": {"alert-p50", "alert-p99"},
    "idle": {"idle-p50", "idle-p99"},
    "urgent": {"urgent-p50", "urgent-p99", "urgent-max"},
    "dispatch": {"dispatch-rank"},
    "fleet": {
        *(f"fleet-{size}-{what}" for size in fleet.QUICK for what in ("readings", "p50", "p99", "cpu", "memory")),
        f"fleet-{fleet.QUICK[-1]}-each",
    },
    "query": {"query-latest", "query-day", "query-month", "query-bytes", "query-bytes-random"},
}

if rival.python() and mosquitto.program():
    FIGURES["edge"] |= {"edge-memory-beside", "edge-work-beside", "edge-rate-beside"}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "cluster"])
def test_figures_of_a_quick_run(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", name, "--quick", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert {one["name"] for one in found} == FIGURES[name]
    for one in found:
        assert one["unit"]
        assert one["value"] >= 0
        assert one["limit"] > 0
        assert one["ratio"] >= 0
        assert len(one["runs"]) == 1
        assert one["machine"]


def test_medians_and_the_ratio_run_by_run() -> None:
    found = figure("one", "ms", [10.0, 20.0, 90.0], [10.0, 10.0, 30.0])
    assert (found.value, found.limit, found.ratio) == (20.0, 10.0, 2.0)
    assert figure("one", "ms", [1.0]).ratio is None


def test_the_slowest_in_a_hundred() -> None:
    assert quantile([float(number) for number in range(1, 101)], 0.99) == 99.0
    assert quantile([3.0], 0.99) == 3.0


@pytest.mark.parametrize("words", [["speed"], ["query", "--rows", "0"], ["alert", "--load", "-1"]])
def test_a_wrong_call_is_one_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("liandong: ")
    assert said.count("\n") == 1
