"""The update script with real virtual environments and a real agent: a good version stays, one that fails goes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from edge.local import ask
from protocols.errors import UnavailableError
from tests.integration.installer.rig import eventually
from tests.services.brokers import Broker

ROOT = Path(str(files("liandong"))).parent
SCRIPT = ROOT / "packaging" / "update" / "liandong_update.py"
RESTART = """
import os, signal, subprocess, sys, time
root, config, pid = sys.argv[1:]
try:
    old = int(open(pid).read())
    os.kill(old, signal.SIGTERM)
    while open(f"/proc/{old}/stat").read().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.05)
except (OSError, ValueError):
    pass
log = open(os.path.join(root, "agent.log"), "a")
command = [os.path.join(root, "current", "bin", "liandong"), "edge", "run", "--config", config]
started = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
open(pid, "w").write(str(started.pid))
"""
INSTALL = """
import os, sys
from pathlib import Path
kind, *paths = sys.argv[1:]
bin_, = {Path(sys.executable).parent}
packages = next(Path(sys.prefix).glob("lib/python*/site-packages"))
(packages / "project.pth").write_text("\\n".join(paths))
script = bin_ / "liandong"
body = "import sys; from liandong.cli import main; sys.exit(main())"
if kind == "fails":
    body = "import sys\\nif 'run' in sys.argv: sys.exit('this version does not start')\\n" + body
script.write_text(f"#!{sys.executable}\\n" + body + "\\n")
script.chmod(0o755)
"""


class Updates:
    """A gateway below `folder` whose restarts are ours to collect."""

    def __init__(self, folder: Path, port: int) -> None:
        self.root, self.config, self.pid = folder / "opt", folder / "gateway.toml", folder / "pid"
        self.config.write_text(
            f'[gateway]\ngroup = "peach-garden"\nnode = "gw-1"\n[uplink]\nhost = "127.0.0.1"\nport = {port}\n'
        )
        (folder / "restart.py").write_text(RESTART)
        (folder / "install.py").write_text(INSTALL)
        self.restart = f"{sys.executable} {folder / 'restart.py'} {self.root} {self.config} {self.pid}"
        self.install = folder / "install.py"

    def run(self, *words: str, hold: str = "60") -> subprocess.CompletedProcess[str]:
        options = [
            "--root",
            self.root,
            "--config",
            self.config,
            "--restart",
            self.restart,
            "--hold",
            hold,
            "--every",
            "0.2",
        ]
        command = [sys.executable, str(SCRIPT), *map(str, options), *words]
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200, check=False)

    def version(self, name: str, kind: str = "works", hold: str = "60") -> subprocess.CompletedProcess[str]:
        paths = (str(ROOT), sysconfig.get_path("purelib"))
        installer = f"{{python}} {self.install} {kind} {' '.join(paths)}"
        return self.run("install", "--with", installer, name, hold=hold)

    @property
    def current(self) -> str:
        return (self.root / "current").resolve().name

    def answers(self) -> bool:
        try:
            return bool(ask(self.config.parent / "data", {"ask": "status"})["parts"])
        except UnavailableError:
            return False

    def stop(self) -> None:
        if self.pid.exists():
            os.kill(int(self.pid.read_text()), signal.SIGTERM)
            eventually(lambda: not self.answers(), "the agent has ended")


@pytest.fixture
def updates(tmp_path: Path, iotcore_broker: Broker) -> Iterator[Updates]:
    updates = Updates(tmp_path, iotcore_broker.port)
    try:
        yield updates
    finally:
        updates.stop()


@pytest.mark.timeout(300)  # a score of programs start, one after another
def test_a_good_version_stays_one_that_fails_goes_back_and_so_can_a_person(updates: Updates) -> None:
    for name in ("1.0", "2.0"):
        done = updates.version(name)
        assert done.returncode == 0, done.stderr
        assert (updates.current, updates.answers()) == (name, True)
    for name in ("2.0", "1.0"):  # an installation that fails would leave nothing to run, or to go back to
        again = updates.version(name)
        assert (again.returncode, "another name" in again.stderr, updates.current) == (1, True, "2.0"), again.stderr
    bad = updates.version("2.1", "fails", hold="4")
    assert bad.returncode == 1
    assert "2.1 did not become healthy" in bad.stderr
    assert "2.0 runs again and is healthy" in bad.stderr
    assert (updates.current, updates.answers()) == ("2.0", True)
    back = updates.run("rollback")
    assert back.returncode == 0, back.stderr
    assert (updates.current, updates.answers()) == ("1.0", True)
