"""The picture of docs/performance.md shows the figures that are kept beside it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from benchmarks.figures import figure
from tools import performance_chart as chart


def test_the_picture_is_drawn_from_the_history() -> None:
    kept = json.loads(chart.HISTORY.read_text("utf-8"))
    assert chart.PICTURE.read_text("utf-8") == chart.picture(kept), "run tools/performance_chart.py"


def test_figures_of_a_run_are_added_with_the_edition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = tmp_path / "history.json"
    history.write_text("[]")
    monkeypatch.setattr(chart, "HISTORY", history)
    found = figure("query-day", "ms", [12.5], [10.0]).to_json() | {"machine": "x", "busy": 0.5}
    chart.add([found], "TimescaleDB Apache", date(2026, 11, 22))
    (kept,) = json.loads(history.read_text("utf-8"))
    assert (kept["day"], kept["edition"], kept["value"], kept["ratio"]) == (
        "2026-11-22",
        "TimescaleDB Apache",
        12.5,
        1.25,
    )
    drawn = chart.picture([kept])
    assert ">12.5</text>" in drawn
    assert drawn.count("stroke-dasharray") == 1, "the goal"
    with pytest.raises(ValueError, match="Oracle"):
        chart.add([found], "Oracle", date(2026, 11, 22))
