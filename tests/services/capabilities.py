"""What a test may need beyond the Python environment, whether this machine has it, and the command that adds it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where daemons live although the PATH of an ordinary user does not name it."""

OTHERS = (
    "pysparkplug",
    "spb-wrapper",
    "aiospb",
    "sparkplug-client",
    "dlt645",
    "meterbus",
    "osdp",
    "pymodbus2",
    "atheris",
)
"""The environments that `tools/others` makes."""


def find_program(*names: str) -> str | None:
    """Path of the first program found in PATH or among the system daemons."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def timescaledb_folder() -> Path:
    """Where `tools/timescaledb` keeps its root file system between runs."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "liandong" / "timescaledb"


def others_folder() -> Path:
    """Where `tools/others` keeps other people's implementations."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "liandong" / "others"


def has_others() -> bool:
    """Whether all of them are there."""
    return all((others_folder() / name / "complete").exists() for name in OTHERS)


def community_folder() -> Path:
    """Where `tools/others` keeps TimescaleDB Community, as WebAssembly."""
    return others_folder() / "timescaledb-community"


def find_chromium() -> str | None:
    """Path of the browser that Playwright drives; Playwright's own builds are not used."""
    return find_program("chromium", "chromium-browser", "google-chrome")


def find_mosquitto() -> str | None:
    """Path of the MQTT broker that one-server installations use."""
    return find_program("mosquitto")


def can_run_timescaledb() -> bool:
    """Whether `tools/timescaledb` can work: it builds a Debian root file system and enters it."""
    return os.geteuid() == 0 and (
        (timescaledb_folder() / "complete").exists() or find_program("mmdebstrap") is not None
    )


def can_mount() -> bool:
    """Whether a file system can be mounted where nobody else sees it."""
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
    except OSError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One optional part of the machine."""

    title: str
    present: Callable[[], object]
    missing: str
    """Why tests are left out and what adds the part, as the end of the report shows it."""


CAPABILITIES = {
    "chromium": Capability(
        title="browser tests",
        present=find_chromium,
        missing="no Chromium - apt-get install chromium fonts-noto-cjk",
    ),
    "community": Capability(
        title="TimescaleDB Community tests",
        present=lambda: (community_folder() / "complete").exists(),
        missing="its WebAssembly build is not there - tools/others",
    ),
    "mosquitto": Capability(
        title="Mosquitto tests",
        present=find_mosquitto,
        missing="no Mosquitto - apt-get install mosquitto",
    ),
    "namespace": Capability(
        title="full disk tests",
        present=can_mount,
        missing="no mounts of our own - root, or sysctl kernel.unprivileged_userns_clone=1",
    ),
    "others": Capability(
        title="interoperability tests",
        present=has_others,
        missing="other implementations are not there - tools/others",
    ),
    "timescaledb": Capability(
        title="TimescaleDB tests",
        present=can_run_timescaledb,
        missing="needs root and mmdebstrap - apt-get install mmdebstrap, then sudo make test",
    ),
}
