"""The browser modules that the build brings in: complete, and loadable by a browser without an import map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hatch_build

UI = Path(__file__).parents[3] / "cloud" / "ui"


def test_vendor_folder_matches_the_lock() -> None:
    assert hatch_build.is_current(UI / "static" / "vendor", hatch_build.fingerprint(UI))


def test_every_import_names_a_file_beside() -> None:
    vendor = UI / "static" / "vendor"
    for script in vendor.glob("*.js"):
        for target in re.findall(r'\bfrom\s*"([\w@./-]+)"', script.read_text(encoding="utf-8")):
            assert (vendor / target).is_file(), f"{script.name} imports {target}"


def test_lock_names_no_host() -> None:
    assert "resolved" not in (UI / "package-lock.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("script", "resolved"),
    [
        ('import{h}from"preact";', 'import{h}from"./preact.module.js";'),
        ('import { useState } from "preact/hooks";', 'import { useState } from "./hooks.module.js";'),
        ('import x from"./beside.js";', 'import x from"./beside.js";'),
        ("let a;\n//# sourceMappingURL=a.js.map\n", "let a;\n"),
    ],
)
def test_resolve_imports(script: str, resolved: str) -> None:
    assert hatch_build.resolve_imports(script) == resolved


def test_a_missing_file_in_a_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(hatch_build.VendorError, match=r"preact/dist/preact\.mjs is missing"):
        hatch_build.copy_modules(tmp_path / "node_modules", tmp_path / "vendor")
