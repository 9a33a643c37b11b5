"""The whole cloud as a process of its own, as `liandong cloud run` starts it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.ingest.gateway import wait_for
from tests.services.ports import end, free_port

ROOT = Path(__file__).parents[3]


class Service:
    """A cloud that can be started, killed and started again. `module` is run with the words of the command."""

    def __init__(self, folder: Path, dsn: str, broker_port: int, host: str, *, module: str = "liandong") -> None:
        self.port = free_port()
        self._log = folder / "cloud.log"
        self._module = module
        self._config = folder / "cloud.toml"
        tables = (f"[database]\ndsn = {dsn!r}", f"[broker]\nport = {broker_port}", f"[http]\nport = {self.port}")
        self._config.write_text("\n".join((f"host_id = {host!r}", *tables)))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, without waiting."""
        command = [sys.executable, "-m", self._module, "cloud", "run", "--config", str(self._config)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def died(self) -> int | None:
        """How it ended; None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def said(self, words: str) -> int:
        """How often its log says this."""
        return self._log.read_text("utf-8", errors="replace").count(words) if self._log.exists() else 0

    def ready(self) -> None:
        """Wait until it listens to the broker."""
        before = self.said("broker-connected client=liandong-ingest")
        self.start()
        wait_for(lambda: self.said("broker-connected client=liandong-ingest") > before, "the cloud is there")

    def stop(self) -> None:
        """Stop in order, or what is left of it."""
        if self._process is not None:
            end(self._process)
            self._process = None
