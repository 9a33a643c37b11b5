"""The ledger: whole lines, bounded on the disk, and no reason for the hardware to stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators import ledger
from simulators.ledger import LedgerFile, read_ledger


def test_a_line_cut_by_a_kill_is_left_out_and_not_glued_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = LedgerFile(path)
    first.observed("smoke-1", "smoke", 1, True, 1000)
    first.close()
    with path.open("ab") as file:
        file.write(b'{"device":"smoke-1","met')
    second = LedgerFile(path)
    second.observed("smoke-1", "smoke", 2, False, 2000)
    second.close()
    assert [(one.counter, one.value) for one in read_ledger(path)] == [(1, True), (2, False)]


def test_weeks_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_MOST_BYTES", 1000)
    path = tmp_path / "ledger.jsonl"
    file = LedgerFile(path)
    for number in range(200):
        file.observed("meter-1", "energy-total", number, number / 10, number)
    file.close()
    assert sum(part.stat().st_size for part in tmp_path.iterdir()) < 2500
    assert [one.counter for one in read_ledger(path)][-1] == 199


def test_a_full_disk_does_not_stop_the_hardware(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = LedgerFile(tmp_path / "ledger.jsonl")
    file.close()
    with Path("/dev/full").open("ab", buffering=0) as full:
        file._file = full
        file.observed("meter-1", "energy-total", 1, 0.1, 1)
    assert "not filed" in caplog.text
