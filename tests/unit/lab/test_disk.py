"""A machine that does not let the lab mount anything is told, in a sentence, and the lab does without."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from liandong.lab.disk import Disks


def made(tmp_path: Path) -> Disks:
    disks = Disks(tmp_path / "disks", {"gw-1": tmp_path / "gw-1"})
    disks.make()
    return disks


def test_without_root_there_is_a_reason_and_no_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    disks = made(tmp_path)
    assert disks.why_not is not None
    assert disks.why_not.code == "liandong.lab.disk-not-root"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "mkfs.ext4" else tool)
    disks = made(tmp_path)
    assert disks.why_not is not None
    assert disks.why_not.params == {"tools": "mkfs.ext4"}
